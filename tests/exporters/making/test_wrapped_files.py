"""One network in all the wrappings that training programs save: found, blended, and written as A was wrapped."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import spandrel
import torch
from commands import dni
from exporting import assert_close, blended, expected, run
from networks import Weights
from published import compact, esrgan
from safetensors.torch import save_file
from spandrel.architectures.Compact import Compact

IMAGE = torch.rand(1, 3, 12, 16, generator=torch.Generator().manual_seed(2))
Wrap = Callable[[Weights], dict[str, Any]]


def named(*prefixes: str, **beside: Any) -> Wrap:
    """The weights after each of `prefixes`, times two but for the last one, which is the one to be taken."""

    def wrap(weights: Weights) -> dict[str, Any]:
        made = {
            prefix + name: tensor * (1 if prefix == prefixes[-1] else 2)
            for prefix in prefixes
            for name, tensor in weights.items()
        }
        return {**made, **beside}

    return wrap


def under(*keys: str, inner: Wrap = dict) -> Wrap:
    def wrap(weights: Weights) -> dict[str, Any]:
        made = inner(weights)
        for key in reversed(keys):
            made = {key: made, "epoch": 3, "optimizer": {"state": {0: {"exp_avg": torch.ones(2)}}}}
        return made

    return wrap


OTHERS = {"discriminator.0.weight": torch.ones(2, 2), "step_counter": torch.tensor(5)}
WRAPS: dict[str, Wrap] = {
    "flat": dict,
    "neosr": lambda weights: {"params-ema": dict(weights), "params": {n: 2 * t for n, t in weights.items()}},
    "KAIR": under("netG"),
    "any key": lambda weights: {"the network": dict(weights), "epoch": 3},
    "DataParallel": under("state_dict", inner=named("module.")),
    "compiled": under("params", inner=named("model.module._orig_mod.")),
    "netG": named("netG."),
    "net_g": under("state_dict", inner=named("net_g.")),
    "Lightning": under("state_dict", inner=named("model.", **{"loss.vgg.0.weight": torch.ones(2, 2)})),
    "Lightning, nested": under("state_dict", inner=named("model.net.")),
    "MMagic": under("state_dict", inner=named("generator.", **OTHERS)),
    "MMagic, averaged": under("state_dict", inner=named("generator.", "generator_ema.", **OTHERS)),
    "AveragedModel": named("module.", n_averaged=torch.tensor(4)),
    "net": named("net."),
}
NETWORKS = {"Compact": compact, "ESRGAN": esrgan}


def endpoints(name: str) -> tuple[Weights, Weights]:
    torch.manual_seed(4)
    a = NETWORKS[name]()
    return a, {key: tensor + 0.05 * torch.randn(tensor.shape) for key, tensor in a.items()}


def saved(folder: Path, name: str, *wraps: str) -> tuple[list[Path], Weights, Weights]:
    pair = endpoints(name)
    paths = [folder / "a.pth", folder / "b.pth"]
    for path, weights, wrap in zip(paths, pair, wraps, strict=True):
        torch.save(WRAPS[wrap](weights), path)
    return paths, *pair


@torch.no_grad()
def picture(weights: Weights) -> torch.Tensor:
    return spandrel.ModelLoader("cpu").load_from_state_dict(dict(weights)).model.eval()(IMAGE)


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("wrap", WRAPS)
def test_a_network_is_found_and_written_as_it_was_wrapped(tmp_path: Path, wrap: str, network: str):
    paths, a, b = saved(tmp_path, network, wrap, wrap)
    assert_known(network, *paths)
    dni("blend", *paths, "--alpha", 0.3, "-o", tmp_path / "c.pth").assert_ok()
    dni("blend", *paths, "--alpha", 0.3, "-o", tmp_path / "c.safetensors").assert_ok()
    wanted = blended(a, b, 0.3)
    assert_holds(torch.load(tmp_path / "c.pth", weights_only=True), torch.load(paths[0], weights_only=True), wanted)
    for name in ("c.pth", "c.safetensors"):  # a blend of it and itself
        dni("blend", *[tmp_path / name] * 2, "--alpha", 1, "-o", tmp_path / "d.safetensors", "--force").assert_ok()
        assert_known(network, tmp_path / name, tmp_path / "d.safetensors")


def assert_known(network: str, *paths: Path) -> None:
    for path in paths:
        assert network in dni("inspect", path, "--json").assert_ok().json["architecture"]


def assert_holds(made: dict[str, Any], before: dict[str, Any], wanted: Weights) -> None:
    """Every network that A's file holds has become the blend, what was beside is there or left out as a whole."""
    assert made.keys() <= before.keys()
    for key, value in made.items():
        if isinstance(value, dict):
            assert_holds(value, before[key], wanted)
        elif isinstance(value, torch.Tensor):
            (name,) = (name for name in wanted if key.endswith(name) and key.removesuffix(name)[-1:] in ("", "."))
            torch.testing.assert_close(value, wanted[name], rtol=1e-6, atol=1e-7)
        else:
            assert value == before[key]
    held = sum(isinstance(value, torch.Tensor) for value in made.values())
    assert held % len(wanted) == 0  # each of them whole


@pytest.mark.parametrize(
    "wraps", [("netG", "flat"), ("flat", "net"), ("Lightning", "MMagic, averaged"), ("KAIR", "compiled")]
)
def test_two_wrappings_of_one_network(tmp_path: Path, wraps: tuple[str, str]):
    paths, a, b = saved(tmp_path, "Compact", *wraps)
    assert dni("inspect", *paths, "--json").assert_ok().json["differences"] == []
    output = tmp_path / "c.onnx"
    dni("export", *paths, "--alpha-input", "-o", output).assert_ok()
    network = Compact(num_feat=8, num_conv=2, upscale=2)
    for alpha in (0.0, 0.3, 1.0):
        assert_close(run(output, IMAGE.numpy(), alpha), expected(network, blended(a, b, alpha), IMAGE.numpy()))


@pytest.mark.parametrize("wrap", ["netG", "compiled", "neosr", "AveragedModel", "DataParallel"])
def test_what_is_written_loads_in_spandrel(tmp_path: Path, wrap: str):
    paths, a, b = saved(tmp_path, "Compact", wrap, wrap)
    dni("blend", *paths, "--alpha", 0.3, "-o", tmp_path / "c.safetensors").assert_ok()
    with torch.no_grad():
        got = spandrel.ModelLoader("cpu").load_from_file(tmp_path / "c.safetensors").model.eval()(IMAGE)
    torch.testing.assert_close(got, picture(blended(a, b, 0.3)), rtol=0, atol=1e-6)


def test_linked_weights_have_the_names_of_the_file(tmp_path: Path):
    pair = endpoints("Compact")
    paths = [tmp_path / "a.safetensors", tmp_path / "b.safetensors"]
    for path, weights, prefix in zip(paths, pair, ("net.", "model.module."), strict=True):
        save_file({prefix + name: tensor for name, tensor in weights.items()}, path, {"format": "pt"})
    output = tmp_path / "c.onnx"
    dni("export", *paths, "--alpha-input", "--weights", "link", "-o", output).assert_ok()
    network = Compact(num_feat=8, num_conv=2, upscale=2)
    assert_close(run(output, IMAGE.numpy(), 0.3), expected(network, blended(*pair, 0.3), IMAGE.numpy()))
