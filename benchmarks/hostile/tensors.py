"""Checkpoints that call nothing and are nasty all the same: structures, dtypes, sizes, archives, headers, pipes."""

import json
import os
import struct
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import networks
from archives import held_tensors
from case import Case, Place
from from_packages import write
from pickles import zipped

_TEXTS = ("\x1b[2J", "a\nError: b", "\u202ex", "../../victim", "[bold]x[/bold]", "x" * 100_000, "\x9b2J", "", "é\ud800")
_HEADERS: dict[str, Any] = {
    "a length of 2**63": struct.pack("<Q", 2**63), "a length of 2**64 - 1": struct.pack("<Q", 2**64 - 1),
    "no header": bytes(8),
    "100,000 deep": "[" * 100_000, "no JSON": "{", "a list": "[]", "a number": "1", "100 MB": " " * 100_000_000,
    "begins beyond the end": {"first.weight": {"dtype": "F32", "shape": [1], "data_offsets": [100, 104]}},
    "ends before it begins": {"first.weight": {"dtype": "F32", "shape": [1], "data_offsets": [4, 0]}},
    "negative": {"first.weight": {"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]}},
    "2**62 numbers": {"first.weight": {"dtype": "F32", "shape": [2**62], "data_offsets": [0, 4]}},
    "2**32 x 2**32": {"first.weight": {"dtype": "F32", "shape": [2**32, 2**32], "data_offsets": [0, 0]}},
    "2**62 x 0": {"first.weight": {"dtype": "F32", "shape": [2**62, 0], "data_offsets": [0, 0]}},
    "no dtype": {"first.weight": {"shape": [1], "data_offsets": [0, 4]}},
    "64 axes": {"first.weight": {"dtype": "F32", "shape": [1] * 64, "data_offsets": [0, 4]}},
    "10,000 axes": {"first.weight": {"dtype": "F32", "shape": [1] * 10_000, "data_offsets": [0, 4]}},
    "shared bytes": {n: {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]} for n in ("first.weight", "x")},
}  # fmt: skip
_DTYPES = ("BOOL", "U8", "I8", "I16", "I32", "I64", "U16", "U32", "U64", "F16", "BF16", "F32", "F64", "F8_E4M3",
    "F8_E5M2",
           "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ", "F6_E2M3", "F6_E3M2", "F4", "C64", "F128", "",
           "\x1b[2J")  # fmt: skip
_BITS = {"BOOL": 8, "U8": 8, "I8": 8, "I16": 16, "U16": 16, "F16": 16, "BF16": 16, "I64": 64, "U64": 64,
    "F64": 64, "C64": 64,
         "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6}  # fmt: skip
_STRUCTURES = (
    "contains itself", "3,000 deep", "900 deep under known names", "no tensors", "empty", "a list", "a tensor",
    "a number",
    "names that are numbers", "sparse", "meta", "quantized", "nested tensor", "complex", "float8",
    "strided with 0: 64 GB",
    "a view of another shape", "views of one storage", "an offset", "requires grad", "a Parameter", "a subclass",
    "zero sizes", "a scalar", "NaN", "bool", "int4", "300,000 names", "a bytearray of 2 GB", "a long string",
)  # fmt: skip


def cases() -> Iterator[Case]:
    for what in _HEADERS:
        yield Case("checkpoint", "headers of .safetensors", what, partial(_header, what=what))
    for dtype in _DTYPES:
        yield Case("checkpoint", "headers of .safetensors", f"dtype {dtype!a}", partial(_dtype, dtype=dtype))
    for what in _STRUCTURES:
        yield Case("checkpoint", "structures", what, partial(_structure, what=what))
    for text in _TEXTS:
        for suffix in (".pth", ".safetensors"):
            yield Case(
                "checkpoint", "names", f"{ascii(text)[:40]}, {suffix}", partial(_names, text=text, suffix=suffix)
            )
    for suffix in (".pth", ".safetensors"):
        for what in ("pipe", "/dev/zero", "itself", "nothing", "folder"):
            yield Case("checkpoint", "no files", f"{what}, {suffix}", partial(_no_file, what=what, suffix=suffix))
        for what, data in (
            ("empty", b""),
            ("text", b"hello"),
            ("a web page", b"<html>"),
            ("a zip", b"PK\5\6" + bytes(18)),
            ("a Git LFS pointer", b"version https://git-lfs.github.com/spec/v1\n"),
            ("noise", bytes(range(256))),
        ):
            yield Case(
                "checkpoint", "garbage", f"{what}, {suffix}", partial(write, data=data, name=f"stranger{suffix}")
            )


def _header(place: Place, what: str) -> Path:
    header = _HEADERS[what]
    if isinstance(header, bytes):
        return write(place, header + bytes(16), "stranger.safetensors")
    return _safetensors(place, header, bytes(4))


def _safetensors(place: Place, header: Any, data: bytes) -> Path:
    text = (header if isinstance(header, str) else json.dumps(header)).encode()
    return write(place, struct.pack("<Q", len(text)) + text + data, "stranger.safetensors")


def _dtype(place: Place, dtype: str) -> Path:
    """All tensors of that dtype, as many bytes as it takes."""
    header, at = {}, 0
    for name, array in networks.weights(7).items():
        size = array.size * _BITS.get(dtype, 8 if dtype.startswith("F8") else 32) // 8
        header[name] = {"dtype": dtype, "shape": list(array.shape), "data_offsets": [at, at + size]}
        at += size
    return _safetensors(place, header, bytes(at))


def _save(place: Place, held: Any) -> Path:
    import torch

    target = place.inputs / "stranger.pth"
    torch.save(held, target)
    return target


def _structure(place: Place, what: str) -> Path:
    import torch

    held = held_tensors()
    first = held["first.weight"]
    replaced: dict[str, Callable[[], Any]] = {
        "sparse": first.to_sparse, "meta": lambda: first.to("meta"), "complex": lambda: first.to(torch.complex64),
        "quantized": lambda: torch.quantize_per_tensor(first, 0.1, 0, torch.qint8),
        "nested tensor": lambda: torch.nested.nested_tensor([first, first]),
        "float8": lambda: first.to(torch.float8_e4m3fn), "bool": lambda: first > 0,
        "a scalar": lambda: torch.tensor(1.0),
        "strided with 0: 64 GB": lambda: torch.zeros(1).expand(2**17, 2**17),
        "requires grad": lambda: first.requires_grad_(),
        "a view of another shape": lambda: torch.arange(1000.0).as_strided(first.shape, (1, 2, 3, 4)),
        "views of one storage": lambda: torch.arange(1000.0)[: first.numel()].view(first.shape),
        "an offset": lambda: torch.arange(1000.0)[500:716].view(first.shape), "zero sizes": lambda: torch.zeros(0, 3),
        "a Parameter": lambda: torch.nn.Parameter(first), "NaN": lambda: first * float("nan"),
        "int4": lambda: torch.zeros(first.shape, dtype=torch.int8),
    }  # fmt: skip
    if what in replaced:
        held["first.weight"] = replaced[what]()
        return _save(place, held)
    if what == "contains itself":
        held["params"] = held
        return _save(place, held)
    if what.endswith("deep") or "deep under" in what:
        name, count = ("x", 3000) if what == "3,000 deep" else ("params", 900)
        key = b"X" + struct.pack("<I", len(name)) + name.encode()
        pickled = b"\x80\x02}" + (key + b"}") * (count - 1) + b"s" * (count - 1) + b"."
        return write(place, zipped({"data.pkl": pickled, "version": b"3\n"}), "stranger.pth")
    if what == "a bytearray of 2 GB":
        pickled = b"\x80\x02cbuiltins\nbytearray\nJ\xff\xff\xff\x7f\x85R."
        return write(place, zipped({"data.pkl": pickled, "version": b"3\n"}), "stranger.pth")
    if what == "300,000 names":
        return _save(place, {**held, **{str(number): number for number in range(300_000)}})
    if what == "a subclass":
        return write(
            place, zipped({"data.pkl": b"\x80\x02ccollections\nCounter\n}\x85R.", "version": b"3\n"}), "stranger.pth"
        )
    plain = {
        "no tensors": {"a": 1},
        "empty": {},
        "a list": [first],
        "a tensor": first,
        "a number": 7,
        "names that are numbers": {1: first, 2.5: first, None: first},
        "a long string": {"x": "y" * 50_000_000, **held},
    }
    return _save(place, plain[what])


def _names(place: Place, text: str, suffix: str) -> Path:
    held = {**networks.weights(7), f"{text}x": networks.weights(7)["last.bias"]}
    if suffix == ".pth":
        import torch

        return _save(place, {name: torch.from_numpy(array.copy()) for name, array in held.items()})
    header, data = {}, b""
    for name, array in held.items():
        header[name] = {
            "dtype": "F32",
            "shape": list(array.shape),
            "data_offsets": [len(data), len(data) + array.nbytes],
        }
        data += array.tobytes()
    return _safetensors(place, header, data)


def _no_file(place: Place, what: str, suffix: str) -> Path:
    target = place.inputs / f"stranger{suffix}"
    if what == "pipe":
        os.mkfifo(target)
    elif what == "folder":
        target.mkdir()
    elif what != "nothing":
        target.symlink_to(target.name if what == "itself" else what)
    return target
