"""Where a model's weights lie that are not in the model: in files beside it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy.typing as npt
import onnx
from onnx.numpy_helper import to_array

from .errors import ModelError


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
    place = {entry.key: entry.value for entry in tensor.external_data}
    if "location" not in place:
        return to_array(tensor)
    inside = onnx.TensorProto(name=tensor.name, dims=tensor.dims, data_type=tensor.data_type)
    with (folder / place["location"]).open("rb") as file:
        file.seek(int(place.get("offset", 0)))
        inside.raw_data = file.read(int(place.get("length", -1)))
    return to_array(inside)


def locations(model: onnx.ModelProto) -> dict[str, list[onnx.StringStringEntryProto]]:
    """Where weights are, each place with the entries that say so."""
    found: dict[str, list[onnx.StringStringEntryProto]] = {}
    for tensor in model.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == "location":
                found.setdefault(entry.value, []).append(entry)
    return found


def follow_links(model: onnx.ModelProto, path: Path) -> bool:
    """Make all locations relative to the folder that `path` really lies in; False where one leads out of it.

    Hugging Face's cache keeps files under other names, and links to them. What leads out of the folder is not
    opened: ONNX Runtime refuses it, and it may be a device.
    """
    folder = path.resolve().parent
    for location, entries in locations(model).items():
        real = (path.parent / location).resolve()
        if not real.is_relative_to(folder):
            return False
        for entry in entries:
            entry.value = real.relative_to(folder).as_posix()
    return True


def missing(path: Path, what: str) -> ModelError:
    """The error for the model `path`, of whose weights the file `what` is not there."""
    return ModelError(f"{path} needs a weights file that is missing or damaged ({what}); put it beside the model")
