"""`inspect_endpoints`, and `dni inspect A B` around it."""

import hashlib
import shutil
from pathlib import Path

import pytest
import torch
from commands import dni
from networks import pair
from published import real_cugan
from safetensors.torch import load_file, save_file
from torch import nn

from dni_deploy.demo import EXPORTED, STRONG, WEAK
from dni_exporters import inspect_endpoints
from dni_runtime import ArchitectureError, CheckpointError

NETWORK_CODE = """
from torch import nn
def Net(features):
    return nn.Sequential(nn.Conv2d(3, features, 3, padding=1), nn.ReLU(), nn.Conv2d(features, 3, 3, padding=1))
def Pair():
    class TwoImages(nn.Conv2d):
        def forward(self, x, y):
            return super().forward(x) + y
    return TwoImages(3, 3, 1)
"""


@pytest.fixture
def unknown(tmp_path: Path) -> tuple[Path, Path, str]:
    """Two related checkpoints of a network that spandrel does not know, and the code that builds it."""
    (tmp_path / "net.py").write_text(NETWORK_CODE)
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 6, 3), nn.ReLU(), nn.Conv2d(6, 3, 3))
    paths = tmp_path / "a.pth", tmp_path / "b.pth"
    for path, factor in zip(paths, (1.0, 1.1), strict=True):
        torch.save({"params": {k: factor * v for k, v in network.state_dict().items()}}, path)
    return *paths, f"{tmp_path / 'net.py'}:Net"


def facts(text: str) -> dict[str, str]:
    """Left column -> right column."""
    rows = [line.split("  ", 1) for line in text.splitlines() if "  " in line.strip()]
    return {left.strip(): right.strip() for left, right in rows}


def test_a_related_pair():
    result = dni("inspect", WEAK, STRONG).assert_ok()
    assert result.err == ""
    found = facts(result.out)
    assert found["tensors"] == "29 with 76,035 parameters"
    assert found["network"] == "RealESRGAN Compact, scale 1"
    assert found["can be blended"] == "yes"
    assert found["lineage"].startswith("look fine-tuned from one another")
    assert found["output at alpha 0.5"].startswith("mean 0.")
    assert "body.2.weight" in result.out


def test_a_related_pair_in_json():
    report = dni("inspect", WEAK, STRONG, "--json").assert_ok().json
    assert (report["endpoints"], report["tensors"]) == (["weak.safetensors", "strong.safetensors"], 29)
    assert (report["architecture"], report["scale"], report["differences"]) == ("RealESRGAN Compact", 1.0, [])
    assert report["lineage"]["overall_cosine"] > 0.9
    assert len(report["lineage"]["cosine"]) == 10
    assert [output["alpha"] for output in report["outputs"]] == [1.0, 0.5, 0.0]


def test_outputs_are_those_of_the_blended_network():
    """A network that returns its bias: 0.2 in A, 0.6 in B, so 0.4 between them."""
    network = nn.Conv2d(3, 3, 1)
    a, b = ({"weight": torch.zeros(3, 3, 1, 1), "bias": torch.full((3,), value)} for value in (0.2, 0.6))
    report = inspect_endpoints(a, b, arch=network)
    assert [output.mean for output in report.outputs] == pytest.approx([0.2, 0.4, 0.6])
    assert [output.deviation for output in report.outputs] == pytest.approx([0, 0, 0], abs=1e-6)


def test_an_unrelated_pair_is_warned_about(tmp_path: Path):
    weak = load_file(WEAK)
    torch.manual_seed(0)
    save_file({k: torch.randn_like(v) if v.dim() > 1 else v for k, v in weak.items()}, tmp_path / "b.safetensors")
    result = dni("inspect", WEAK, tmp_path / "b.safetensors").assert_ok()
    assert result.err.startswith("warning: the endpoints look unrelated (mean cosine similarity")
    assert facts(result.out)["lineage"].startswith("look unrelated")
    assert dni("inspect", WEAK, tmp_path / "b.safetensors", "--json").assert_ok().json["lineage"]


def test_a_pair_that_differs_exits_with_1_and_prints_all(tmp_path: Path):
    weights = load_file(STRONG)
    del weights["body.0.bias"]
    weights["body.2.bias"] = torch.ones(5)
    weights["body.4.bias"] = weights["body.4.bias"].int()
    weights["extra"] = torch.ones(1)
    save_file(weights, tmp_path / "b.safetensors")
    result = dni("inspect", WEAK, tmp_path / "b.safetensors")
    assert result.code == 1
    assert result.err == ""
    assert [line for line in result.out.splitlines() if line.startswith("  ")] == [
        "  body.0.bias: missing in b.safetensors",
        "  body.2.bias: shape 32 in weak.safetensors, 5 in b.safetensors",
        "  body.4.bias: dtype float32 in weak.safetensors, int32 in b.safetensors",
        "  extra: missing in weak.safetensors",
    ]
    assert facts(result.out)["can be blended"] == "no, they differ in 4 place(s)"
    assert "lineage" not in result.out
    as_json = dni("inspect", WEAK, tmp_path / "b.safetensors", "--json")
    assert as_json.code == 1
    assert len(as_json.json["differences"]) == 4
    assert as_json.json["lineage"] is None


def test_an_unknown_network_is_noted_and_compared_all_the_same(unknown: tuple[Path, Path, str]):
    result = dni("inspect", *unknown[:2]).assert_ok()
    assert result.err.startswith("note: no known network fits a.pth (4 tensors, first 0.weight")
    assert "--arch path/to/network.py:Network --arch-arg features=64" in result.err
    assert facts(result.out)["lineage"].startswith("look fine-tuned")
    assert "network" not in facts(result.out)
    assert "output at alpha" not in result.out


