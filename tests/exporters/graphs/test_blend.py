import math

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime
import pytest
import torch
from exporting import initializers, small_network, traced
from hypothesis import given
from hypothesis import strategies as st
from networks import Weights, pair
from torch import Tensor, nn

from dni_exporters import blend_tensors
from dni_exporters.graphs.blend import attach_blend
from dni_exporters.graphs.formula import Formula
from dni_exporters.graphs.shares import _span
from dni_runtime import EndpointError
from dni_runtime.alpha import Knob
from dni_runtime.shares import Path, shares_of

# Elementwise arithmetic on each tensor; what DESIGN.md forbids (MatMul, Split, If, Loop) is not among it.
BLEND_OPERATORS = {"Mul", "Add", "Sub", "Gather", "ReduceSum", "Squeeze", "Cast"}


def weights(seed: int, dtype: torch.dtype = torch.float32) -> Weights:
    generator = torch.Generator().manual_seed(seed)
    tensors = {"w": torch.randn(4, 3, generator=generator), "scalar": torch.randn((), generator=generator)}
    return {name: tensor.to(dtype) for name, tensor in tensors.items()} | {"counter": torch.tensor(seed)}


@pytest.mark.parametrize("alpha", [-0.5, 0.0, 0.3, 1.0, 1.5])
def test_the_formula(alpha: float):
    a, b = weights(1), weights(2)
    theta = blend_tensors([a, b], [alpha, 1 - alpha])
    for name in ("w", "scalar"):
        assert torch.allclose(theta[name], alpha * a[name] + (1 - alpha) * b[name], atol=1e-6)


def test_the_ends_are_exact():
    a, b = weights(1), weights(2)
    assert torch.equal(blend_tensors([a, b], [1.0, 0.0])["w"], a["w"])
    assert torch.equal(blend_tensors([a, b], [0.0, 1.0])["w"], b["w"])


def test_three_endpoints_share_one():
    a, b, c = weights(1), weights(2), weights(3)
    theta = blend_tensors([a, b, c], [0.2, 0.5, 0.3])
    assert torch.allclose(theta["w"], 0.2 * a["w"] + 0.5 * b["w"] + 0.3 * c["w"], atol=1e-6)


def test_integers_are_not_blended():
    assert blend_tensors([weights(3), weights(3)], [0.3, 0.7])["counter"] == 3


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_tensors_keep_their_dtype_and_are_blended_in_a_wide_one(dtype: torch.dtype):
    a, b = weights(1, dtype), weights(2, dtype)
    theta = blend_tensors([a, b], [0.3, 0.7])["w"]
    exact = 0.3 * a["w"].double() + 0.7 * b["w"].double()
    assert theta.dtype == dtype
    assert torch.equal(theta, exact.to(dtype)) or torch.allclose(theta.double(), exact, atol=1e-12)


def test_endpoints_are_left_as_they_were():
    a, b = weights(1), weights(2)
    theta = blend_tensors([a, b], [1.0, 0.0])
    for tensor in theta.values():
        tensor.zero_()
    assert all(torch.equal(tensor, weights(1)[name]) for name, tensor in a.items())


def attached(network: nn.Module, *endpoints: Weights, path: Path | None = None) -> onnx.ModelProto:
    model = traced(network, (2, 3, 16, 20)).model
    attach_blend(model, endpoints, formula=Formula(path))
    proto = ir.to_proto(model)
    onnx.checker.check_model(proto, full_check=True)
    return proto


def variants(network: nn.Module, count: int) -> list[Weights]:
    first = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    return [{name: tensor + 0.1 * i for name, tensor in first.items()} for i in range(count)]


def outputs_of(model: onnx.ModelProto, names: list[str], alpha: list[float]) -> dict[str, np.ndarray]:
    del model.graph.output[:]
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    feed = {"input": np.zeros((1, 3, 8, 8), np.float32), "alpha": np.array(alpha, np.float32)}
    return dict(zip(names, session.run(names, feed), strict=True))


@pytest.mark.parametrize("count", [2, 3, 4])
def test_the_graph_computes_the_formula(count: int):
    network = small_network()
    endpoints = variants(network, count)
    alpha = [0.2, 0.4, 0.3][: count - 1]
    computed = outputs_of(attached(network, *endpoints), list(endpoints[0]), alpha)
    for name, wanted in blend_tensors(endpoints, shares_of(tuple(alpha), None)).items():
        np.testing.assert_allclose(computed[name], wanted.numpy(), atol=1e-6)


@pytest.mark.parametrize("which", [0, 1, 2])
def test_the_graph_is_exact_at_every_endpoint(which: int):
    network = small_network()
    endpoints = variants(network, 3)
    alpha = [float(which == 0), float(which == 1)]
    computed = outputs_of(attached(network, *endpoints), list(endpoints[0]), alpha)
    for name, wanted in endpoints[which].items():
        np.testing.assert_array_equal(computed[name], wanted.numpy())


