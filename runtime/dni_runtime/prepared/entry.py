"""A prepared model as a folder: written whole, and read only if all of it is there, as it was written, and fits.

It says itself of which model it is, whatever the folder is called. The stored endpoints are mapped, not read: processes
that run the same model share that memory. Nothing of ours changes a file once it is in its place; who shortens one by
hand while it is in use ends the processes that use it, as with every mapped file.
"""

import hashlib
import json
import math
import mmap
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.lib import format as npy

from dni_runtime.files.cache_folder import why_not_ours
from dni_runtime.files.digest import digest_aside
from dni_runtime.files.regular_file import open_file

from .flat_weights import Group, Prepared, Scaling, Slice, aligned, require

_PLAN = "plan.json"
_ARRAYS = ("endpoints", "fixed", "probe")
_GRAPHS = ("head", "body")
FILES = frozenset({_PLAN, *_ARRAYS, *_GRAPHS})
_HEADER_BYTES = 4096

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Entry:
    """What is kept.

    key:    of which model, and for what machine and version, it is.
    probe:  what it made of a small image when it was made, to be compared when it is read.
    said:   what whoever opens the model again has to know of it, plain data for JSON.
    """

    key: str
    prepared: Prepared
    probe: FloatArray
    said: Any


def write_entry(entry: Entry, folder: Path) -> None:
    """Write into `folder`, which is empty and this user's alone. Raises OSError."""
    prepared = entry.prepared
    for name in _GRAPHS:
        (folder / name).write_bytes(getattr(prepared, name))
    for name, values in (("endpoints", prepared.endpoints), ("fixed", prepared.fixed), ("probe", entry.probe)):
        with (folder / name).open("wb") as opened:
            np.save(opened, values, allow_pickle=False)
    plan = {
        "key": entry.key,
        "said": entry.said,
        "total": prepared.total,
        "packed": prepared.packed,
        "slices": [asdict(s) for s in prepared.slices],
        "scalings": [asdict(s) for s in prepared.scalings],
        "groups": [asdict(group) for group in prepared.groups],
    }
    digests = {name: _digest((folder / name).read_bytes()) for name in (*_GRAPHS, *_ARRAYS)}
    text = json.dumps(plan, sort_keys=True)
    digests[_PLAN] = hashlib.sha256(text.encode()).hexdigest()
    (folder / _PLAN).write_text(json.dumps({"plan": text, "sha256": digests}))
    for name in FILES:
        (folder / name).chmod(0o600)  # the umask may let a group write


def read_entry(folder: Path, key: str) -> tuple[Entry, Callable[[], bool]] | None:
    """The entry in `folder`, None unless it is whole, this user's, that of `key`, and its parts fit each other.

    And a function that waits for the digest of the endpoints, which another thread computes meanwhile, and tells
    whether it is right; they are numbers alone, which may be computed with before.
    """
    try:
        if any(why_not_ours(path) for path in (folder, *(folder / name for name in FILES))):
            return None
        with open_file(folder / _PLAN) as file:
            stored = json.loads(file.read())
        wanted = stored["sha256"]
        mapped = {name: _map(folder / name) for name in (*_GRAPHS, *_ARRAYS)}
        endpoints = digest_aside(lambda: _digest(mapped["endpoints"]))
        found = {name: _digest(mapped[name]) for name in mapped if name != "endpoints"}
        found[_PLAN] = hashlib.sha256(stored["plan"].encode()).hexdigest()
        plan = json.loads(stored["plan"])
        if {**found, "endpoints": wanted["endpoints"]} != wanted or plan["key"] != key:
            return None
        arrays = {name: _array(mapped[name]) for name in _ARRAYS}
        probe = np.array(arrays["probe"])
        prepared = Prepared(
            head=bytes(mapped["head"]),
            body=bytes(mapped["body"]),
            endpoints=arrays["endpoints"],
            fixed=arrays["fixed"],
            total=plan["total"],
            packed=plan["packed"],
            slices=tuple(Slice(**{**s, "shape": tuple(s["shape"])}) for s in plan["slices"]),
            scalings=tuple(Scaling(**s) for s in plan["scalings"]),
            groups=tuple(Group(**{**group, "shares": tuple(group["shares"])}) for group in plan["groups"]),
        )
        _check(prepared)
        return Entry(key, prepared, probe, plan["said"]), lambda: endpoints() == wanted["endpoints"]
    except Exception:  # what it may hold instead knows no end
        return None


def _map(path: Path) -> mmap.mmap | bytes:
    """The bytes of a file, which are what is looked at from here on, whatever happens to its name."""
    with open_file(path) as file:
        if os.fstat(file.fileno()).st_size == 0:
            return b""
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def _digest(content: mmap.mmap | bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _array(mapped: mmap.mmap | bytes) -> FloatArray:
    """What `numpy.save` wrote, in place. Raises ValueError for anything but float32."""
    header = BytesIO(mapped[:_HEADER_BYTES])
    require(npy.read_magic(header) == (1, 0))
    shape, is_fortran, dtype = npy.read_array_header_1_0(header)
    require(dtype == np.float32 and not is_fortran)
    values: FloatArray = np.frombuffer(mapped, np.float32, math.prod(shape), header.tell()).reshape(shape)
    require(header.tell() + values.nbytes == len(mapped))
    return values


def _check(prepared: Prepared) -> None:
    """Raise ValueError unless every part lies where `prepare` puts it; that graphs fit is seen when they are opened."""
    require(type(prepared.total) is int and type(prepared.packed) is bool)
    require(all(array.ndim == 1 for array in (prepared.endpoints, prepared.fixed)))
    for group in prepared.groups:
        require(_is_count(group.count) and bool(group.shares) and all(type(s) is int and s >= 0 for s in group.shares))
    require(len(prepared.endpoints) == sum(len(group.shares) * group.count for group in prepared.groups))
    ends = {False: 0, True: 0}
    for part in prepared.slices:
        require(type(part.name) is str and type(part.fixed) is bool and all(map(_is_count, part.shape)))
        require(type(part.start) is int and part.start == ends[part.fixed])
        ends[part.fixed] += aligned(math.prod(part.shape))
    require(ends == {False: prepared.total, True: len(prepared.fixed)})
    for s in prepared.scalings:
        require(all(map(_is_count, (s.count, s.outer, s.inner, s.repeats))) and type(s.divides) is bool)
        require(all(type(start) is int and start >= 0 for start in (s.start, s.factor_start)))
        require(s.count % (s.outer * s.inner * s.repeats) == 0 and s.start + s.count <= prepared.total)


def _is_count(value: object) -> bool:
    return type(value) is int and value > 0
