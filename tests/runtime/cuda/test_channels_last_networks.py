"""Networks channels-last: every convolution moves, and little is transposed for it."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from channels_last_graphs import IMAGES, assert_same, count, session
from exporting import nasty_model
from onnx import helper

from dni_exporters import export
from dni_runtime.cuda.channels_last.rewrite import channels_last_share
from dni_runtime.weights.split import split, subgraph


def halves(path: Path) -> tuple[onnx.ModelProto, onnx.ModelProto]:
    """Head and body of an alpha-input model, with weights between them."""
    parts = split(onnx.load(path))
    graph, shapes = parts.model.graph, parts.shapes()
    kinds = {value.name: value.type.tensor_type.elem_type for value in graph.value_info}
    weights = [helper.make_tensor_value_info(name, kinds[name], shapes[name]) for name in parts.weights]
    alpha = [value for value in graph.input if value.name == "alpha"]
    image = [value for value in graph.input if value.name != "alpha"]
    head = subgraph(parts.model, parts.head, alpha, weights)
    return head, subgraph(parts.model, parts.body, [*image, *weights], graph.output)


def assert_same_network(path: Path) -> tuple[onnx.ModelProto, onnx.ModelProto]:
    """The body of an alpha-input model, and channels-last."""
    head, body = halves(path)
    blending = session(head)
    names = [value.name for value in head.graph.output]
    alphas = [np.array([alpha], np.float32) for alpha in (0.3, 1.0)]
    weights = [dict(zip(names, blending.run(None, {"alpha": alpha}), strict=True)) for alpha in alphas]
    new, _ = assert_same(body, weights, IMAGES)
    assert not count(new)["Conv"]
    return body, new


# All that a network's body is transposed more often. Normalizations, transposed convolutions, pixel shuffles and
# bilinear sampling are plain. test_on_device.py has the answers of all networks.
MORE_TRANSPOSES = {
    "batch_norm_not_after_conv": 2,
    "bilinear": 4,
    "group_norm": 4,
    "instance_norm": 4,
    "layer_norm": 0,
    "linear": 1,
    "named_alpha": 2,
    "pixel_shuffle": 4,
    "transposed_batch_norm": 4,
    "unet": 8,
    "used_twice": 2,
}


@pytest.mark.parametrize("name", MORE_TRANSPOSES)
def test_nasty_networks(tmp_path_factory: pytest.TempPathFactory, name: str):
    body, new = assert_same_network(nasty_model(tmp_path_factory.getbasetemp(), name))
    assert count(new)["Transpose"] - count(body)["Transpose"] == MORE_TRANSPOSES[name]


def compact() -> torch.nn.Module:
    from spandrel.architectures.Compact.__arch.SRVGG import SRVGGNetCompact

    return SRVGGNetCompact(num_in_ch=3, num_out_ch=3, num_feat=8, num_conv=3, upscale=2)


def rrdbnet() -> torch.nn.Module:
    from spandrel.architectures.ESRGAN.__arch.RRDB import RRDBNet

    return RRDBNet(in_nc=3, out_nc=3, num_filters=4, num_blocks=1, scale=2)


@pytest.mark.parametrize("build", [compact, rrdbnet])
def test_super_resolution_is_transposed_twice(tmp_path: Path, build: Callable[[], torch.nn.Module]):
    torch.manual_seed(0)
    network = build().eval()
    a = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    b = {name: tensor + 0.02 * torch.randn(tensor.shape) for name, tensor in a.items()}
    export([a, b], tmp_path / "model.onnx", alpha_input=True, arch=network, verify=False, verdict=False)
    body, new = assert_same_network(tmp_path / "model.onnx")
    changed = count(body) - count(new)
    assert count(new) - count(body) == {"Transpose": 2, "NhwcConv": changed.pop("Conv")}
    assert set(changed) <= {"Reshape"}  # PReLU's slopes need none
    assert channels_last_share(body) > 0.98
