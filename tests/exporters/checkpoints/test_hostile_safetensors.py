"""A .safetensors file whose header and numbers do not agree, or hold what cannot be blended."""

import json
import struct
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from torch_files import refusal

from dni_exporters import read_endpoints


def header(path: Path, entries: Any, data: bytes = b"", length: int | None = None) -> Path:
    encoded = entries if isinstance(entries, bytes) else json.dumps(entries).encode()
    path.write_bytes(struct.pack("<Q", len(encoded) if length is None else length) + encoded + data)
    return path


def entry(dtype: str, shape: list[int], *offsets: int) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": list(offsets)}


SAFETENSORS: dict[str, tuple[Any, bytes]] = {
    "overlapping": ({"a": entry("F32", [2], 0, 8), "b": entry("F32", [2], 4, 12)}, bytes(12)),
    "with a hole": ({"a": entry("F32", [2], 0, 8), "b": entry("F32", [2], 12, 20)}, bytes(20)),
    "short": ({"a": entry("F32", [4], 0, 16)}, bytes(12)),
    "long": ({"a": entry("F32", [1], 0, 4)}, bytes(400)),
    "another shape": ({"a": entry("F32", [3], 0, 16)}, bytes(16)),
    "oversized": ({"a": entry("F32", [2**62, 4], 0, 16)}, bytes(16)),
    "backwards": ({"a": entry("F32", [2], 8, 0)}, bytes(8)),
    "negative": ({"a": entry("F32", [-2], 0, 8)}, bytes(8)),
    "unknown type": ({"a": entry("F31", [2], 0, 8)}, bytes(8)),
    "twice": (b'{"a":%s,"a":%s}' % ((json.dumps(entry("F32", [1], 0, 4)).encode(),) * 2), bytes(8)),
    "deep": (b'{"a":' * 5000, b""),
    "no object": (b"[]", b""),
    "no JSON": (b"{", b""),
}  # fmt: skip


@pytest.mark.parametrize("kind", SAFETENSORS)
def test_safetensors_of_two_minds(tmp_path: Path, kind: str):
    path = header(tmp_path / "a.safetensors", *SAFETENSORS[kind])
    assert "is damaged or not a .safetensors file (" in refusal(path)


@pytest.mark.parametrize("dtype", ["F8_E4M3", "F8_E5M2", "F8_E8M0", "F4"])
def test_types_of_safetensors_that_cannot_be_blended(tmp_path: Path, dtype: str):
    size = 1 if dtype == "F4" else 2
    path = header(tmp_path / "a.safetensors", {"a": entry(dtype, [2], 0, size)}, bytes(size))
    assert "a is of the type " in (message := refusal(path))
    assert "which cannot be blended; expected dense tensors of float32" in message


def test_safetensors_without_numbers_and_of_every_usual_type(tmp_path: Path):
    types = (torch.bfloat16, torch.int64, torch.bool, torch.uint16, torch.uint32, torch.uint64, torch.complex64)
    state = {str(t): torch.ones(3).to(t) for t in types} | {"none": torch.ones(0, 3)}
    safetensors.torch.save_file(state, tmp_path / "a.safetensors")
    got = read_endpoints([tmp_path / "a.safetensors"])[0][0].tensors
    assert all(torch.equal(got[name], value) for name, value in state.items())


def test_a_header_whose_length_begins_like_a_web_page(tmp_path: Path):
    """15,392 bytes are, as their file's first two, a space and an angle bracket."""
    encoded = json.dumps({"w": entry("F32", [1], 0, 4)}).encode().ljust(0x3C20)
    header(tmp_path / "a.safetensors", encoded, struct.pack("<f", 2.5))
    assert read_endpoints([tmp_path / "a.safetensors"])[0][0].tensors["w"].tolist() == [2.5]


def test_a_header_larger_than_any(tmp_path: Path):
    path = header(tmp_path / "a.safetensors", b"{" + b" " * 2**23 + b"}")
    assert "needs more than 8 MiB to say what it holds" in refusal(path)
