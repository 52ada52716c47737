"""Networks given as code in every command that takes checkpoints, whose tables and counters the files need not have."""

from pathlib import Path
from typing import Any

import pytest
import torch
from commands import dni
from exporting import assert_close, blended, expected, photo, run
from networks import Weights
from published import near, real_cugan
from torch import nn

from dni_exporters import blend, export, write_blend
from dni_exporters.networks.network_code import call
from dni_runtime import ArchitectureError, EndpointError

CODE = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.first, self.last = nn.Conv2d(3, features, 3, padding=1), nn.Conv2d(features, 3, 3, padding=1)
        self.register_buffer("relative_position_index", torch.arange(features))
        self.register_buffer("mean", torch.full((1, 3, 1, 1), 0.25))

    def forward(self, x):
        return self.last(torch.relu(self.first(x - self.mean))[:, self.relative_position_index]) + self.mean
"""


@pytest.fixture
def own(tmp_path: Path) -> tuple[list[Path], str, Weights, Weights]:
    """Two files of a network given as code: A has tables and counters, B neither, and a word before each name."""
    (tmp_path / "own.py").write_text(CODE)
    torch.manual_seed(0)
    first, last = nn.Conv2d(3, 6, 3), nn.Conv2d(6, 3, 3)
    a = {f"{name}.{k}": t.clone() for name, m in (("first", first), ("last", last)) for k, t in m.state_dict().items()}
    b = near(a)
    tables = {"relative_position_index": torch.arange(6), "mean": torch.full((1, 3, 1, 1), 0.25)}
    counters = {"total_ops": torch.zeros(1, dtype=torch.float64), "attn_mask": torch.zeros(4, 4)}
    paths = [tmp_path / "a.pth", tmp_path / "b.pth"]
    torch.save({**a, **tables, **counters}, paths[0])
    torch.save({f"net.{name}": tensor for name, tensor in b.items()}, paths[1])
    return paths, f"{tmp_path / 'own.py'}:Net", {**a, **tables}, {**b, **tables}


def test_a_network_as_code_is_compared_and_blended(own: Any, tmp_path: Path):
    paths, arch, a, b = own
    arguments = (*paths, "--arch", arch, "--arch-arg", "features=6")
    assert "can be blended       yes" in dni("inspect", *arguments).assert_ok().out
    dni("blend", *arguments, "--alpha", "0.3", "-o", tmp_path / "c.pth").assert_ok()
    theta = torch.load(tmp_path / "c.pth")
    wanted = blended(a, b, 0.3)
    torch.testing.assert_close({name: theta[name] for name in wanted}, wanted, rtol=1e-6, atol=1e-7)
    assert blend(paths, 0.3, arch=arch, arch_args={"features": 6}).keys() == theta.keys()
    dni("export", *arguments, "--alpha-input", "--no-verdict", "-o", tmp_path / "m.onnx").assert_ok()
    network = call(arch, {"features": 6})
    image = photo(1, 3, 12, 20)
    for alpha in (1.0, 0.3, 0.0):
        assert_close(run(tmp_path / "m.onnx", image, alpha), expected(network, blended(a, b, alpha), image))


def test_what_a_network_as_code_refuses(own: Any, tmp_path: Path):
    paths, arch, *_ = own
    with pytest.raises(ArchitectureError, match="do not fit the network Net"):
        blend(paths, 0.3, arch=arch, arch_args={"features": 7})
    with pytest.raises(ArchitectureError, match=r"failed when called with no arguments.*--arch-arg KEY=VALUE"):
        write_blend(paths, tmp_path / "c.pth", 0.3, arch=arch)
    with pytest.raises(ArchitectureError, match="--arch-arg is for a network given as code"):
        blend(paths, 0.3, arch_args={"features": 6})
    other = torch.load(paths[1]) | {"net.relative_position_index": torch.arange(6).flip(0)}
    torch.save(other, paths[1])
    with pytest.raises(EndpointError, match=r"relative_position_index: int64 values differ between a\.pth and b\.pth"):
        blend(paths, 0.3, arch=arch, arch_args={"features": 6})
    assert not (tmp_path / "c.pth").exists()


def test_a_switch_beside_the_tensors_is_the_networks_own(tmp_path: Path):
    from spandrel.architectures.RealCUGAN import UpCunet2x

    a = real_cugan()
    theta = blend([{**a, "pro": 1}, {**near(a), "pro": 1}], 0.3, arch=UpCunet2x(pro=True))
    torch.testing.assert_close({name: theta[name] for name in a}, blended(a, near(a), 0.3), rtol=1e-6, atol=1e-7)
    assert theta["pro"].equal(torch.zeros(1))


def test_a_function_in_the_place_of_a_method_is_refused(tmp_path: Path):
    """It would run the weights of the object that it was made for in every copy: at every alpha those of A."""
    network = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 3, 3, padding=1))
    plain = network[0].forward
    network[0].forward = lambda x: plain(x) + 1  # type: ignore[method-assign]
    a = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    with pytest.raises(ArchitectureError, match="the forward of 0 in Sequential is a function that was assigned"):
        export([a, near(a)], tmp_path / "m.onnx", alpha_input=True, arch=network)
