"""Models whose graphs are nasty: exponential to walk, deep, endless, of odd types and sizes, or no models at all."""

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import networks
import numpy as np
import onnx
from case import Case, Place
from from_packages import write
from model_weights import save
from onnx import TensorProto, helper, numpy_helper

# ONNX Runtime itself takes 18 s of processor time to open one of 5,000, and four times as much for twice the length.
_CHAINS = (500, 1000, 2000)
_GARBAGE = {
    "empty": b"", "a zero": b"\0", "text": b"hello", "a web page": b"<!DOCTYPE html><html></html>",
    "a Git LFS pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n",
    "noise": bytes(range(256)) * 40,
    "a pickle": b"\x80\x02cos\nsystem\nX\4\0\0\0true\x85R.", "a zip": b"PK\3\4" + bytes(60),
    "ORT's magic": b"\x18\0\0\0ORTM" + bytes(64),
    "ORT's magic and noise": b"\x18\0\0\0ORTM" + bytes(range(256)) * 8, "a length of 2 GB": b"\x3a\xff\xff\xff\xff\x07",
    "100,000 groups": b"\x3b" * 100_000, "deep messages": b"\x3a\x7f" * 5000,
}  # fmt: skip


def cases() -> Iterator[Case]:
    for operator in ("Add", "Mul", "Sub", "Concat"):
        for length in (12, 18, 24, 40, 80, 400):
            yield Case(
                "model",
                "graphs",
                f"{length} {operator} of itself",
                partial(_doubling, operator=operator, length=length),
            )
    for length in _CHAINS:
        yield Case("model", "graphs", f"a chain of {length}", partial(_chain, length=length))
    for depth in (5, 50, 90, 120, 500):
        yield Case("model", "graphs", f"branches {depth} deep", partial(_branches, depth=depth))
    for what in ("circle", "twice the same output", "no nodes", "no inputs", "no outputs", "input is output",
                 "missing input", "two graphs of weights", "function calls itself", "huge constant",
                 "huge Expand", "huge Pad", "division by zero", "10,000 outputs", "10,000 inputs"):  # fmt: skip
        yield Case("model", "graphs", what, partial(_odd, what=what))
    for name, data in _GARBAGE.items():
        for suffix in (".onnx", ".ort"):
            yield Case("model", "garbage", f"{name}, {suffix}", partial(write, data=data, name=f"stranger{suffix}"))
    for percent in range(5, 100, 10):
        yield Case("model", "garbage", f"cut after {percent} %", partial(_cut, percent=percent))
    for what in ("pipe", "/dev/zero", "itself", "nothing", "folder"):
        yield Case("model", "no files", what, partial(_no_file, what=what))