def test_a_network_of_your_own(unknown: tuple[Path, Path, str]):
    a, b, arch = unknown
    result = dni("inspect", a, b, "--arch", arch, "--arch-arg", "features=6").assert_ok()
    assert result.err == ""
    assert facts(result.out)["network"] == "Net, scale 1"
    assert "output at alpha 0.5" in facts(result.out)


def test_a_network_that_was_given_has_to_fit(unknown: tuple[Path, Path, str]):
    a, b, arch = unknown
    dni("inspect", a, b, "--arch", arch, "--arch-arg", "features=7").assert_error("do not fit the network Net")
    dni("inspect", a, b, "--arch", "nowhere.py:Net").assert_error("there is no file nowhere.py")
    with pytest.raises(ArchitectureError):
        inspect_endpoints(a, b, arch="Compact")


def test_arguments_that_no_network_takes_are_noted_and_the_pair_is_compared_all_the_same():
    result = dni("inspect", WEAK, STRONG, "--arch-arg", "features=6").assert_ok()
    assert "note: --arch-arg is for a network given as code (module:callable), --arch is 'auto'" in result.err
    assert facts(result.out)["can be blended"] == "yes"
    with pytest.raises(ArchitectureError, match="--arch-arg is for a network given as code"):
        inspect_endpoints(WEAK, STRONG, arch="Compact", arch_args={"features": 6})


def test_a_network_that_cannot_be_run_is_noted(unknown: tuple[Path, Path, str], tmp_path: Path):
    weights = {"weight": torch.ones(3, 3, 1, 1), "bias": torch.ones(3)}
    result = inspect_endpoints(weights, weights, arch=unknown[2].replace(":Net", ":Pair"))
    assert (result.architecture, result.outputs) == ("Pair", ())
    assert result.lineage is not None
    assert "the network Pair takes no" in result.notes[0]


def test_the_endpoints_given_are_not_changed():
    network, a, b = pair("batch_norm")
    before = [{name: tensor.clone() for name, tensor in weights.items()} for weights in (a, b)]
    inspect_endpoints(a, b, arch=network)
    for weights, copy in zip((a, b), before, strict=True):
        assert all(weights[name].equal(copy[name]) for name in copy)


def test_an_unreadable_checkpoint(tmp_path: Path):
    (tmp_path / "b.pth").write_bytes(b"<html>")
    with pytest.raises(CheckpointError, match="is a web page"):
        inspect_endpoints(WEAK, tmp_path / "b.pth")


def test_what_one_checkpoint_is(tmp_path: Path):
    weights = {f"module.{name}": tensor.half() for name, tensor in load_file(WEAK).items()}
    torch.save({"params_ema": weights, "iter": 5000}, tmp_path / "a.pth")
    result = dni("inspect", tmp_path / "a.pth").assert_ok()
    assert result.err == ""
    found = facts(result.out)
    assert found["network"] == "RealESRGAN Compact, scale 1"
    assert "num_feat=32" in found["built with"]
    assert (found["channels"], found["tensors"]) == ("3 in, 3 out", "29 with 76,035 parameters")
    assert (found["weights are in"], found["names begin with"]) == ("params_ema", "module.")
    assert found["dtypes"] == "float16 (29)"
    assert found["SHA-256"] == hashlib.sha256((tmp_path / "a.pth").read_bytes()).hexdigest()
    report = dni("inspect", tmp_path / "a.pth", "--json").assert_ok().json
    assert report["bytes"] == (tmp_path / "a.pth").stat().st_size
    assert (report["scale"], report["parameters"], report["nesting"]) == (1.0, 76_035, ["params_ema"])


def test_a_switch_beside_one_checkpoint(tmp_path: Path):
    torch.save({**real_cugan(), "pro": 1}, tmp_path / "a.pth")
    found = facts(dni("inspect", tmp_path / "a.pth").assert_ok().out)
    assert (found["network"], found["values beside"]) == ("RealCUGAN, scale 2", "pro=1")
    assert found["built with"].endswith("pro=True")
    assert found["weights are in"] == "the top level"
    assert "names begin with" not in found


def test_one_checkpoint_of_an_unknown_network(unknown: tuple[Path, Path, str]):
    path, _, arch = unknown
    result = dni("inspect", path).assert_ok()
    assert result.err.startswith("note: no known network fits a.pth (4 tensors, ")
    assert result.err.endswith("that builds it: --arch path/to/network.py:Network --arch-arg features=64\n")
    assert "network" not in facts(result.out)
    found = facts(dni("inspect", path, "--arch", arch, "--arch-arg", "features=6").assert_ok().out)
    assert (found["network"], found["tensors"]) == ("Net, scale 1", "4 with 333 parameters")
    dni("inspect", path, "--arch", arch, "--arch-arg", "features=7").assert_error("do not fit the network Net")


def test_a_checkpoint_of_another_suffix_is_told_from_a_model(tmp_path: Path):
    torch.save(load_file(WEAK), tmp_path / "a.bin")
    shutil.copy(WEAK, tmp_path / "a.weights")
    for name in ("a.bin", "a.weights"):
        assert facts(dni("inspect", tmp_path / name).out)["network"] == "RealESRGAN Compact, scale 1"
    shutil.copy(EXPORTED, tmp_path / "model.bin")
    assert "operators" in facts(dni("inspect", tmp_path / "model.bin").assert_ok().out)
