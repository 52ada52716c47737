"""Rewrite a body's convolutions to channels-last, which GPUs compute faster.

On an H100 two float16 networks of convolutions ran 1.35 to 1.55 times as fast. ONNX Runtime's own way (`prefer_nhwc`)
wants weights that are constant while it loads a graph; com.microsoft's NhwcConv reads them where they lie.

Between convolutions everything stays channels-last that can. Which nodes do is a question of the fewest bytes to
transpose, a minimum cut, so no network is worse off for the order of its nodes.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from onnx import helper
from onnx.numpy_helper import from_array

from dni_runtime.weights.split import subgraph

from .cut import choose
from .forms import FLOATS, Form, forms_of
from .graph import TO_LAST, TO_PLAIN, Array, Graph, attribute, to_last

_DOMAIN = "com.microsoft"
_PREFIX = "dni@nhwc/"
_AS_IT_WAS = Form(data=(), keeps=False)


def channels_last(body: onnx.ModelProto) -> tuple[onnx.ModelProto, frozenset[str]]:
    """The model that computes `body` with channels-last convolutions, and the names of the weights that it wants so.

    body:  the first graph input is the image, [N, C, H, W], the others are weights with fixed shapes.

    Image and output stay [N, C, H, W]. A weight that is named has a shape of four axes in the new model, and is to
    be given as `to_last(values)`. Where there is nothing to convolve so, the model is `body` itself.
    """
    graph = Graph(body)
    forms = forms_of(graph)
    if not any(form.convolves for form in forms.values()):
        return body, frozenset()
    rewriter = _Rewriter(graph, forms)
    rewriter.run()
    return rewriter.model(), frozenset(rewriter.moved)


def channels_last_share(body: onnx.ModelProto) -> float:
    """The share of the weights' elements, 0 to 1, that belongs to convolutions which `channels_last` rewrites."""
    graph = Graph(body)
    floats = [name for name in (*graph.weights, *graph.constants) if graph.kinds[name] in FLOATS]
    sizes = {name: math.prod(size or 0 for size in graph.dims[name]) for name in floats}
    convolutions = (index for index, form in forms_of(graph).items() if form.convolves)
    convolved = {name for index in convolutions for name in body.graph.node[index].input[1:]}
    total = sum(sizes.values())
    return sum(size for name, size in sizes.items() if name in convolved) / total if total else 0.0


