"""Checkpoints that old versions of PyTorch and Python wrote, byte by byte."""

import pickle
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.serialization import MAGIC_NUMBER, PROTOCOL_VERSION
from torch_files import named, refusal, text, whole

from dni_exporters import read_endpoints

VALUES = np.arange(6, dtype="<f4")


def python_2_text(value: str) -> bytes:
    """A `str` of Python 2, which is one of bytes."""
    return b"U" + bytes([len(value)]) + value.encode()


def small(*numbers: int) -> bytes:
    return b"".join(b"K" + bytes([number]) for number in numbers)


def weight(function: str, *, count: int = 5, view: bytes = b"") -> bytes:
    """A tensor of `count` elements of the storage `1`, or of its part `view`, from the second on."""
    stored = python_2_text("storage") + named("torch", "FloatStorage") + python_2_text("1") + python_2_text("cuda:0")
    storage = b"(" + stored + small(len(VALUES)) + view + b"tQ"
    hooks = b"\x89" + named("collections", "OrderedDict") + b")R" if function == "_rebuild_tensor_v2" else b""
    arguments = storage + small(1) + b"(" + small(count) + b"t(" + small(1) + b"t" + hooks
    return named("torch._utils", function) + b"(" + arguments + b"tR"


def saved(path: Path, pickled: bytes) -> Path:
    system = {"protocol_version": PROTOCOL_VERSION, "little_endian": True, "type_sizes": {}}
    parts = [pickle.dumps(part, 2) for part in (MAGIC_NUMBER, PROTOCOL_VERSION, system)]
    parts += [pickled, pickle.dumps(["1"], 2), struct.pack("<q", len(VALUES)), VALUES.tobytes()]
    path.write_bytes(b"".join(parts))
    return path


NAME = python_2_text("conv.weight")
CONTAINERS = {
    "dictionary": lambda tensor: b"}(" + NAME + tensor + b"u",
    "filled": lambda tensor: named("collections", "OrderedDict") + b")R(" + NAME + tensor + b"u",
    "made of pairs": lambda tensor: named("collections", "OrderedDict") + b"](](" + NAME + tensor + b"ee\x85R",
}


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("function", ["_rebuild_tensor", "_rebuild_tensor_v2"])
@pytest.mark.parametrize("view", [b"", b"N"], ids=["five", "six"])
def test_python_2(tmp_path: Path, container: str, function: str, view: bytes):
    path = saved(tmp_path / "a.pth", whole(CONTAINERS[container](weight(function, view=view))))
    (tensors,) = (read.tensors for read in read_endpoints([path])[0])
    assert {name: tensor.tolist() for name, tensor in tensors.items()} == {"conv.weight": [1, 2, 3, 4, 5]}


def test_a_part_of_a_storage(tmp_path: Path):
    view = b"(" + python_2_text("2") + small(1, 5) + b"t"
    tensor = weight("_rebuild_tensor_v2", count=4, view=view)
    path = saved(tmp_path / "a.pth", whole(b"}(" + text("w") + tensor + b"u"))
    expected = torch.load(path, weights_only=True, map_location="cpu")["w"]
    assert expected.tolist() == [2, 3, 4, 5]
    assert torch.equal(read_endpoints([path])[0][0].tensors["w"], expected)


@pytest.mark.parametrize("start", [2, 200])
def test_a_part_beyond_its_storage(tmp_path: Path, start: int):
    view = b"(" + python_2_text("2") + small(start, 5) + b"t"
    path = saved(tmp_path / "a.pth", whole(CONTAINERS["dictionary"](weight("_rebuild_tensor", view=view))))
    assert f"{path} is damaged or not a PyTorch checkpoint" in refusal(path)
