"""A file is what its bytes say: under another suffix, and under names that are no text."""

import hashlib
import json
import os
import shutil
from pathlib import Path

import pytest
import torch
from commands import dni, names
from exporting import assert_close, blended, expected, photo, run, small_pair
from safetensors.torch import load_file, save_file
from torch_files import refusal

from dni_deploy.demo import STRONG, WEAK
from dni_exporters import export, read_endpoints

W = {"conv.weight": torch.arange(12.0).reshape(2, 2, 3), "conv.bias": torch.tensor([0.5, -0.5])}
NO_TEXT = os.fsdecode(b"Bild-\xe4\xff")
IMAGE = photo(2, 3, 20, 28)


def written(path: Path, form: str, weights: dict[str, torch.Tensor] = W) -> Path:
    """A checkpoint of the given format, whatever the file is called."""
    if form == "safetensors":
        save_file(weights, path.with_name("made"))
    else:
        torch.save(weights, path.with_name("made"), _use_new_zipfile_serialization=form == "zip")
    path.with_name("made").rename(path)
    return path


def assert_reads(path: Path) -> None:
    (checkpoint,), _ = read_endpoints([path])
    assert checkpoint.tensors.keys() == W.keys()
    assert all(torch.equal(checkpoint.tensors[name], tensor) for name, tensor in W.items())
    assert checkpoint.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (checkpoint.name, checkpoint.path) == (path.name, path)


@pytest.mark.parametrize("form", ["safetensors", "zip", "legacy"])
@pytest.mark.parametrize("name", ["a.pth", "a.pt", "a.ckpt", "a.bin", "a.safetensors", "a.SAFETENSORS", "a", NO_TEXT])
def test_the_format_is_told_by_the_bytes(tmp_path: Path, name: str, form: str):
    assert_reads(written(tmp_path / name, form))


@pytest.mark.parametrize("size", [0x7B, 0x0280, 0x4B50, 0x3C20])
def test_headers_whose_length_begins_like_another_file(tmp_path: Path, size: int):
    """JSON, PyTorch's old format, a zip archive, a web page."""
    entries = json.dumps({"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    path = tmp_path / "a.pth"
    path.write_bytes(size.to_bytes(8, "little") + entries.ljust(size) + torch.tensor([2.5]).numpy().tobytes())
    assert read_endpoints([path])[0][0].tensors["w"].tolist() == [2.5]


def test_a_damaged_file_is_called_by_what_it_is(tmp_path: Path):
    path = written(tmp_path / "a.pth", "safetensors")
    path.write_bytes(path.read_bytes()[:-4])
    assert "a.pth is damaged or not a .safetensors file (" in refusal(path)
    path = written(tmp_path / "b.safetensors", "zip")
    path.write_bytes(path.read_bytes()[:-4])
    assert "b.safetensors is damaged or not a PyTorch checkpoint (" in refusal(path)


def test_weights_are_linked_to_safetensors_under_another_suffix(tmp_path: Path):
    network, endpoints = small_pair()
    pair = [written(tmp_path / name, "safetensors", weights) for name, weights in zip("ab", endpoints, strict=True)]
    export(pair, tmp_path / "model.onnx", alpha_input=True, arch=network, weights="link")
    assert_close(run(tmp_path / "model.onnx", IMAGE, 0.3), expected(network, blended(*endpoints, 0.3), IMAGE))


def no_text_pair(folder: Path, form: str) -> list[Path]:
    folder.mkdir()
    suffix = ".safetensors" if form == "safetensors" else ".pth"
    return [written(folder / f"{NO_TEXT}{source.stem}{suffix}", form, load_file(source)) for source in (WEAK, STRONG)]


@pytest.mark.parametrize("form", ["safetensors", "zip", "legacy"])
@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_paths_that_are_no_text(tmp_path: Path, form: str, suffix: str):
    """On Linux a name is bytes: archives of other systems leave such."""
    pair = no_text_pair(tmp_path / NO_TEXT, form)
    told = dni("inspect", *pair, "--json").assert_ok().json
    assert told["endpoints"] == [path.name for path in pair]
    output = tmp_path / NO_TEXT / f"{NO_TEXT}c{suffix}"
    made = dni("blend", *pair, "--alpha", 0.3, "-o", output, "--json").assert_ok().json
    assert made["path"] == str(output)
    (theta,), _ = read_endpoints([output])
    wanted = blended(load_file(WEAK), load_file(STRONG), 0.3)
    for name, tensor in theta.tensors.items():
        torch.testing.assert_close(tensor, wanted[name], rtol=1e-6, atol=1e-7)
    dni("export", *pair, "--alpha-input", "--no-verify", "-o", tmp_path / "c.onnx").assert_ok()
    said = dni("inspect", tmp_path / "c.onnx", "--json").assert_ok().json["metadata"]["endpoints"]
    assert [endpoint["file"] for endpoint in said] == [ascii(path.name)[1:-1] for path in pair]


def test_models_of_such_names_are_refused_before_the_work(tmp_path: Path):
    pair = no_text_pair(tmp_path / "pair", "safetensors")
    before = names(tmp_path / "pair")
    for options in (["--alpha-input"], ["--alpha", 0.5], ["--alpha-input", "--no-verify", "--weights", "external"]):
        dni("export", *pair, *options, "-o", tmp_path / "pair" / f"{NO_TEXT}.onnx").assert_error(
            ".onnx has a name that is not UTF-8, which ONNX Runtime cannot open; choose another"
        )
    dni("export", *pair, "--alpha-input", "--weights", "link", "-o", tmp_path / "pair" / "c.onnx").assert_error(
        "weak.safetensors has a name that is not UTF-8, by which ONNX cannot call it; rename it"
    )
    assert names(tmp_path / "pair") == before
    model = tmp_path / f"{NO_TEXT}.onnx"
    export([WEAK, STRONG], tmp_path / "a.onnx", alpha_input=True, verify=False)
    shutil.copy(tmp_path / "a.onnx", model)
    for command in (["inspect", model], ["ship", "triton", model, "-o", tmp_path / "repo"]):
        dni(*command).assert_error("has a name that is not UTF-8, by which ONNX cannot call it; rename it")