class _Rewriter:
    """Writes a graph's nodes anew. Each value has up to two versions there: plain, as it was, and channels-last.

    moved:  weights that the new graph takes channels-last.
    """

    def __init__(self, graph: Graph, forms: Mapping[int, Form]) -> None:
        self.moved: set[str] = set()
        self._graph = graph
        self._forms = forms
        self._plain: dict[str, str] = {}
        self._last: dict[str, str] = {}
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []

    def run(self) -> None:
        nodes = self._graph.body.graph.node
        for index, form in self._forms.items():
            if form.convolves:
                self.last(nodes[index].input[1])  # before anything else wants it plain
        chosen = choose(self._graph, self._forms)
        for index, node in enumerate(nodes):
            if perm := self._graph.swap(node):
                # What it makes is the other version of its input.
                if perm == TO_LAST:
                    self._plain[node.output[0]] = self.last(node.input[0])
                else:
                    self._last[node.output[0]] = self.plain(node.input[0])
            elif index not in chosen:
                self._write_node(node, _AS_IT_WAS)
            elif node.op_type == "Shape":
                self._write_shape(node)
            else:
                self._write_node(node, self._forms[index])
        for name in self._graph.outputs:
            if (made := self.plain(name)) != name:
                self._write("Identity", [made], name)

    def model(self) -> onnx.ModelProto:
        body = onnx.ModelProto()
        body.CopyFrom(self._graph.body)
        body.graph.initializer.extend(self._constants)
        if all(opset.domain != _DOMAIN for opset in body.opset_import):
            body.opset_import.append(helper.make_opsetid(_DOMAIN, 1))
        return subgraph(body, self._nodes, map(self._input, body.graph.input), body.graph.output)

    def _input(self, value: onnx.ValueInfoProto) -> onnx.ValueInfoProto:
        if value.name not in self.moved:
            return value
        dims = self._graph.padded(value.name)
        kind = value.type.tensor_type.elem_type
        return helper.make_tensor_value_info(value.name, kind, [dims[axis] for axis in TO_LAST])

    def plain(self, name: str) -> str:
        """The name of the plain version of a value, which is made if need be."""
        if name not in self._last:
            self._plain.setdefault(name, name)
        if name in self._plain:
            return self._plain[name]
        to = f"{_PREFIX}plain/{name}" if name in self._graph.weights else name
        dims = self._graph.dims[name]
        if len(dims) == 4:
            self._plain[name] = self._write("Transpose", [self._last[name]], to, perm=TO_PLAIN)
        else:
            four = self._write("Transpose", [self._last[name]], f"{to}/4", perm=TO_PLAIN)
            self._plain[name] = self._write("Reshape", [four, self._constant(np.array(dims, np.int64))], to)
        return to

    def last(self, name: str, *, spreads: bool = False) -> str:
        """The name of the channels-last version of a value; `spreads`: or of one that is broadcast to the same."""
        graph = self._graph
        if name in self._last:
            return self._last[name]
        if graph.same_both_ways(name) and (spreads or graph.rank(name) == 4):
            return self.plain(name)
        n, c, h, w = graph.padded(name)
        root = graph.root(name)
        if spreads and (n, h, w) == (1, 1, 1) and graph.dims.get(root) == (c,):
            return self.plain(root)  # a number for each channel already is as long as the last axis
        if name in graph.constants:
            self._plain[name], self._last[name] = name, self._constant(to_last(graph.constants[name]))
        elif name in graph.weights and name not in self._plain:
            self._last[name] = name
            self.moved.add(name)
        else:
            self._last[name] = self._transpose(name)
        return self._last[name]

    def _transpose(self, name: str) -> str:
        value, to = self.plain(name), _PREFIX + name
        if missing := 4 - self._graph.rank(name):
            value = self._write("Unsqueeze", [value, self._constant(np.arange(missing))], f"{to}/4")
        return self._write("Transpose", [value], to, perm=TO_LAST)

    def _write_node(self, node: onnx.NodeProto, form: Form) -> None:
        inputs = []
        for index, name in enumerate(node.input):
            if index in form.data:
                inputs.append(self.last(name, spreads=form.spreads))
            elif index in form.constants:
                inputs.append(self._constant(form.constants[index]))
            else:
                inputs.append(self.plain(name) if name else "")
        outputs = list(node.output)
        if form.keeps:
            outputs = [_PREFIX + name if name else "" for name in node.output]
            self._last.update(zip(node.output, outputs, strict=True))
        kind, domain = ("NhwcConv", _DOMAIN) if form.convolves else (node.op_type, node.domain)
        new = helper.make_node(kind, inputs, outputs, node.name, domain=domain, **form.attributes)
        new.attribute.extend(old for old in node.attribute if old.name not in form.attributes)
        self._nodes.append(new)

    def _write_shape(self, node: onnx.NodeProto) -> None:
        """The plain shape of a channels-last value: its own, in another order."""
        shape = self._write("Shape", [self.last(node.input[0])], _PREFIX + node.output[0])
        axes = np.array(TO_PLAIN[attribute(node, "start", 0) : attribute(node, "end", 4)], np.int64)
        self._write("Gather", [shape, self._constant(axes)], node.output[0])

    def _constant(self, values: Array) -> str:
        name = f"{_PREFIX}constant/{len(self._constants)}"
        self._constants.append(from_array(values, name))
        return name

    def _write(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        self._nodes.append(helper.make_node(kind, inputs, [output], _PREFIX + output, **attributes))
        return output
