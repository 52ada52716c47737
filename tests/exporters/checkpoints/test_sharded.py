"""Checkpoints in parts with an index: read as one, and one sentence where parts and index do not agree."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import onnx
import pytest
import torch
from commands import dni, names
from exporting import assert_close, blended, expected, photo, run
from networks import Weights, pair
from safetensors.torch import load_file, save_file
from torch_files import refusal

import dni_runtime
from dni_deploy.demo import STRONG, WEAK
from dni_exporters import export, read_endpoints

IMAGE = photo(2, 3, 20, 28)
W: Weights = {f"layer.{n}.weight": torch.arange(6.0).reshape(2, 3) * n for n in range(5)}


def part_name(stem: str, number: int, count: int, suffix: str = ".safetensors") -> str:
    return f"{stem}-{number:05}-of-{count:05}{suffix}"


def sharded(folder: Path, weights: Weights = W, *, stem: str = "model", count: int = 2, suffix: str = "") -> Path:
    """`weights` in `count` parts, whose tensors alternate; PyTorch's files with the suffix .bin."""
    suffix = suffix or ".safetensors"
    folder.mkdir(exist_ok=True)
    files = {name: part_name(stem, n % count + 1, count, suffix) for n, name in enumerate(weights)}
    for file in set(files.values()):
        part = {name: weights[name].clone() for name in weights if files[name] == file}
        torch.save(part, folder / file) if suffix == ".bin" else save_file(part, folder / file)
    index = folder / f"{stem}{suffix}.index.json"
    index.write_text(json.dumps({"metadata": {"total_size": 1}, "weight_map": files}, indent=2))
    return index


@pytest.mark.parametrize("suffix", [".safetensors", ".bin"])
@pytest.mark.parametrize("count", [1, 2, 5])
def test_parts_are_read_as_one(tmp_path: Path, count: int, suffix: str):
    index = sharded(tmp_path, count=count, suffix=suffix)
    (checkpoint,), _ = read_endpoints([index])
    assert list(checkpoint.tensors) == list(W)
    assert all(torch.equal(checkpoint.tensors[name], tensor) for name, tensor in W.items())
    bytes_of_parts = b"".join((tmp_path / part_name("model", n + 1, count, suffix)).read_bytes() for n in range(count))
    assert checkpoint.sha256 == hashlib.sha256(bytes_of_parts).hexdigest()
    assert (checkpoint.name, checkpoint.path) == (index.name, index)


def test_the_order_is_the_indexs(tmp_path: Path):
    index = sharded(tmp_path)
    turned = dict(reversed(json.loads(index.read_text())["weight_map"].items()))
    index.write_text(json.dumps({"weight_map": {**turned, "layer.1.weight": turned["layer.1.weight"]}}))
    (checkpoint,), _ = read_endpoints([index])
    assert list(checkpoint.tensors) == list(turned)
    first = next(iter(turned.values()))
    parts = sorted(set(turned.values()), key=lambda name: name != first)
    assert checkpoint.sha256 == hashlib.sha256(b"".join((tmp_path / p).read_bytes() for p in parts)).hexdigest()


def test_prefixes_are_taken_off_across_parts(tmp_path: Path):
    (checkpoint,), _ = read_endpoints([sharded(tmp_path, {f"module.{name}": t for name, t in W.items()})])
    assert (list(checkpoint.tensors), checkpoint.prefix) == (list(W), "module.")


def test_every_command_takes_an_index(tmp_path: Path):
    a = sharded(tmp_path / "a", load_file(WEAK))
    for pair_ in ([a, STRONG], [WEAK, sharded(tmp_path / "b", load_file(STRONG), count=3)]):
        told = dni("inspect", *pair_, "--json").assert_ok().json
        assert told["endpoints"] == [path.name for path in pair_]
        dni("blend", *pair_, "--alpha", 0.3, "-o", tmp_path / "c.pth", "--force").assert_ok()
        made, wanted = torch.load(tmp_path / "c.pth"), blended(load_file(WEAK), load_file(STRONG), 0.3)
        assert made.keys() == wanted.keys()
        for name, tensor in wanted.items():
            torch.testing.assert_close(made[name], tensor, rtol=1e-6, atol=1e-7)
    dni("export", a, STRONG, "--alpha", 1, "--no-verify", "-o", tmp_path / "c.onnx").assert_ok()
    with dni_runtime.load(tmp_path / "c.onnx", "cpu") as model:
        assert model.metadata.endpoints[0].file == "model.safetensors.index.json"


