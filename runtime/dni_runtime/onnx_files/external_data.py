"""Where a model's weights lie that are not in the model: in files beside it."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import numpy.typing as npt
import onnx
from onnx.external_data_helper import uses_external_data
from onnx.numpy_helper import to_array

from dni_runtime.errors import ModelError
from dni_runtime.files.regular_file import open_file, why_no_file

from .explaining import missing
from .tensors import Extent


@dataclass(frozen=True, slots=True)
class Weights:
    """The external data of a model that is given as bytes: files in `folder`, and what needs no file.

    `values`: by the initializer's name, OrtValues that the caller keeps alive; they go before files.
    `in_place`: OrtValues that the session does not own and uses where they lie, so that they may change between
    calls. The graph then runs as it is: an optimizer would take what is in it for the values.
    """

    folder: Path
    values: Mapping[str, Any] = field(default_factory=dict)
    in_place: Mapping[str, Any] = field(default_factory=dict)


def given_tensor(name: str, shape: Iterable[int], kind: int, location: str | None = None) -> onnx.TensorProto:
    """An initializer of an ONNX element type whose values the session options give (`Weights`).

    `location`: of a file that exists, which ONNX Runtime sees to for values that it uses in place, without reading it.
    """
    tensor = onnx.TensorProto(name=name, dims=shape, data_type=kind, data_location=onnx.TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value=location or name)
    return tensor


def read_tensor(tensor: onnx.TensorProto, folder: Path) -> npt.NDArray[Any]:
    """The values of `tensor`, whose location, if it has one, is a file below `folder`.

    onnx itself reads no file of several hard links; package managers that share files between environments (uv)
    make such. Raises OSError if the file cannot be read, ValueError if it is too short.
    """
    if not uses_external_data(tensor):
        return to_array(tensor)
    place = Extent.of(tensor)
    inside = onnx.TensorProto(name=tensor.name, dims=tensor.dims, data_type=tensor.data_type)
    with open_file(folder / place.location) as file:
        file.seek(place.offset)
        inside.raw_data = file.read(place.length)
    return to_array(inside)


def levels(model: onnx.ModelProto) -> Iterator[tuple[list[onnx.GraphProto], list[onnx.NodeProto]]]:
    """All graphs of a model, and all nodes: first its own and those of its functions, then those in their subgraphs.

    However deep subgraphs lie in each other, nothing here is called that often.
    """
    graphs = [model.graph, *(graph for info in model.training_info for graph in (info.initialization, info.algorithm))]
    nodes = [node for function in model.functions for node in function.node]
    while graphs or nodes:
        nodes += (node for graph in graphs for node in graph.node)
        yield graphs, nodes
        attributes = [attribute for node in nodes for attribute in node.attribute]
        graphs = [graph for a in attributes for graph in (*a.graphs, *([a.g] if a.HasField("g") else []))]
        nodes = []


def every_tensor(model: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    """All tensors of a model: initializers, constants of nodes, and those in subgraphs and functions."""
    for graphs, nodes in levels(model):
        attributes = [attribute for node in nodes for attribute in node.attribute]
        sparse = [tensor for graph in graphs for tensor in graph.sparse_initializer]
        for graph in graphs:
            yield from graph.initializer
        for attribute in attributes:
            yield from (*([attribute.t] if attribute.HasField("t") else []), *attribute.tensors)
            sparse += attribute.sparse_tensors
            sparse += [attribute.sparse_tensor] if attribute.HasField("sparse_tensor") else []
        for tensor in sparse:
            yield from (tensor.values, tensor.indices)


def locations(model: onnx.ModelProto) -> dict[str, list[onnx.StringStringEntryProto]]:
    """Where weights are, each place with the entries that say so."""
    found: dict[str, list[onnx.StringStringEntryProto]] = {}
    for tensor in every_tensor(model):
        for entry in tensor.external_data if uses_external_data(tensor) else ():
            if entry.key == "location":
                found.setdefault(entry.value, []).append(entry)
    return found


def external_file(location: str, path: Path) -> Path:
    """The file that `location` means in the model `path`, links followed; it may be missing.

    A model is a stranger's, and what it names may be anything on the disk. External data is a regular file that is
    named relative to the model's folder and lies in it or below, where links lead as well; the folder is that in which
    the model itself really lies (Hugging Face's cache keeps files under other names, and links to them).

    Raises ModelError for anything else. Nothing is opened.
    """
    if PurePosixPath(location).is_absolute() or PureWindowsPath(location).anchor or not location:
        raise _refused(path, location, "which is not relative to its folder")
    try:
        folder, real = path.resolve().parent, (path.parent / location).resolve()
        inside, there = real.is_relative_to(folder), real.exists()
    except (OSError, RuntimeError, ValueError):  # a link to itself, a zero byte, too long a name
        raise _refused(path, location, "which is no path") from None
    if not inside:
        linked = folder != path.parent.resolve()
        raise _refused(path, location, f"which is outside of its folder{f' (a link leads to {folder})' * linked}")
    if there and (reason := why_no_file(real)):
        raise _refused(path, location, f"which {reason}")
    return real


def external_files(model: onnx.ModelProto, path: Path) -> dict[str, Path]:
    """The files that hold weights of the model `path`, by location, as `external_file` finds them.

    Raises ModelError where one is missing, or is no such file.
    """
    found = {location: external_file(location, path) for location in sorted(locations(model))}
    for location, real in found.items():
        if not real.exists():
            raise missing(path, location)
    return found


def _refused(path: Path, location: str, why: str) -> ModelError:
    return ModelError(
        f"{path} keeps weights in {location!r}, {why}, and is not read; expected a file in its folder or below: "
        "put it there, or save the model in one file"
    )


def follow_links(model: onnx.ModelProto, path: Path) -> None:
    """Make all locations relative to the folder that `path` really lies in. Raises ModelError as `external_file`."""
    folder = path.resolve().parent
    for location, entries in locations(model).items():
        real = external_file(location, path)
        for entry in entries:
            entry.value = real.relative_to(folder).as_posix()
