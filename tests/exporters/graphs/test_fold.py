import logging
from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest
import torch
from exporting import assert_close, blended, expected, photo, run, traced
from networks import Weights, conv, pair
from torch import Tensor, nn

from dni_exporters import export
from dni_exporters.graphs.blend import attach_blend
from dni_exporters.graphs.fold import fold_batch_norm, fold_constants

IMAGE = photo(2, 3, 24, 28)


def attached(network: nn.Module, a: Weights, b: Weights, *, fold: bool = True) -> ir.Model:
    model = traced(network, (2, 3, 16, 20)).model
    attach_blend(model, [a, b])
    if fold:
        fold_batch_norm(model)
    return model


def count(model: ir.Model, op_type: str) -> int:
    return Counter(node.op_type for node in model.graph)[op_type]


@pytest.mark.parametrize(
    ("name", "lowered"),
    [
        ("batch_norm", 0),
        ("batch_norm_not_affine", 0),
        ("grouped_batch_norm", 0),
        ("used_twice", 0),
        ("transposed_batch_norm", 1),  # grouped: its weights' axes do not tell output channels apart
        ("batch_norm_not_after_conv", 2),
    ],
)
def test_norms_alone_after_a_convolution_are_folded_and_others_become_a_product_and_a_sum(
    tmp_path: Path, name: str, lowered: int
):
    network, a, b = pair(name)
    model = attached(network, a, b)
    assert count(model, "BatchNormalization") == 0
    assert sum(node.op_type == "Mul" and node.outputs[0].name.endswith("@scaled") for node in model.graph) == lowered
    ir.save(model, tmp_path / "model.onnx")
    onnx.checker.check_model(tmp_path / "model.onnx", full_check=True)
    for alpha in (0.0, 0.4, 1.0):
        assert_close(run(tmp_path / "model.onnx", IMAGE, alpha), expected(network, blended(a, b, alpha), IMAGE))


def test_folding_each_endpoint_before_the_blend_is_wrong():
    """Why the folding happens in the graph: what fold_batch_norm avoids is far outside the bound."""
    network, a, b = pair("batch_norm")
    plain = nn.Sequential(conv(3, 8), nn.Identity(), nn.ReLU(), conv(8, 8), nn.Identity(), nn.PReLU(8), conv(8, 3))

    def folded(weights: Weights) -> Weights:
        network.load_state_dict(weights)
        fused = [
            torch.nn.utils.fuse_conv_bn_eval(network[i], network[i + 1])  # type: ignore[arg-type]
            for i in (0, 3)
        ]
        parts = {"0": fused[0], "3": fused[1], "5": network[5], "6": network[6]}
        return {f"{i}.{k}": t.detach().clone() for i, part in parts.items() for k, t in part.state_dict().items()}

    wrong = expected(plain, blended(folded(a), folded(b), 0.5), IMAGE)
    right = expected(network, blended(a, b, 0.5), IMAGE)
    assert np.abs(wrong - right).max() > 100 * 1e-5
    assert_close(expected(plain, folded(a), IMAGE), expected(network, a, IMAGE))


class OutputIsBeforeNorm(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body, self.norm = conv(3, 3), nn.BatchNorm2d(3)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        y = self.body(x)
        return y, self.norm(y)


def test_a_convolution_that_is_an_output_itself_is_left_alone():
    network = OutputIsBeforeNorm().eval()
    program = torch.onnx.export(network, (torch.rand(1, 3, 8, 8),), dynamo=True, optimize=False, verbose=False)
    fold_batch_norm(program.model)
    body, normed = program.model.graph.outputs
    assert (body.producer().op_type, normed.producer().op_type) == ("Conv", "Add")


def test_a_norm_that_is_the_output_is_folded(tmp_path: Path):
    network = nn.Sequential(conv(3, 8), nn.BatchNorm2d(8)).eval()
    a = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    b = {k: t + 0.1 if t.is_floating_point() else t for k, t in a.items()}
    model = attached(network, a, b)
    assert count(model, "BatchNormalization") == 0
    assert model.graph.outputs[0].name == "output"
    ir.save(model, tmp_path / "model.onnx")
    assert_close(run(tmp_path / "model.onnx", IMAGE, 0.4), expected(network, blended(a, b, 0.4), IMAGE))


@pytest.mark.parametrize("epsilon", [1e-5, 1e-3, 0.1])
def test_epsilon_is_the_norms_own(tmp_path: Path, epsilon: float):
    network, a, b = pair("batch_norm")
    network[1].eps = network[4].eps = epsilon
    ir.save(attached(network, a, b), tmp_path / "model.onnx")
    assert_close(run(tmp_path / "model.onnx", IMAGE, 0.4), expected(network, blended(a, b, 0.4), IMAGE))


def test_constants_of_any_size_are_computed_and_nothing_unused_is_left():
    network, a, b = pair("batch_norm")
    model = attached(network, a, b)
    alpha = model.graph.inputs.pop(1)
    alpha.const_value = ir.tensor([0.3], dtype=ir.DataType.FLOAT, name="alpha")
    model.graph.register_initializer(alpha)
    fold_constants(model)
    assert [node.op_type for node in model.graph] == ["Conv", "Relu", "Conv", "PRelu", "Conv"]
    used = {value.name for node in model.graph for value in node.inputs if value is not None}
    assert set(model.graph.initializers) <= used


class NormedWeights(nn.Module):
    """A LayerNorm of a weight, which is constant in a baked file."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.tokens, self.norm = conv(3, 4), nn.Parameter(torch.randn(5, 4)), nn.LayerNorm(4)

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x) + self.norm(self.tokens).mean(0)[:, None, None]


def test_folding_is_silent(caplog: pytest.LogCaptureFixture, tmp_path: Path):
    network = NormedWeights().eval()
    a = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    b = {name: tensor + 0.1 for name, tensor in a.items()}
    export([a, b], tmp_path / "model.onnx", alphas=[0.25], arch=network, verdict=False)
    assert_close(run(tmp_path / "model.onnx", IMAGE), expected(network, blended(a, b, 0.25), IMAGE))
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []
