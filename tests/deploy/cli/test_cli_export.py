"""`dni-export` and `dni blend`, run as a user runs them."""

from pathlib import Path

import onnx
import pytest
import torch
from commands import command, dni, names
from exporting import blended
from safetensors.torch import load_file

from dni_deploy.demo import STRONG, WEAK
from dni_runtime import read_metadata


def test_the_first_command_makes_one_file_and_names_it(denoiser: Path):
    assert names(denoiser.parent) == ["denoise.onnx"]
    metadata = read_metadata(onnx.load(denoiser))
    assert metadata is not None
    assert [endpoint.file for endpoint in metadata.endpoints] == ["weak.safetensors", "strong.safetensors"]
    assert (metadata.alpha_pinned, metadata.alpha_default, metadata.alpha_range) == (None, None, (0.0, 1.0))


def test_the_result_is_on_stdout_and_progress_is_not(tmp_path: Path):
    result = command("dni-export", WEAK, STRONG, "--alpha", "0.7", "-o", "m.onnx", cwd=tmp_path).assert_ok()
    network, file, verdict = result.out.splitlines()
    assert network == "RealESRGAN Compact, 76,035 parameters, scale 1, float32"
    assert file.startswith("m.onnx  0.31 MB  alpha 0.7  equals PyTorch within ")
    assert verdict.startswith("blends: a colour shift of 0.2 (dE2000)")
    assert result.err == ""  # progress is drawn on terminals only
    assert names(tmp_path) == ["m.onnx"]


def test_several_alphas_make_a_folder(tmp_path: Path):
    output = tmp_path / "models"
    result = dni("export", WEAK, STRONG, "--alpha", "0:1:0.5", "--alpha", "0.501", "-o", output, "--json").assert_ok()
    files = ["alpha-0.000.onnx", "alpha-0.500.onnx", "alpha-0.501.onnx", "alpha-1.000.onnx"]
    assert names(output) == files
    assert {Path(file["path"]).name: file["alpha"] for file in result.json["files"]} == {
        "alpha-0.000.onnx": [0.0],
        "alpha-0.500.onnx": [0.5],
        "alpha-0.501.onnx": [0.501],
        "alpha-1.000.onnx": [1.0],
    }
    assert {read_metadata(onnx.load(output / name)).alpha_pinned for name in files} == {(0,), (0.5,), (0.501,), (1,)}


def test_json_tells_what_was_made_and_measured(tmp_path: Path):
    output = tmp_path / "m.onnx"
    report = dni("export", WEAK, STRONG, "--alpha-input", "-o", output, "--json").assert_ok().json
    (file,) = report["files"]
    assert (file["path"], file["alpha"], file["bytes"]) == (str(output), None, output.stat().st_size)
    assert [entry["error"] <= entry["bound"] == 1e-5 for entry in file["parity"]] == [True] * 4
    assert (report["architecture"], report["scale"], report["warnings"]) == ("RealESRGAN Compact", 1.0, [])
    assert report["lineage"]["overall_cosine"] > 0.9


def test_options_arrive(tmp_path: Path):
    output = tmp_path / "m.onnx"
    options = ["--alpha-range", "-0.5", "1.5", "--alpha-default", "0.4", "--dtype", "float16", "--weights", "external"]
    shape = ["--static", "--input-shape", "1,3,24,32"]
    report = dni("export", WEAK, STRONG, "--alpha-input", "-o", output, *options, *shape, "--no-verify", "--json")
    assert report.assert_ok().json["files"][0]["parity"] == []
    model = onnx.load(output)
    assert [d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim] == [1, 3, 24, 32]
    metadata = read_metadata(model)
    assert metadata is not None
    assert (metadata.alpha_range, metadata.alpha_default, metadata.dtype) == ((-0.5, 1.5), (0.4,), "float16")
    assert names(tmp_path) == ["m.onnx", "m.onnx.data"]


def test_a_network_of_your_own_takes_its_arguments_from_the_command_line(tmp_path: Path):
    code = tmp_path / "net.py"
    code.write_text(
        "from torch import nn\n"
        "def Net(features, bias, name):\n"
        "    assert name == 'plain'\n"
        "    return nn.Sequential(nn.Conv2d(3, features, 3, padding=1, bias=bias), nn.Conv2d(features, 3, 1))\n"
    )
    first = torch.nn.Sequential(torch.nn.Conv2d(3, 5, 3, padding=1, bias=False), torch.nn.Conv2d(5, 3, 1)).state_dict()
    torch.save(first, tmp_path / "a.pth")
    torch.save({name: 1.01 * tensor for name, tensor in first.items()}, tmp_path / "b.pth")
    endpoints = (tmp_path / "a.pth", tmp_path / "b.pth", "--alpha-input", "-o", tmp_path / "m.onnx")
    arguments = ["--arch-arg", "features=5", "--arch-arg", "bias=false", "--arch-arg", "name=plain"]
    dni("export", *endpoints, "--arch", f"{code}:Net", *arguments).assert_ok()
    assert read_metadata(onnx.load(tmp_path / "m.onnx")).architecture == "Net"
    dni("export", *endpoints, "--force", "--arch", f"{code}:Net").assert_error("failed when called with no arguments")


def test_existing_models_are_kept_without_force(tmp_path: Path):
    output = tmp_path / "m.onnx"
    output.write_text("precious")
    arguments = ("export", WEAK, STRONG, "--alpha", "0.5", "-o", output)
    dni(*arguments).assert_error("m.onnx exists already and is kept; replace it with --force")
    assert output.read_text() == "precious"
    dni(*arguments, "--force").assert_ok()
    onnx.checker.check_model(output)


def test_unrelated_endpoints_are_warned_about_on_stderr(tmp_path: Path):
    torch.save(torch.nn.Conv2d(3, 3, 3).state_dict(), tmp_path / "a.pth")
    torch.save(torch.nn.Conv2d(3, 3, 3).state_dict(), tmp_path / "b.pth")
    output = tmp_path / "c.safetensors"
    result = dni("blend", tmp_path / "a.pth", tmp_path / "b.pth", "--alpha", "0.5", "-o", output).assert_ok()
    assert result.err.startswith("warning: the endpoints look unrelated (mean cosine similarity")
    assert result.out.startswith(str(output))


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_blend_writes_the_formula(tmp_path: Path, suffix: str):
    output = tmp_path / f"c{suffix}"
    result = dni("blend", WEAK, STRONG, "--alpha", "0.3", "-o", output).assert_ok()
    assert result.out == f"{output}  0.31 MB  29 of 29 tensors blended\n"
    assert result.err == ""
    got = load_file(output) if suffix == ".safetensors" else torch.load(output, weights_only=True)
    wanted = blended(load_file(WEAK), load_file(STRONG), 0.3)
    assert got.keys() == wanted.keys()
    for name, tensor in wanted.items():
        torch.testing.assert_close(got[name], tensor, rtol=1e-6, atol=1e-7)


def test_blend_in_json_and_what_it_keeps(tmp_path: Path):
    output = tmp_path / "c.pth"
    report = dni("blend", WEAK, STRONG, "--alpha", "0.3", "-o", output, "--json").assert_ok().json
    assert report["path"] == str(output) and report["bytes"] == output.stat().st_size
    assert (report["alpha"], report["blended"], report["tensors"]) == ([0.3], 29, 29)
    assert report["lineage"]["overall_cosine"] > 0.9
    before = output.read_bytes()
    dni("blend", WEAK, STRONG, "--alpha", "0.6", "-o", output).assert_error("replace it with --force")
    assert output.read_bytes() == before
    dni("blend", WEAK, STRONG, "--alpha", "0.6", "-o", output, "--force").assert_ok()
    assert output.read_bytes() != before


def test_blend_extrapolates_only_when_asked_to(tmp_path: Path):
    arguments = ("blend", WEAK, STRONG, "--alpha", "1.2", "-o", tmp_path / "c.pth")
    dni(*arguments).assert_error("alpha 1.2 is out of range")
    dni(*arguments, "--alpha-range", "0", "1.5").assert_ok()
