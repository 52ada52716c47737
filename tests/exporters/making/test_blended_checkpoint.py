"""What lies beside the tensors comes with the blend: Real-CUGAN's `pro` makes another network of the same weights."""

import functools
from pathlib import Path
from typing import Any

import pytest
import spandrel
import torch
from commands import dni
from exporting import blended
from networks import Weights
from spandrel.architectures.RealCUGAN import UpCunet2x

IMAGE = torch.rand(1, 3, 40, 48, generator=torch.Generator().manual_seed(3))


def real_cugan(pro: bool, seed: int) -> UpCunet2x:
    torch.manual_seed(seed)
    return UpCunet2x(pro=pro).eval()


@functools.cache
def weights(seed: int) -> Weights:
    """Those of either network."""
    return dict(real_cugan(pro=False, seed=seed).state_dict())


@torch.no_grad()
def loaded(path: Path) -> tuple[bool, torch.Tensor]:
    """Whether spandrel takes a file for a "pro" network, and what that makes of the picture."""
    descriptor = spandrel.ModelLoader(device="cpu").load_from_file(path)
    return "pro" in descriptor.tags, descriptor.model.eval()(IMAGE)


def wraps(weights: Weights, pro: dict[str, Any]) -> dict[str, Any]:
    return {
        "flat": {**weights, **pro},
        "params_ema": {"params_ema": {**weights, **pro}, "iter": 5},
        "both": {"params_ema": {**weights, **pro}, "params": {**weights, **pro}},
        "module": {"module." + name: value for name, value in {**pro, **weights}.items()},
    }


PRO: dict[str, Any] = {"pro": 1}
CASES = [
    *(("flat", pro) for pro in (PRO, {"pro": True}, {"pro": 1.0}, {"pro": torch.tensor(1)}, {})),
    *((wrap, PRO) for wrap in ("params_ema", "both", "module")),
]


@pytest.mark.parametrize(("wrap", "pro"), CASES)
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_what_is_written_loads_as_the_network_that_a_is(tmp_path: Path, suffix: str, wrap: str, pro: dict[str, Any]):
    a, b = (weights(seed) for seed in (0, 1))
    for name, state in (("a.pth", a), ("b.pth", b)):
        torch.save(wraps(state, pro)[wrap], tmp_path / name)
    output = tmp_path / f"c{suffix}"
    dni("blend", tmp_path / "a.pth", tmp_path / "b.pth", "--alpha", 0.3, "-o", output).assert_ok()
    network = real_cugan(pro=bool(pro), seed=2)
    network.load_state_dict(blended(a, b, 0.3), strict=False)
    with torch.no_grad():
        wanted = network(IMAGE)
    is_pro, got = loaded(output)
    assert is_pro == bool(pro)
    torch.testing.assert_close(got, wanted, rtol=0, atol=1e-6)
    again, same = loaded(rewritten(output))
    assert again == is_pro and torch.equal(same, got)


def rewritten(path: Path) -> Path:
    """A blend of the blend with itself: what was written is read by us as well."""
    target = path.with_name("d.safetensors")
    dni("blend", path, path, "--alpha", 1, "-o", target).assert_ok()
    return target


def test_the_switch_is_what_makes_the_difference(tmp_path: Path):
    """The test above can fail: with these weights both networks make a picture, and not the same one."""
    state = weights(0)
    for name, beside in (("a.pth", {}), ("b.pth", {"pro": 1})):
        torch.save({**state, **beside}, tmp_path / name)
    (is_a, a), (is_b, b) = loaded(tmp_path / "a.pth"), loaded(tmp_path / "b.pth")
    assert (is_a, is_b) == (False, True)
    assert float((a - b).abs().max()) > 1e-2


@pytest.mark.parametrize("pro", [{}, PRO])
def test_tensors_alone_hold_no_value_that_is_none_of_the_networks(tmp_path: Path, pro: dict[str, Any]):
    """spandrel loads no file with a tensor of another name in it."""
    torch.save({**weights(0), **pro, "epoch": 7, "lr": 1e-4}, tmp_path / "a.pth")
    output = tmp_path / "c.safetensors"
    said = dni("blend", tmp_path / "a.pth", tmp_path / "a.pth", "--alpha", 0.5, "-o", output).assert_ok()
    assert "'epoch' beside the weights of a.pth is left out" in said.err
    assert loaded(output)[0] == bool(pro)


def test_text_beside_the_weights_is_kept_where_it_can_be(tmp_path: Path):
    state = {"w": torch.ones(3), "pro": 1, "note": "made at home", "huge": 2**70}
    torch.save(state, tmp_path / "a.pth")
    said = dni("blend", tmp_path / "a.pth", tmp_path / "a.pth", "--alpha", 0.5, "-o", tmp_path / "c.pth").assert_ok()
    assert "left out" not in said.err
    kept = torch.load(tmp_path / "c.pth", weights_only=True)
    assert {name: kept[name] for name in state if name != "w"} == {"pro": 1, "note": "made at home", "huge": 2**70}
    said = dni("blend", tmp_path / "a.pth", tmp_path / "a.pth", "--alpha", 0.5, "-o", tmp_path / "c.safetensors")
    for name in ("note", "huge"):
        assert f"'{name}' beside the weights of a.pth is left out" in said.assert_ok().err
