"""Files that are no checkpoints: one clear sentence for each, and never any code of theirs run."""

import os
import pickle
import zipfile
from pathlib import Path

import pytest
import safetensors.torch
import torch
from exporting import small_network

from dni_exporters import read_endpoints
from dni_runtime import CheckpointError

WEIGHTS = {"weight": torch.randn(64, 64), "bias": torch.randn(64)}


def refusal(path: Path) -> str:
    with pytest.raises(CheckpointError) as caught:
        read_endpoints([path])
    message = str(caught.value)
    assert "\n" not in message
    assert path.name in message
    return message


class Malicious:
    """What a pickle can do: any call at all while it is loaded."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self):
        return os.mkdir, (str(self.marker),)


def write_zip(value: object, path: Path) -> None:
    torch.save(value, path)


def write_legacy(value: object, path: Path) -> None:
    torch.save(value, path, _use_new_zipfile_serialization=False)


def write_plain(value: object, path: Path) -> None:
    path.write_bytes(pickle.dumps(value, protocol=2))


@pytest.mark.parametrize("write", [write_zip, write_legacy, write_plain])
@pytest.mark.parametrize("place", ["beside", "inside"])
def test_code_in_a_pickle_is_refused_and_not_run(tmp_path: Path, write, place: str):
    marker, path = tmp_path / "it-ran", tmp_path / "evil.pth"
    weights = {"params": {"weight": torch.ones(2)}}
    value = {**weights, "extra": Malicious(marker)}
    if place == "inside":
        value = {"params": {"weight": Malicious(marker)}}
    if write is write_plain:
        value = Malicious(marker)  # tensors need torch's own format
    write(value, path)
    message = refusal(path)
    assert "wants to run code when it is loaded (posix.mkdir), which is refused" in message
    assert "ask its author for a file of tensors only" in message
    assert not marker.exists()


def test_the_malicious_file_works(tmp_path: Path):
    """The test above can fail: loaded carelessly, the file does run its code."""
    write_zip(Malicious(tmp_path / "it-ran"), tmp_path / "evil.pth")
    torch.load(tmp_path / "evil.pth", weights_only=False)
    assert (tmp_path / "it-ran").exists()


def test_a_pickled_network_is_refused(tmp_path: Path):
    torch.save(small_network(), tmp_path / "network.pth")
    message = refusal(tmp_path / "network.pth")
    assert "wants to run code when it is loaded (torch.nn.modules.container.Sequential)" in message
    assert "a state_dict, best as .safetensors" in message


def test_torchscript_is_refused(tmp_path: Path):
    path = tmp_path / "script.pth"
    traced_program(path)
    assert "is a TorchScript program, not a checkpoint; save its state_dict() instead" in refusal(path)


def traced_program(path: Path) -> None:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch wants users to leave TorchScript
        torch.jit.save(torch.jit.trace(small_network(), torch.rand(1, 3, 8, 8)), path)


@pytest.mark.parametrize("kept", [0.02, 0.5, 0.99])
@pytest.mark.parametrize("write", [write_zip, write_legacy])
def test_a_truncated_pickle_is_damaged(tmp_path: Path, write, kept: float):
    path = tmp_path / "cut.pth"
    write(WEIGHTS, path)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * kept)])
    assert "is damaged or not a PyTorch checkpoint" in refusal(path)
    assert "whole; download it again" in refusal(path)


@pytest.mark.parametrize("kept", [4, 60, 9000])
def test_truncated_safetensors_are_damaged(tmp_path: Path, kept: int):
    path = tmp_path / "cut.safetensors"
    safetensors.torch.save_file(WEIGHTS, path)
    path.write_bytes(path.read_bytes()[:kept])
    assert "is damaged or not a .safetensors file" in refusal(path)
    assert "download it again" in refusal(path)


def test_a_zip_of_something_else_is_damaged(tmp_path: Path):
    with zipfile.ZipFile(tmp_path / "photos.pth", "w") as archive:
        archive.writestr("a.txt", "hello")
    assert "is damaged or not a PyTorch checkpoint" in refusal(tmp_path / "photos.pth")


@pytest.mark.parametrize("data", [os.urandom(4000), b"hello", b"\x80\x02.", b"\x80"])
def test_arbitrary_bytes_are_damaged(tmp_path: Path, data: bytes):
    (tmp_path / "a.pth").write_bytes(data)
    assert "a.pth is damaged or not a PyTorch checkpoint" in refusal(tmp_path / "a.pth")


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\n<!DOCTYPE html><html><title>Google Drive</title></html>", "is a web page, not a checkpoint"),
        (b"", "is empty; download or save it again"),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:0000\nsize 123\n",
            "is a Git LFS pointer, not a checkpoint; fetch the file itself (git lfs pull)",
        ),
    ],
    ids=["web page", "empty", "Git LFS pointer"],
)
def test_what_came_instead_of_a_checkpoint_is_named(tmp_path: Path, suffix: str, data: bytes, message: str):
    path = tmp_path / f"a{suffix}"
    path.write_bytes(data)
    assert message in refusal(path)


@pytest.mark.parametrize("value", [{"epoch": 3}, {"params": {}}, {"optimizer": {"weight": torch.ones(2)}}, {}])
def test_a_file_without_weights_names_the_places_searched(tmp_path: Path, value: object):
    torch.save(value, tmp_path / "a.pth")
    message = refusal(tmp_path / "a.pth")
    assert "a.pth holds no weights: no dictionary of named tensors in it or under params_ema, params" in message


def test_safetensors_without_tensors_hold_no_weights(tmp_path: Path):
    safetensors.torch.save_file({}, tmp_path / "a.safetensors")
    assert "a.safetensors holds no weights" in refusal(tmp_path / "a.safetensors")


@pytest.mark.parametrize(("value", "kind"), [(torch.ones(3), "Tensor"), ([torch.ones(3)], "list")])
def test_a_file_of_something_else_says_what_it_holds(tmp_path: Path, value: object, kind: str):
    torch.save(value, tmp_path / "a.pth")
    assert f"holds a {kind}, not a state dict; save the network's state_dict()" in refusal(tmp_path / "a.pth")


def test_a_missing_file_and_a_folder_cannot_be_read(tmp_path: Path):
    assert "missing.pth does not exist; expected a checkpoint, one of .pth" in refusal(tmp_path / "missing.pth")
    assert "is a folder; expected a checkpoint" in refusal(tmp_path)


def test_an_empty_state_dict_is_refused():
    with pytest.raises(CheckpointError, match="a state dict holds no weights"):
        read_endpoints([{}])
