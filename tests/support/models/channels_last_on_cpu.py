"""Channels-last convolutions on a CPU, which has none of floats: each is made a plain one between Transposes."""

import onnx


def emulated(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy of `model` that computes the same without com.microsoft's NhwcConv."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    del copy.graph.node[:]
    for node in model.graph.node:
        if node.op_type == "NhwcConv":
            assert node.domain == "com.microsoft"
            image, weight, *bias = node.input
            result = node.output[0]
            for name in (image, weight):
                copy.graph.node.append(_transpose(name, f"{result}/plain/{name}", [0, 3, 1, 2]))
            conv = copy.graph.node.add(op_type="Conv", input=[f"{result}/plain/{n}" for n in (image, weight)] + bias)
            conv.output.append(f"{result}/plain")
            conv.attribute.extend(node.attribute)
            copy.graph.node.append(_transpose(f"{result}/plain", result, [0, 2, 3, 1]))
        else:
            copy.graph.node.append(node)
    return copy


def _transpose(source: str, target: str, perm: list[int]) -> onnx.NodeProto:
    return onnx.helper.make_node("Transpose", [source], [target], perm=perm)
