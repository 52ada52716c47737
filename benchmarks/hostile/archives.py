"""Checkpoints of good tensors in archives that are not as PyTorch writes them."""

import io
import struct
import warnings
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import networks
from case import Case, Place
from from_packages import write
from pickles import zipped

_ARCHIVES = ("deflated", "bzip2", "lzma", "members too short", "members empty", "members too long", "members missing",
             "twice the same member", "zip bomb", "names with ..", "an absolute name", "encrypted flag",
             "a wrong checksum",
             "big endian", "no byteorder", "a comment", "text before", "larger and deflated",
             "directory cut off")  # fmt: skip


def cases() -> Iterator[Case]:
    for what in _ARCHIVES:
        yield Case("checkpoint", "archives", what, partial(_archive, what=what))


def held_tensors() -> dict[str, Any]:
    import torch

    return {name: torch.from_numpy(array.copy()) for name, array in networks.weights(7).items()}


def _archive(place: Place, what: str) -> Path:
    import torch

    file = io.BytesIO()
    held = held_tensors()
    if what == "larger and deflated":
        held["more"] = torch.zeros(500_000)
    torch.save(held, file)
    with zipfile.ZipFile(file) as archive:
        members = {name.partition("/")[2]: archive.read(name) for name in archive.namelist()}
    ways = {"deflated": zipfile.ZIP_DEFLATED, "bzip2": zipfile.ZIP_BZIP2, "lzma": zipfile.ZIP_LZMA,
            "larger and deflated": zipfile.ZIP_DEFLATED, "zip bomb": zipfile.ZIP_DEFLATED}  # fmt: skip
    change: dict[str, Callable[[bytes], bytes]] = {
        "members too short": lambda data: data[: len(data) // 2],
        "members empty": lambda data: b"",
        "members too long": lambda data: data * 2,
    }
    if what in change:
        members = {name: change[what](data) if name.startswith("data/") else data for name, data in members.items()}
    elif what == "members missing":
        members = {name: data for name, data in members.items() if name != "data/1"}
    elif what == "zip bomb":
        members["data/0"] = bytes(2_000_000_000)
    elif what == "names with ..":
        members["../../victim.txt"] = b"x"
    elif what == "big endian":
        members["byteorder"] = b"big"
    elif what == "no byteorder":
        members.pop("byteorder", None)
    data = zipped(
        members, "/archive/" if what == "an absolute name" else "archive/", ways.get(what, zipfile.ZIP_STORED)
    )
    return write(place, _damage(data, what), "stranger.pth")


def _damage(data: bytes, what: str) -> bytes:
    if what == "encrypted flag":
        return data.replace(b"PK\1\2\x14\3\x14\0\0\0", b"PK\1\2\x14\3\x14\0\1\0")
    if what == "a wrong checksum":
        at = data.index(b"data/0") + 200
        return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
    if what == "text before":
        return b"#!/bin/sh\n" + data
    if what == "directory cut off":
        return data[:-40]
    if what == "a comment":
        return data[:-2] + struct.pack("<H", 5) + b"\x1b[2Jx"
    if what == "twice the same member":
        file = io.BytesIO(data)
        with zipfile.ZipFile(file, "a") as archive, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            archive.writestr("archive/data/0", bytes(864))
        return file.getvalue()
    return data
