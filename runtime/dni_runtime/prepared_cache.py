"""Prepared models on disk, so that a model is prepared once on a machine and not at every start.

An entry is a folder, named by everything that its content depends on. It appears whole or not at all, every file
of it is checked against its digest when it is read, and whatever is wrong with it, it is made again. The
stored endpoints are mapped, not read: processes that run the same model share that memory.
"""

import contextlib
import functools
import hashlib
import json
import os
import platform
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import onnx
import onnxruntime

from .cache_folder import cache_folder
from .prepare import Prepared, Scaling, Slice

# To be raised with every change to what `prepare` makes.
_FORMAT = 6
_LIMIT_BYTES = 4 * 2**30
# The folder may be shared with others; only what is called so is ever removed.
_ENTRY, _UNFINISHED = "prepared-", ".prepared-"
_PLAN = "plan.json"
_ARRAYS = {"endpoints": np.float32, "fixed": np.float32}
_GRAPHS = ("head", "body")


def prepared_once(file: Path, slim: onnx.ModelProto, make: Callable[[], Prepared]) -> Prepared:
    """The prepared model of `file` from the cache; made, checked (by `make`) and kept if it is not there.

    `slim`: the model in `file`, without its weights. A cache that cannot be read or written costs time only.
    """
    folder = cache_folder()
    if folder is None:
        return make()
    entry = folder / f"{_ENTRY}{_key(file, slim)}"
    if (kept := _read(entry)) is not None:
        return kept
    prepared = make()
    with contextlib.suppress(OSError):
        _write(prepared, entry)
        _prune(folder, entry)
    return prepared


def _key(file: Path, slim: onnx.ModelProto) -> str:
    """A name for the model's content, ONNX Runtime's version, and the CPU, which decides on the layout."""
    digest = hashlib.sha256(f"{_FORMAT} {onnxruntime.__version__} {_cpu()}".encode())
    elsewhere = {
        entry.value for tensor in slim.graph.initializer for entry in tensor.external_data if entry.key == "location"
    }
    for name in [file.name, *sorted(elsewhere - {file.name})]:
        with (file.parent / name).open("rb") as opened:
            digest.update(hashlib.file_digest(opened, "sha256").digest())
    return digest.hexdigest()[:40]


@functools.cache
def _cpu() -> str:
    """The CPU's instruction sets where the system tells them (Linux), else its name."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith(("flags", "Features")):
                return line
    return f"{platform.machine()} {platform.processor()}"


def _write(prepared: Prepared, entry: Path) -> None:
    entry.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=entry.parent))
    try:
        for name in _GRAPHS:
            (temporary / name).write_bytes(getattr(prepared, name))
        for name in _ARRAYS:
            with (temporary / name).open("wb") as opened:
                np.save(opened, getattr(prepared, name), allow_pickle=False)
        plan = {
            "total": prepared.total,
            "packed": prepared.packed,
            "slices": [asdict(s) for s in prepared.slices],
            "scalings": [asdict(s) for s in prepared.scalings],
        }
        digests = {name: _digest(temporary / name) for name in (*_GRAPHS, *_ARRAYS)}
        text = json.dumps(plan, sort_keys=True)
        digests[_PLAN] = hashlib.sha256(text.encode()).hexdigest()
        (temporary / _PLAN).write_text(json.dumps({"plan": text, "sha256": digests}))
        shutil.rmtree(entry, ignore_errors=True)  # a broken one
        temporary.rename(entry)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _read(entry: Path) -> Prepared | None:
    """The entry, None where there is none or it is not whole."""
    try:
        stored = json.loads((entry / _PLAN).read_text())
        digests = stored["sha256"]
        found = {name: _digest(entry / name) for name in (*_GRAPHS, *_ARRAYS)}
        found[_PLAN] = hashlib.sha256(stored["plan"].encode()).hexdigest()
        if found != digests:
            return None
        plan = json.loads(stored["plan"])
        arrays = {name: np.load(entry / name, mmap_mode="r", allow_pickle=False) for name in _ARRAYS}
        if any(arrays[name].dtype != kind for name, kind in _ARRAYS.items()):
            return None
        with contextlib.suppress(OSError):  # a cache that may only be read
            os.utime(entry)  # what was used last is removed last
        return Prepared(
            head=(entry / "head").read_bytes(),
            body=(entry / "body").read_bytes(),
            total=int(plan["total"]),
            packed=bool(plan["packed"]),
            slices=tuple(Slice(**{**s, "shape": tuple(s["shape"])}) for s in plan["slices"]),
            scalings=tuple(Scaling(**s) for s in plan["scalings"]),
            **arrays,
        )
    except Exception:  # what it may hold instead knows no end
        return None


def _digest(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _prune(folder: Path, newest: Path) -> None:
    """Remove the entries that were not used for longest until the others fit into the limit."""
    ours = (e for e in folder.iterdir() if e.name.startswith((_ENTRY, _UNFINISHED)) and e.is_dir())
    entries = sorted(ours, key=lambda e: e.stat().st_mtime, reverse=True)
    total = 0
    for entry in entries:
        total += sum(file.stat().st_size for file in entry.iterdir())
        if total > _LIMIT_BYTES and entry != newest:
            shutil.rmtree(entry, ignore_errors=True)
