"""`blend` and `write_blend`: the formula, and files that load where A loads."""

import os
from pathlib import Path
from typing import Any

import pytest
import safetensors
import spandrel
import torch
from exporting import blended
from networks import NETWORKS, Weights, pair
from safetensors.torch import load_file, save_file
from torch import Tensor

from dni_deploy.demo import STRONG, WEAK
from dni_exporters import blend, write_blend

ALPHAS = [0.0, 0.3, 0.5, 1.0]


def assert_same(got: Any, wanted: Weights) -> None:
    """Names, dtypes and, to the last bit or two of each dtype, values."""
    assert list(got) == list(wanted)
    for name, tensor in wanted.items():
        assert got[name].dtype == tensor.dtype, name
        torch.testing.assert_close(got[name], tensor, rtol=4 * eps(tensor), atol=eps(tensor), msg=name)


def eps(tensor: Tensor) -> float:
    return torch.finfo(tensor.dtype).eps if tensor.is_floating_point() else 0.0


def save_pair(folder: Path, wrap: Any, name: str = "batch_norm") -> tuple[list[Path], Weights, Weights]:
    """Both endpoints of a network as .pth files, each as `wrap` makes it of a state dict."""
    _, a, b = pair(name)
    paths = [folder / "a.pth", folder / "b.pth"]
    for path, weights in zip(paths, (a, b), strict=True):
        torch.save(wrap(weights), path)
    return paths, a, b


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("alpha", ALPHAS)
def test_every_network_loads_what_is_blended(name: str, alpha: float):
    network, a, b = pair(name)
    theta = blend([a, b], alpha)
    assert_same(theta, blended(a, b, alpha))
    network.load_state_dict(theta, strict=True)


def test_both_ends_are_exact():
    _, a, b = pair("batch_norm")
    for alpha, end in ((1, a), (0, b)):
        theta = blend([a, b], alpha)
        assert all(theta[name].equal(end[name]) for name in a if end[name].is_floating_point())


def test_counters_are_those_of_a_and_never_blended():
    _, a, b = pair("batch_norm")
    counter = "1.num_batches_tracked"
    assert a[counter] != b[counter]
    for alpha in ALPHAS:
        assert blend([a, b], alpha)[counter].equal(a[counter])
        assert blend([a, b], alpha)[counter].dtype == torch.int64


def test_running_statistics_are_blended():
    _, a, b = pair("batch_norm")
    name = "1.running_var"
    torch.testing.assert_close(blend([a, b], 0.25)[name], 0.25 * a[name] + 0.75 * b[name])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_dtypes_are_kept(tmp_path: Path, dtype: torch.dtype, suffix: str):
    a, b = ({"w": torch.linspace(start, 2, 12, dtype=dtype).reshape(3, 4)} for start in (0, 1))
    write_blend([a, b], tmp_path / f"c{suffix}", 0.3)
    got = load_file(tmp_path / "c.safetensors") if suffix == ".safetensors" else torch.load(tmp_path / "c.pth")
    assert_same(got, {"w": (0.3 * a["w"].double() + 0.7 * b["w"].double()).to(dtype)})


def test_three_endpoints():
    _, a, b = pair("prelu")
    c = {name: tensor + 1 for name, tensor in a.items()}
    theta = blend([a, b, c], (0.2, 0.5))
    assert_same(theta, {name: 0.2 * a[name] + 0.5 * b[name] + (1 - 0.2 - 0.5) * c[name] for name in a})


def nest(*keys: str, **beside: Any) -> Any:
    def wrap(weights: Weights) -> dict[str, Any]:
        inner: Any = weights
        for key in reversed(keys):
            inner = {key: inner, **beside}
        return dict(inner)

    return wrap


def prefixed(prefix: str) -> Any:
    return lambda weights: {"state_dict": {prefix + name: tensor for name, tensor in weights.items()}, "epoch": 7}


