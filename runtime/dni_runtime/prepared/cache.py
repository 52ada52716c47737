"""Prepared models on disk, so that a model is prepared once on a machine and not at every start.

An entry is a folder, named by everything that its content depends on, and holding that name. It appears whole or not at
all, is checked when it is read, and whatever is wrong with it, it is made again.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import platform
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import onnxruntime

from dni_runtime.files.cache_folder import cache_folder, why_not_ours
from dni_runtime.files.digest import file_digest
from dni_runtime.files.unfinished import unfinished_folder

from .entry import Entry, FloatArray, read_entry, write_entry
from .flat_weights import Prepared

if TYPE_CHECKING:
    import onnx

T = TypeVar("T")

# To be raised with every change to what `prepare` makes, to how an entry keeps it, and to which models are refused: one
# that is found here is not looked at again.
_FORMAT = 17
_LIMIT_BYTES = 4 * 2**30
# The folder may hold other things; only what is called so is ever removed. What begins with a dot was left by a version
# that named unfinished entries so, when it was killed.
_ENTRY, _UNFINISHED = "prepared-", ".prepared-"
_UNFINISHED_S = 3600.0
# The same sums in another order, as for the check of a prepared model against its file.
_TOLERANCE = 1e-5


def prepared_once(
    file: Path,
    slim: onnx.ModelProto,
    *,
    said: object,
    make: Callable[[], tuple[Prepared, T]],
    use: Callable[[Prepared], T],
    probe: Callable[[T], FloatArray],
) -> T:
    """What `use` makes of the prepared model of `file` from the cache, or `make` if it is not there.

    `slim`: the model in `file`, without its weights. `said`: of it, to be kept, see `Entry`. `make`: prepares it,
    checks what comes of it, and returns both. `probe`: runs it on one small image, always the same. An entry that
    cannot be used, or gives another result than when it was made, is made again. A cache that cannot be read or written
    costs time only.
    """
    folder = cache_folder()
    if folder is None:
        return make()[1]
    key = content_key(file, slim)
    found = from_cache(key, use=lambda entry: use(entry.prepared), probe=probe)
    if found is not None:
        return found
    prepared, used = make()
    with contextlib.suppress(Exception):
        place = _place(folder, key)
        _keep(Entry(key, prepared, probe(used), said), place)
        _prune(folder, place)
    return used


def from_cache(key: str, *, use: Callable[[Entry], T], probe: Callable[[T], FloatArray]) -> T | None:
    """What `use` makes of the entry of `key`, None where there is none that can be used, see `prepared_once`."""
    folder = cache_folder()
    if folder is None:
        return None
    place = _place(folder, key)
    with contextlib.suppress(Exception):  # of ONNX Runtime, NumPy, memory
        if (found := read_entry(place, key)) is not None:
            entry, is_whole = found
            used = use(entry)
            if _is_same(probe(used), entry.probe) and is_whole():
                with contextlib.suppress(OSError):  # a cache that may only be read
                    os.utime(place)  # what was used last is removed last
                return used
    return None


def _is_same(result: FloatArray, kept: FloatArray) -> bool:
    if result.shape != kept.shape:
        return False
    error, largest = float(np.abs(result - kept).max()), float(np.abs(kept).max())
    return error <= _TOLERANCE * max(1.0, largest)  # NaN is not


def content_key(file: Path, slim: onnx.ModelProto) -> str:
    """A name for the model's content, ONNX Runtime's version, and the CPU, which decides on the layout."""
    from dni_runtime.onnx_files.external_data import locations

    names = [file.name, *sorted(locations(slim).keys() - {file.name})]
    return key_of([file_digest(file.parent / name) for name in names])


def key_of(digests: Iterable[str]) -> str:
    """The key of the model in files of these SHA-256: its own, then those that it keeps weights in."""
    digest = hashlib.sha256(f"{_FORMAT} {onnxruntime.__version__} {_cpu()}".encode())
    for each in digests:
        digest.update(bytes.fromhex(each))
    return digest.hexdigest()


def _place(folder: Path, key: str) -> Path:
    return folder / f"{_ENTRY}{key[:40]}"


@functools.cache
def _cpu() -> str:
    """The CPU's instruction sets where the system tells them (Linux), else its name."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith(("flags", "Features")):
                return line
    return f"{platform.machine()} {platform.processor()}"


def _keep(entry: Entry, place: Path) -> None:
    with unfinished_folder(place.parent) as temporary:
        write_entry(entry, temporary)
        _remove(place)  # one that cannot be used
        temporary.rename(place)


def _remove(place: Path) -> None:
    """Remove what is in the way, whatever it is; links are not followed."""
    if place.is_dir() and not place.is_symlink():
        shutil.rmtree(place, ignore_errors=True)
    else:
        place.unlink(missing_ok=True)


def _prune(folder: Path, newest: Path) -> None:
    """Remove the entries that were not used for longest until the others fit into the limit."""
    total = 0
    for entry in sorted(_entries(folder), key=lambda e: e.lstat().st_mtime, reverse=True):
        total += sum(file.lstat().st_size for file in entry.iterdir())
        left_over = entry.name.startswith(_UNFINISHED) and time.time() - entry.lstat().st_mtime > _UNFINISHED_S
        if left_over or (total > _LIMIT_BYTES and entry != newest):
            shutil.rmtree(entry, ignore_errors=True)


def _entries(folder: Path) -> Iterator[Path]:
    """Folders of this user that are called as entries are; no links to any."""
    with os.scandir(folder) as found:
        for item in found:
            is_entry = item.name.startswith((_ENTRY, _UNFINISHED)) and item.is_dir(follow_symlinks=False)
            if is_entry and why_not_ours(Path(item.path)) is None:
                yield Path(item.path)
