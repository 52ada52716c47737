"""Models whose inputs, output or weights are of a type, rank or size that nobody expects."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import networks
import onnx
from case import Case, Place
from model_weights import save
from onnx import TensorProto, helper

_SIZES = (0, -1, 1, 2**31, 2**40, 2**62, 2**63 - 1)


def cases() -> Iterator[Case]:
    for kind in (*range(24), 99, 2**31 - 1):
        for where in ("image", "alpha", "weight"):
            yield Case("model", "types", f"{where} of type {kind}", partial(_type, where=where, kind=kind))
    for what in ("sequence", "optional", "map", "sparse", "nothing"):
        for where in (0, -1):
            yield Case(
                "model",
                "types",
                f"{what} as {'output' if where else 'input'}",
                partial(_container, what=what, where=where),
            )
    for where in ("image", "alpha", "weight", "output"):
        for axis in range(4):
            for size in _SIZES:
                yield Case(
                    "model", "sizes", f"{where}, axis {axis}: {size}", partial(_size, where=where, axis=axis, size=size)
                )
        for rank in (0, 1, 2, 3, 5, 6, 1000):
            yield Case("model", "sizes", f"{where} of rank {rank}", partial(_rank, where=where, rank=rank))


def _type(place: Place, where: str, kind: int) -> Path:
    model = networks.alpha_input()
    if where == "weight":
        model.graph.initializer[1].data_type = kind
    else:
        model.graph.input[0 if where == "image" else 1].type.tensor_type.elem_type = kind
    return save(model, place)


def _container(place: Place, what: str, where: int) -> Path:
    model = networks.alpha_input()
    value = (model.graph.output if where else model.graph.input)[0]
    name, inner = value.name, helper.make_tensor_type_proto(1, [1])
    value.CopyFrom(onnx.ValueInfoProto(name=name))
    if what == "sparse":
        value.type.CopyFrom(helper.make_sparse_tensor_type_proto(1, [1, 3, 8, 8]))
    elif what == "map":
        value.type.CopyFrom(helper.make_map_type_proto(TensorProto.INT64, inner))
    elif what != "nothing":
        make = helper.make_sequence_type_proto if what == "sequence" else helper.make_optional_type_proto
        value.type.CopyFrom(make(inner))
    return save(model, place)


def _size(place: Place, where: str, axis: int, size: int) -> Path:
    model = networks.alpha_input()
    if where == "weight":
        model.graph.initializer[1].dims[axis] = size
    else:
        dims = _value(model, where).type.tensor_type.shape.dim
        if axis < len(dims):
            dims[axis].dim_value = size
    return save(model, place)


def _rank(place: Place, where: str, rank: int) -> Path:
    model = networks.alpha_input()
    if where == "weight":
        del model.graph.initializer[1].dims[:]
        model.graph.initializer[1].dims.extend([1] * rank)
    else:
        shape = _value(model, where).type.tensor_type.shape
        shape.ClearField("dim")
        for number in range(rank):
            shape.dim.add(dim_param=f"D{number}")
    return save(model, place)


def _value(model: onnx.ModelProto, where: str) -> onnx.ValueInfoProto:
    return {"image": model.graph.input[0], "alpha": model.graph.input[1], "output": model.graph.output[0]}[where]
