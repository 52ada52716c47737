"""One graph that either runs the network or blends its weights, so that both have the threads of one session.

A session of its own would bring threads of its own, which wait for work by spinning beside the network's: blending on
two of them was measured to be slower than on one. In one session a new alpha took, beside a held one, 1.78 times as
long instead of 2.54 with FBCNN at 42 x 42 (29 million weights, 7 ms), and 1.015 instead of 1.054 with Real-CUGAN.
"""

import onnx
from onnx import helper

from dni_runtime.weights.head import product_node
from dni_runtime.weights.names import BLENDS, ENDPOINTS, SHARES
from dni_runtime.weights.split import CannotPrepareError

from .flat_weights import BLENDING, RESULT

_FLOAT = onnx.TensorProto.FLOAT


def with_product(body: onnx.ModelProto) -> onnx.ModelProto:
    """Image, weights, BLENDING, SHARES [1, rows], ENDPOINTS [rows, columns] -> RESULT.

    RESULT is the output of `body`; where BLENDING is true it is the product of SHARES and ENDPOINTS, [1, columns], and
    nothing else is looked at. Raises CannotPrepareError where `body` makes anything but float32, as both have one type.
    """
    (output,) = body.graph.output
    if (kind := output.type.tensor_type.elem_type) != _FLOAT:
        raise CannotPrepareError(
            f"the result is of type {onnx.TensorProto.DataType.Name(kind).lower()}, float32 is expected"
        )
    network = onnx.GraphProto()
    network.CopyFrom(body.graph)
    del network.input[:]
    product = helper.make_graph([product_node()], "product", [], [helper.make_tensor_value_info(BLENDS, _FLOAT, None)])
    both = onnx.ModelProto(ir_version=body.ir_version)
    both.opset_import.extend(body.opset_import)
    both.graph.name = "both"
    both.graph.node.append(helper.make_node("If", [BLENDING], [RESULT], then_branch=product, else_branch=network))
    both.graph.input.extend(body.graph.input)
    both.graph.input.append(helper.make_tensor_value_info(BLENDING, onnx.TensorProto.BOOL, [1]))
    both.graph.input.append(helper.make_tensor_value_info(SHARES, _FLOAT, [1, None]))
    both.graph.input.append(helper.make_tensor_value_info(ENDPOINTS, _FLOAT, [None, None]))
    both.graph.output.append(helper.make_tensor_value_info(RESULT, _FLOAT, None))
    return both