def _doubling(place: Place, operator: str, length: int) -> Path:
    """The weight of the first convolution is x(n) = x(n-1) + x(n-1): whoever walks every path never ends."""
    model = networks.alpha_input()
    last, nodes = "first.bias@A", []
    for number in range(length):
        options = {"axis": 0} if operator == "Concat" else {}
        nodes.append(helper.make_node(operator, [last, last], [f"d{number}"], **options))
        last = f"d{number}"
    for node in model.graph.node:
        node.input[:] = [last if name == "first.bias@A" else name for name in node.input]
    graph = [*nodes, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(graph)
    return save(model, place)


def _chain(place: Place, length: int) -> Path:
    model = networks.alpha_input()
    model.graph.node[-1].output[0] = "c0"
    for number in range(length):
        output = "output" if number == length - 1 else f"c{number + 1}"
        model.graph.node.append(helper.make_node("Relu", [f"c{number}"], [output]))
    return save(model, place)


def _branches(place: Place, depth: int) -> Path:
    """Written byte by byte: protobuf itself would not copy what is so deep."""
    inner = helper.make_graph([helper.make_node("Identity", ["y"], ["deep"])], "g", [],
                              [helper.make_tensor_value_info("deep", 1, None)]).SerializeToString()  # fmt: skip
    node = b""
    for level in range(depth):
        output = helper.make_tensor_value_info(f"o{level}", 1, None).SerializeToString()
        branches = [_field(1, name) + b"\xa0\1\5" + _field(6, inner) for name in (b"then_branch", b"else_branch")]
        node = _field(1, b"yes") + _field(2, f"o{level}".encode()) + _field(4, b"If") + _field(5, branches[0])
        node += _field(5, branches[1]) if level < 2 else b""  # both of them would double it at each level
        inner = _field(1, node) + _field(2, b"g") + _field(12, output)
    model = networks.alpha_input()
    model.graph.initializer.append(helper.make_tensor("yes", TensorProto.BOOL, [], [True]))
    # A second graph field is merged into the first.
    return write(place, model.SerializeToString() + _field(7, _field(1, node)), "stranger.onnx")


def _field(number: int, data: bytes) -> bytes:
    """A field of a protobuf message that holds bytes, a text or a message."""
    length, size = len(data), b""
    while length > 127:
        size, length = size + bytes([length & 127 | 128]), length >> 7
    return bytes([number << 3 | 2]) + size + bytes([length]) + data


def _odd(place: Place, what: str) -> Path:
    model = networks.alpha_input()
    graph = model.graph
    if what == "circle":
        graph.node[-2].input[0] = "output"
    elif what == "twice the same output":
        graph.node.append(graph.node[-1])
    elif what == "no nodes":
        del graph.node[:]
    elif what == "no inputs":
        del graph.input[:]
    elif what == "no outputs":
        del graph.output[:]
    elif what == "input is output":
        graph.output[0].name = "input"
    elif what == "missing input":
        graph.node[-1].input[0] = "nobody"
    elif what == "two graphs of weights":
        graph.initializer.append(graph.initializer[1])
    elif what == "function calls itself":
        function = model.functions.add(name="f", domain="x", input=["i"], output=["o"])
        function.node.append(helper.make_node("f", ["i"], ["o"], domain="x"))
        model.opset_import.append(helper.make_opsetid("x", 1))
        graph.node.append(helper.make_node("f", ["y"], ["z"], domain="x"))
    elif what.startswith("10,000"):
        values = [helper.make_tensor_value_info(f"v{number}", 1, [1]) for number in range(10_000)]
        (graph.output if "outputs" in what else graph.input).extend(values)
    else:
        _append(graph, what)
    return save(model, place)


def _append(graph: onnx.GraphProto, what: str) -> None:
    """Put an operator that makes far too much before the output."""
    graph.node[-1].output[0] = "small"
    shape = numpy_helper.from_array(np.array([1, 3, 1_000_000, 1_000_000]), "shape")
    pads = numpy_helper.from_array(np.array([0, 0, 1_000_000, 1_000_000] * 2), "pads")
    if what == "huge Expand":
        graph.initializer.append(shape)
        graph.node.append(helper.make_node("Expand", ["one", "shape"], ["output"]))
    elif what == "huge Pad":
        graph.initializer.append(pads)
        graph.node.append(helper.make_node("Pad", ["small", "pads"], ["output"]))
    elif what == "huge constant":
        graph.initializer.append(shape)
        graph.node.append(helper.make_node("ConstantOfShape", ["shape"], ["output"]))
    else:
        graph.initializer.append(numpy_helper.from_array(np.zeros(1, np.float32), "zero"))
        graph.node.append(helper.make_node("Div", ["small", "zero"], ["output"]))


def _cut(place: Place, percent: int) -> Path:
    data = networks.alpha_input().SerializeToString()
    return write(place, data[: len(data) * percent // 100], "cut.onnx")


def _no_file(place: Place, what: str) -> Path:
    target = place.inputs / "stranger.onnx"
    if what == "pipe":
        os.mkfifo(target)
    elif what == "folder":
        target.mkdir()
    elif what != "nothing":
        target.symlink_to("stranger.onnx" if what == "itself" else what)
    return target
