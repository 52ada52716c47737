from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from networks import Weights

from dni_exporters import Checkpoint, read_endpoints

A = {"conv.weight": torch.arange(12.0).reshape(2, 2, 3), "conv.bias": torch.tensor([0.5, -0.5])}
B = {name: tensor + 1 for name, tensor in A.items()}
OTHER = {name: tensor * 100 for name, tensor in A.items()}


def save(value: object, path: Path) -> Path:
    torch.save(value, path)
    return path


def read(*sources: Any) -> list[Checkpoint]:
    return read_endpoints(sources)[0]


def assert_holds(checkpoint: Checkpoint, weights: Weights) -> None:
    assert list(checkpoint.tensors) == list(weights)
    assert all(torch.equal(checkpoint.tensors[name], weights[name]) for name in weights)


@pytest.mark.parametrize("suffix", [".pth", ".pt", ".ckpt"])
@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
def test_pickled_files_are_read(tmp_path: Path, suffix: str, zipped: bool):
    path = tmp_path / f"a{suffix}"
    torch.save(A, path, _use_new_zipfile_serialization=zipped)
    (checkpoint,) = read(path)
    assert_holds(checkpoint, A)
    assert (checkpoint.name, checkpoint.path) == (f"a{suffix}", path)


@pytest.mark.parametrize("suffix", [".safetensors", ".SAFETENSORS"])
def test_safetensors_files_are_read(tmp_path: Path, suffix: str):
    safetensors.torch.save_file(A, tmp_path / f"a{suffix}")
    (checkpoint,) = read(str(tmp_path / f"a{suffix}"))
    assert {name: tensor.tolist() for name, tensor in checkpoint.tensors.items()} == {
        name: tensor.tolist() for name, tensor in A.items()
    }


def test_a_state_dict_is_taken_as_it_is():
    a, b = read(A, B)
    assert_holds(a, A)
    assert_holds(b, B)
    assert (a.name, b.name, a.path) == ("endpoint 1", "endpoint 2", None)


def test_the_hash_is_the_files():
    # Known answer: made by sha256sum.
    assert read({"a": torch.zeros(2)})[0].sha256 != read({"a": torch.ones(2)})[0].sha256
    assert read({"a": torch.zeros(2)})[0].sha256 != read({"b": torch.zeros(2)})[0].sha256
    assert read({"a": torch.zeros(2)})[0].sha256 != read({"a": torch.zeros(2, 1)})[0].sha256
    assert read({"a": torch.zeros(2), "b": torch.ones(())})[0].sha256 == (
        read({"b": torch.ones(()), "a": torch.zeros(2)})[0].sha256
    )


@pytest.mark.parametrize("nesting", ["params_ema", "params", "state_dict", "model", "generator", "g_ema"])
def test_known_keys_are_unwrapped(tmp_path: Path, nesting: str):
    (checkpoint,) = read(save({nesting: A, "epoch": 3, "optimizer": {"lr": 1e-4}}, tmp_path / "a.pth"))
    assert_holds(checkpoint, A)
    assert checkpoint.nesting == (nesting,)
    assert checkpoint.container["epoch"] == 3


@pytest.mark.parametrize(
    "keys", [("model", "state_dict"), ("state_dict", "generator"), ("model", "generator", "params_ema")]
)
def test_nested_keys_are_unwrapped(tmp_path: Path, keys: tuple[str, ...]):
    value: dict[str, Any] = dict(A)
    for key in reversed(keys):
        value = {key: value, "iteration": 5}
    (checkpoint,) = read(save(value, tmp_path / "a.pth"))
    assert_holds(checkpoint, A)
    assert checkpoint.nesting == keys


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "module._orig_mod.", "_orig_mod.module.module."])
def test_prefixes_of_wrappers_are_taken_off(prefix: str):
    (checkpoint,) = read({"params": {prefix + name: tensor for name, tensor in A.items()}})
    assert_holds(checkpoint, A)
    assert checkpoint.prefix == prefix


def test_a_prefix_that_only_some_names_have_stays():
    weights = {"module.weight": torch.ones(2), "bias": torch.ones(2)}
    assert_holds(read(weights)[0], weights)


def test_values_that_are_no_tensors_are_left_out():
    assert_holds(read({**A, "version": 2, "names": ["a"]})[0], A)


def test_the_moving_average_is_preferred_in_every_endpoint_and_noted():
    checkpoints, notes = read_endpoints([{"params": OTHER, "params_ema": A}, {"params_ema": B, "params": OTHER}])
    assert_holds(checkpoints[0], A)
    assert_holds(checkpoints[1], B)
    assert notes == ["weights taken from params_ema of every endpoint"]


@pytest.mark.parametrize("swapped", [False, True])
def test_the_key_that_all_endpoints_have_is_taken_from_all(swapped: bool):
    both, one = {"params": A, "params_ema": OTHER}, {"params": B}
    sources = [one, both] if swapped else [both, one]
    checkpoints, notes = read_endpoints(sources)
    assert [checkpoint.nesting for checkpoint in checkpoints] == [("params",), ("params",)]
    assert_holds(checkpoints[1 if swapped else 0], A)
    assert notes == ["weights taken from params of every endpoint"]


def test_different_keys_are_noted_with_the_files(tmp_path: Path):
    paths = save({"params_ema": A}, tmp_path / "a.pth"), save({"state_dict": B}, tmp_path / "b.pth")
    checkpoints, notes = read_endpoints(paths)
    assert_holds(checkpoints[0], A)
    assert_holds(checkpoints[1], B)
    assert notes == ["weights taken from params_ema of a.pth, state_dict of b.pth"]


def test_tensors_beside_the_weights_are_never_taken_for_them():
    counter = {"global_step": torch.tensor(7)}
    checkpoints, _ = read_endpoints([{**counter, "params_ema": A}, {**counter, "params": B}])
    assert_holds(checkpoints[0], A)
    assert_holds(checkpoints[1], B)


def test_nothing_to_choose_from_is_not_noted():
    assert read_endpoints([{"params": A}, {"params": B}])[1] == []
    assert read_endpoints([A, B])[1] == []


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_the_hash_of_a_file_is_that_of_sha256sum(tmp_path: Path, suffix: str):
    import hashlib

    path = tmp_path / f"a{suffix}"
    writer: Callable[..., None] = torch.save if suffix == ".pth" else safetensors.torch.save_file
    writer(A, path)
    assert read(path)[0].sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
