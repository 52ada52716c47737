"""Nearest-neighbour resizing: a row that is its neighbour is no rounding in a picture."""

from collections.abc import Callable

import numpy as np
import onnx_ir as ir
import onnxruntime
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from dni_exporters.tracing.skeleton import trace


class Resizing(nn.Module):
    def __init__(self, resize: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.resize = resize

    def forward(self, x: Tensor) -> Tensor:
        return self.resize(x)


def to_a_size(mode: str) -> Callable[[Tensor], Tensor]:
    """A U-Net's way back to a size that strided layers do not divide."""
    return lambda x: functional.interpolate(x[:, :, ::2, 2::3], size=x.shape[2:], mode=mode)


RESIZES = {
    "to a size": to_a_size("nearest"),
    "to a size, exact": to_a_size("nearest-exact"),
    "smaller": lambda x: functional.interpolate(x, scale_factor=0.3),
    "smaller, exact": lambda x: functional.interpolate(x, scale_factor=0.3, mode="nearest-exact"),
    "two factors": lambda x: functional.interpolate(x, scale_factor=(1.5, 0.3), mode="nearest"),
    "a layer": nn.Upsample(scale_factor=1.7),
    "whole": nn.Upsample(scale_factor=2),
}


@pytest.mark.parametrize("name", RESIZES)
def test_every_pixel_is_the_one_that_pytorch_takes(name: str):
    network = Resizing(RESIZES[name])
    model = ir.to_proto(trace(network, (2, 3, 16, 17)).model)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    for side in (4, 7, 13, 38, *range(60, 140, 7)):
        image = np.random.default_rng(side).random((1, 3, side, side + 9), np.float32)
        wanted = network(torch.from_numpy(image)).numpy()
        assert np.array_equal(session.run(None, {"input": image})[0], wanted), side
    assert ("Gather" in {node.op_type for node in model.graph.node}) == (name != "whole")  # a Resize is faster
