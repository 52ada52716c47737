"""Read an ONNX file that a stranger made: once, in one place, so that nobody after it has to doubt what it says."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path

import onnx
from onnx.external_data_helper import uses_external_data

from dni_runtime.errors import ModelError

from .external_data import every_tensor, external_file, levels
from .ort_format import ORT_SUFFIX, is_ort_format
from .required import require_file
from .slim import read_slim
from .tensors import Extent, check_values

# Weights may share bytes of a file. How often is nobody's to choose: each of them takes memory of its own.
_SHARED_LIMIT = 8
_CHECKPOINTS = (".pth", ".pt", ".ckpt", ".safetensors")


def read_model(path: Path) -> onnx.ModelProto:
    """The model in an ONNX file; its large weights stay in files, `path` or others, as `read_slim` has them.

    Then all names are text, there is a graph that makes each of its values once, every tensor has the values that its
    shape says, and all that lie in files lie in those that `external_file` allows. That one is missing, it does not
    say: `external_files` does.

    Raises ModelError where any of this is not so.
    """
    require_file(path)
    try:
        if is_ort_format(path):
            remedy = "; expected the .onnx file" if path.suffix == ORT_SUFFIX else f": call it {path.stem}{ORT_SUFFIX}"
            raise ModelError(f"{path} is in ONNX Runtime's own format{remedy}")
        model = read_slim(path)
        if not model.graph.node:
            raise ValueError("it holds no graph")
        _check_text(model)
    except OSError as error:
        raise ModelError(f"{path} {error.strerror}; expected an .onnx file") from None
    except UnicodeEncodeError:
        raise ModelError(f"{path} has a name that is not UTF-8, by which ONNX cannot call it; rename it") from None
    except ValueError as error:
        why = f"is not an ONNX file, or only a part of one: copy or export it again ({error})"
        if path.suffix == ".param":
            why = "is a file for programs that run ncnn; expected an .onnx file: export one without --format ncnn"
        elif path.suffix in _CHECKPOINTS:
            why = f"is a checkpoint; expected an .onnx file: dni-export A{path.suffix} B{path.suffix} makes one of two"
        raise ModelError(f"{path} {why}") from None
    _check_makers(model, path)
    _check_tensors(model, path)
    return model


def _check_makers(model: onnx.ModelProto, path: Path) -> None:
    made = [name for node in model.graph.node for name in node.output if name]
    if len(set(made)) != len(made):
        (name, count), *_ = Counter(made).most_common(1)
        raise ModelError(f"{path} is damaged: {count} of its nodes make {name!r}, expected is one; export it again")
    versions = {opset.domain: opset.version for opset in model.opset_import}
    for _, nodes in levels(model):
        for node in nodes:
            if "" in node.output and _makes_a_list(node, versions):
                raise ModelError(
                    f"{path} is damaged: a node {node.op_type} makes a value without a name, at which ONNX Runtime "
                    "crashes; export it again"
                )


def _makes_a_list(node: onnx.NodeProto, versions: Mapping[str, int]) -> bool:
    """Whether its last output stands for any number of them, none of which may be left out."""
    try:
        schema = onnx.defs.get_schema(node.op_type, versions.get(node.domain, 1), node.domain)
    except onnx.defs.SchemaError:  # an operator of somebody else's
        return False
    return bool(schema.outputs) and schema.outputs[-1].option == onnx.defs.OpSchema.FormalParameterOption.Variadic


def _check_tensors(model: onnx.ModelProto, path: Path) -> None:
    sizes: dict[str, int | None] = {}
    used: Counter[str] = Counter()
    for tensor in every_tensor(model):
        try:
            check_values(tensor)
        except ValueError as error:
            raise ModelError(f"{path} is damaged: its tensor {tensor.name!r} has {error}; export it again") from None
        if not uses_external_data(tensor):
            del tensor.external_data[:]  # what onnx.load leaves behind
            continue
        extent = Extent.of(tensor)
        name, end = extent.location, extent.offset + extent.length
        if name not in sizes:
            real = external_file(name, path)
            sizes[name] = real.stat().st_size if real.exists() else None
        size = sizes[name]
        used[name] += extent.length
        if size is not None and end > size:
            raise ModelError(
                f"{path} needs bytes {extent.offset} to {end} of the weights file {name!r}, which has {size}: it is "
                "damaged, or another model's; copy it again"
            )
        if size is not None and used[name] > _SHARED_LIMIT * size:
            raise ModelError(
                f"{path} reads the weights file {name!r} more than {_SHARED_LIMIT} times over, as no tool needs; "
                "export it again"
            )


def _check_text(model: onnx.ModelProto) -> None:
    """Raise ValueError if a name is not UTF-8: such are not refused as a file is read, and are bytes where a str is."""
    try:
        for texts in _texts(model):
            "".join(texts)
    except TypeError:
        raise ValueError("a name in it is not UTF-8") from None


def _texts(model: onnx.ModelProto) -> Iterator[Iterable[str]]:
    yield (text for entry in model.metadata_props for text in (entry.key, entry.value))
    yield (opset.domain for opset in model.opset_import)
    yield (text for function in model.functions for text in (function.name, function.domain))
    for tensor in every_tensor(model):
        yield (tensor.name, *(text for entry in tensor.external_data for text in (entry.key, entry.value)))
    for graphs, nodes in levels(model):
        values = [value for graph in graphs for value in (*graph.input, *graph.output, *graph.value_info)]
        yield (value.name for value in values)
        yield (dim.dim_param for value in values for dim in value.type.tensor_type.shape.dim)
        for node in nodes:
            yield chain(node.input, node.output, (node.op_type, node.domain, node.name))
            yield (attribute.name for attribute in node.attribute)