PATHS = [
    Path((1.0, 0.0), (1,)),
    Path((1.0, 0.0), (2,)),
    Path((0.0, 0.3, 1.0), (0, 1)),
    Path((75.0, 15.0, 1.1, -0.7), (2, 0, 1)),
]
PATH_OPERATORS = BLEND_OPERATORS | {"Div", "Clip"}


@pytest.mark.parametrize("path", PATHS, ids=str)
def test_along_a_path_the_graph_computes_its_shares_and_is_exact_at_the_knots(path: Path):
    network = small_network()
    endpoints = variants(network, path.count)
    model = attached(network, *endpoints, path=path)
    assert [d.dim_value for d in model.graph.input[1].type.tensor_type.shape.dim] == [1]
    assert {node.op_type for node in model.graph.node} - {"Conv", "Relu"} <= PATH_OPERATORS
    for number, knot in zip(path.knot_numbers, path.knots, strict=True):
        here = np.float32(knot)
        computed = outputs_of(model, list(endpoints[0]), [float(here)])
        for name, wanted in endpoints[number].items():
            np.testing.assert_array_equal(computed[name], wanted.numpy())
        for beside in (np.nextafter(here, np.float32(100)), np.nextafter(here, np.float32(-100))):
            computed = outputs_of(model, list(endpoints[0]), [float(beside)])
            for name, wanted in endpoints[number].items():
                np.testing.assert_allclose(computed[name], wanted.numpy(), atol=1e-6)
    for alpha in np.linspace(*path.range, 14):
        computed = outputs_of(model, list(endpoints[0]), [alpha])
        for name, wanted in blend_tensors(endpoints, path.shares(alpha)).items():
            np.testing.assert_allclose(computed[name], wanted.numpy(), atol=1e-6)


@given(st.floats(2**-9, 2e6, width=32), st.sampled_from([1, -1]))
def test_a_piece_is_whole_at_its_end_for_who_divides_and_for_who_multiplies_with_the_inverse(length, sign):
    length = np.float32(sign * length)
    span = _span(length, np.float32(0))
    assert length / span >= 1
    assert length * (np.float32(1) / span) >= 1
    assert span == pytest.approx(length, rel=3e-7)


@pytest.mark.parametrize("count", [2, 3])
def test_alpha_has_a_number_for_all_endpoints_but_the_last(count: int):
    network = small_network()
    model = attached(network, *variants(network, count))
    image, alpha = model.graph.input
    assert (image.name, alpha.name) == ("input", "alpha")
    assert alpha.type.tensor_type.elem_type == onnx.TensorProto.FLOAT
    assert [d.dim_value for d in alpha.type.tensor_type.shape.dim] == [count - 1]


def test_only_elementwise_operators_blend():
    network = small_network()
    for count in (2, 3):
        model = attached(network, *variants(network, count))
        assert {node.op_type for node in model.graph.node} - {"Conv", "Relu"} <= BLEND_OPERATORS


def test_equal_tensors_are_stored_once_and_not_blended():
    network = small_network()
    a, b = variants(network, 2)
    b["2.weight"] = a["2.weight"].clone()
    model = attached(network, a, b)
    stored = initializers(model)
    assert "2.weight" in stored
    assert not {"2.weight@A", "2.weight@B"} & stored.keys()
    assert {"0.weight@A", "0.weight@B"} <= stored.keys()
    weight_count = sum(math.prod(tensor.shape) for name, tensor in stored.items() if "." in name)
    assert weight_count == 2 * sum(t.numel() for t in a.values()) - a["2.weight"].numel()


def test_a_third_endpoint_that_differs_needs_all_three():
    network = small_network()
    a, _, c = variants(network, 3)
    stored = initializers(attached(network, a, a, c))
    assert {"0.bias@A", "0.bias@B", "0.bias@C"} <= stored.keys()


def test_what_the_network_does_not_use_is_not_stored():
    network, a, b = pair("unused_parameter")
    assert not any(name.startswith("forgotten") for name in initializers(attached(network, a, b)))


def test_a_scalar_stays_a_scalar():
    network, a, b = pair("scalar")
    computed = outputs_of(attached(network, a, b), ["strength"], [0.25])
    assert computed["strength"].shape == ()
    assert computed["strength"] == pytest.approx(0.25 * float(a["strength"]) + 0.75 * float(b["strength"]))


def test_a_knob_for_what_the_network_does_not_use_is_refused():
    class Idle(nn.Sequential):
        def __init__(self) -> None:
            super().__init__(nn.Conv2d(3, 3, 1))
            self.idle = nn.Parameter(torch.ones(2))

        def forward(self, x: Tensor) -> Tensor:
            return self[0](x)

    network = Idle()
    endpoints = variants(network, 2)
    formula = Formula.of(None, (Knob("rest", ("idle",)),), endpoints)
    with pytest.raises(EndpointError, match="--knob rest is for parameters alone that the network does not use"):
        attach_blend(traced(network, (2, 3, 16, 20)).model, endpoints, formula=formula)