@pytest.mark.parametrize(
    ("wrap", "read"),
    [
        (nest(), lambda file: file),
        (nest("params"), lambda file: file["params"]),
        (nest("model", "state_dict"), lambda file: file["model"]["state_dict"]),
        (prefixed("module."), lambda file: {k.removeprefix("module."): v for k, v in file["state_dict"].items()}),
        (prefixed("module._orig_mod."), lambda file: {k[17:]: v for k, v in file["state_dict"].items()}),
    ],
    ids=["flat", "params", "nested", "DataParallel", "compiled"],
)
def test_what_is_written_loads_where_a_loads(tmp_path: Path, wrap: Any, read: Any):
    paths, a, b = save_pair(tmp_path, wrap)
    write_blend(paths, tmp_path / "c.pth", 0.3)
    before, file = (torch.load(tmp_path / name, weights_only=True) for name in ("a.pth", "c.pth"))
    assert file.keys() == before.keys()
    assert_same(read(file), blended(a, b, 0.3))
    pair("batch_norm")[0].load_state_dict(read(file), strict=True)


def test_every_state_dict_in_the_file_becomes_the_blend(tmp_path: Path):
    def wrap(weights: Weights) -> dict[str, Any]:
        raw = {name: tensor * 2 for name, tensor in weights.items()}
        return {"params": raw, "params_ema": weights, "iter": 5000, "optimizer": {"step": torch.ones(3)}}

    paths, a, b = save_pair(tmp_path, wrap)
    report = write_blend(paths, tmp_path / "c.pth", 0.3)
    assert report.notes == ("weights taken from params_ema of every endpoint",)
    file = torch.load(tmp_path / "c.pth", weights_only=True)
    assert sorted(file) == ["iter", "params", "params_ema"]  # an optimizer's state would fit no network
    assert file["iter"] == 5000
    for key in ("params", "params_ema"):
        assert_same(file[key], blended(a, b, 0.3))


def test_nestings_may_differ(tmp_path: Path):
    _, a, b = pair("prelu")
    torch.save({"params_ema": a}, tmp_path / "a.pth")
    save_file(b, tmp_path / "b.safetensors")
    report = write_blend([tmp_path / "a.pth", tmp_path / "b.safetensors"], tmp_path / "c.pth", 0.3)
    assert report.notes == ("weights taken from params_ema of a.pth, the top level of b.safetensors",)
    assert_same(torch.load(tmp_path / "c.pth")["params_ema"], blended(a, b, 0.3))


def test_safetensors_load_in_spandrel_and_say_where_they_come_from(tmp_path: Path):
    path = tmp_path / "c.safetensors"
    report = write_blend([WEAK, STRONG], path, 0.3)
    assert (report.path, report.alpha, report.tensors, report.blended) == (path, (0.3,), 29, 29)
    assert report.bytes == path.stat().st_size
    loaded = spandrel.ModelLoader().load_from_file(path)
    assert loaded.architecture.id == "Compact"
    wanted = blended(load_file(WEAK), load_file(STRONG), 0.3)
    for name, tensor in loaded.model.state_dict().items():
        torch.testing.assert_close(tensor, wanted[name], rtol=1e-6, atol=1e-7)
    with safetensors.safe_open(path, "pt") as file:
        assert '"file": "weak.safetensors"' in file.metadata()["dni"]
        assert '"alpha": 0.3' in file.metadata()["dni"]


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_who_may_read_what_is_written_is_told_by_the_umask(tmp_path: Path, suffix: str):
    _, a, b = pair("batch_norm")
    before = os.umask(0o027)
    try:
        write_blend([a, b], tmp_path / f"c{suffix}", 0.5)
    finally:
        os.umask(before)
    assert (tmp_path / f"c{suffix}").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_tied_weights_and_other_memory_formats(tmp_path: Path, suffix: str):
    """Safetensors refuses tensors that share memory or are not contiguous; networks have both."""
    paths, a, b = save_pair(tmp_path, lambda weights: weights, "tied")
    shared = [{**w, "b.weight": w["a.weight"], "last.weight": w["last.weight"].contiguous(
        memory_format=torch.channels_last)} for w in (a, b)]  # fmt: skip
    assert not shared[0]["last.weight"].is_contiguous()
    for path, weights in zip(paths, shared, strict=True):
        torch.save(weights, path)
    write_blend(paths, tmp_path / f"c{suffix}", 0.3)
    got = load_file(tmp_path / "c.safetensors") if suffix == ".safetensors" else torch.load(tmp_path / "c.pth")
    assert {name: got[name].dtype for name in a} == {name: tensor.dtype for name, tensor in a.items()}
    network = pair("tied")[0]
    network.load_state_dict(got, strict=True)
    wanted = 0.3 * a["a.weight"] + 0.7 * b["a.weight"]
    torch.testing.assert_close(network.state_dict()["b.weight"], wanted, rtol=1e-6, atol=1e-7)