def test_weights_are_linked_to_parts(tmp_path: Path):
    network, a, b = pair("batch_norm")
    endpoints = [sharded(tmp_path / "a", a, count=3), sharded(tmp_path, b, stem="b")]
    export(endpoints, tmp_path / "model.onnx", alpha_input=True, arch=network, weights="link")
    model = onnx.load(tmp_path / "model.onnx", load_external_data=False)
    entries = [entry for tensor in model.graph.initializer for entry in tensor.external_data]
    assert {entry.value for entry in entries if entry.key == "location"} <= {
        *(f"a/{part_name('model', n, 3)}" for n in (1, 2, 3)),
        *(part_name("b", n, 2) for n in (1, 2)),
    }
    for alpha in (0.0, 0.3, 1.0):
        assert_close(run(tmp_path / "model.onnx", IMAGE, alpha), expected(network, blended(a, b, alpha), IMAGE))


def test_parts_of_pytorchs_format_cannot_be_linked(tmp_path: Path):
    index = sharded(tmp_path, suffix=".bin")
    dni("export", index, index, "--alpha-input", "--weights", "link", "-o", tmp_path / "c.onnx").assert_error(
        "--weights link needs .safetensors endpoints, model.bin.index.json is none"
    )


def test_a_part_alone_is_refused_before_the_work(tmp_path: Path):
    index = sharded(tmp_path)
    part, whole = tmp_path / part_name("model", 1, 2), tmp_path / "whole.safetensors"
    save_file(W, whole)
    for order in ((part, whole), (whole, part)):
        for command in (["inspect"], ["blend", "--alpha", 0.5, "-o", tmp_path / "c.pth"],
                        ["export", "--alpha-input", "-o", tmp_path / "c.onnx"]):  # fmt: skip
            dni(command[0], *order, *command[1:]).assert_error(
                f"{part} is one of 2 parts of a checkpoint; expected the index of them: give {index}"
            )
    index.unlink()
    message = "expected the index of them: get model.safetensors.index.json, which belongs beside the parts"
    assert message in refusal(part)
    alone = part.rename(tmp_path / part_name("model", 1, 1))
    assert list(read_endpoints([alone])[0][0].tensors) == list(load_file(alone))


def changed(index: Path, **files: Any) -> Path:
    held = json.loads(index.read_text())
    held["weight_map"] |= {name.replace("__", "."): file for name, file in files.items()}
    index.write_text(json.dumps(held))
    return index


def test_a_missing_part_is_named(tmp_path: Path):
    index = sharded(tmp_path)
    (tmp_path / part_name("model", 2, 2)).unlink()
    assert f"{tmp_path / part_name('model', 2, 2)} does not exist; expected a checkpoint" in refusal(index)
    (tmp_path / part_name("model", 2, 2)).write_text("version https://git-lfs.github.com/spec/v1\n")
    assert "is a Git LFS pointer, not a checkpoint" in refusal(index)
    (tmp_path / part_name("model", 2, 2)).unlink()
    os.mkfifo(tmp_path / part_name("model", 2, 2))
    assert "is a named pipe; expected a checkpoint" in refusal(index)


def test_index_and_parts_that_disagree(tmp_path: Path):
    first = part_name("model", 1, 2)
    message = refusal(changed(sharded(tmp_path / "a"), more=first))
    assert f"{first} has no 'more', which the index says is in it (model.safetensors.index.json)" in message
    moved = changed(sharded(tmp_path / "b"), layer__1__weight=first)
    assert f"{first} has no 'layer.1.weight', which the index says is in it" in refusal(moved)
    index = sharded(tmp_path / "c")
    save_file({**load_file(index.with_name(first)), "more": torch.ones(1)}, index.with_name(first))
    assert f"{first} has 'more', of which the index says nothing" in refusal(index)
    assert "download all parts and the index again" in refusal(index)


@pytest.mark.parametrize(
    "file", ["../model.safetensors", "/etc/passwd", "", ".", "..", "a\\b", "C:x", "a/b", 3, None, ["a"], "a\0b", "a\nb"]
)
def test_files_elsewhere_are_not_opened(tmp_path: Path, file: Any):
    message = refusal(changed(sharded(tmp_path), layer__1__weight=file))
    assert "model.safetensors.index.json is a JSON file and no index of a checkpoint's parts (" in message


@pytest.mark.parametrize(
    "text",
    [
        *('{"a": 1}', "{}", '{"weight_map": {}}', '{"weight_map": []}', '{"weight_map": 3}', "{", '{"a":' * 5000),
        '{"weight_map": {' + ",".join(f'"{n}": "{n}"' for n in range(101)) + "}}",
        '{"weight_map": {"w": "' + "a" * 300 + '"}}',
        '{"n": ' + "9" * 5000 + "}",
        '{"a": "' + "\N{SNOWMAN}" * 2**22 + '"}',
        '{"weight_map": {"w": "model.json"}}',
    ],
    ids=str.__len__,
)
def test_other_json(tmp_path: Path, text: str):
    path = tmp_path / "model.json"
    path.write_text(text)
    before = names(tmp_path)
    assert str(tmp_path) in refusal(path)
    dni("inspect", path, path).assert_error(str(tmp_path))
    assert names(tmp_path) == before
