"""What is being written has a name of its own until it is whole, and is gone afterwards, even after `kill -9`.

Whoever writes holds a lock, which ends with the process. What is called so, was not touched for a while and is locked
by nobody is left over from a process that was killed: the next one that writes in the same folder removes it. Names
are short, whatever they are to become: those of 255 bytes have no room for more.
"""

import contextlib
import hashlib
import os
import re
import secrets
import shutil
import stat
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

try:
    import fcntl
except ImportError:  # Windows, where open files cannot be removed anyway
    fcntl = None  # type: ignore[assignment]

_NAME = re.compile(r"\.dni-[0-9a-f]{16}\.tmp")
# Locks of network file systems may be known to one machine only, so that age has to do there; writing goes on
# touching what it writes.
_OLD_S = 3600.0
_swept: set[Path] = set()


@contextlib.contextmanager
def unfinished_file(target: Path) -> Iterator[BinaryIO]:
    """A new file, to be written, in the folder of `target`, whose name it gets at the end; `.name` is its path.

    It replaces what is there. If the block raises, it is removed. Raises OSError.
    """
    _sweep_once(target.parent)
    path = target.parent / f".dni-{_tag(target)}{secrets.token_hex(4)}.tmp"
    # Not by tempfile, whose files nobody else may read.
    with open(path, "xb") as file:
        _lock(file.fileno())
        try:
            yield file
            file.flush()
            os.replace(path, target)
        except BaseException:
            with contextlib.suppress(OSError):
                path.unlink()
            raise


@contextlib.contextmanager
def unfinished_folder(parent: Path) -> Iterator[Path]:
    """A new folder inside `parent`, for this user only; it is removed with all that is still in it. Raises OSError."""
    _sweep_once(parent)
    path = parent / f".dni-{secrets.token_hex(8)}.tmp"
    path.mkdir(mode=0o700)
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, path, ignore_errors=True)
        if fcntl is not None:
            descriptor = os.open(path, os.O_RDONLY)
            stack.callback(os.close, descriptor)
            _lock(descriptor)
        yield path


def remove_unfinished(targets: Iterable[Path]) -> None:
    """Remove what processes that were killed in `unfinished_file` have left of `targets`, however young it is."""
    by_folder: dict[Path, set[str]] = {}
    for target in targets:
        by_folder.setdefault(target.parent, set()).add(_tag(target))
    for folder, tags in by_folder.items():
        for path in _leftovers(folder):
            if path.name.removeprefix(".dni-")[:8] in tags:
                _remove(path)


def sweep(folder: Path) -> None:
    """Remove what killed processes have left in `folder` an hour ago or longer. Raises nothing."""
    for path in _leftovers(folder):
        with contextlib.suppress(OSError):
            if time.time() - max(entry.lstat().st_mtime for entry in (path, *path.rglob("*"))) > _OLD_S:
                _remove(path)


def _sweep_once(folder: Path) -> None:
    """In a folder of a hundred thousand frames it is looked once only."""
    if folder not in _swept:
        _swept.add(folder)
        sweep(folder)


def _leftovers(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            return [Path(entry.path) for entry in entries if _NAME.fullmatch(entry.name)]
    except OSError:
        return []


def _remove(path: Path) -> None:
    """Remove `path` unless a process that lives, or another user, has it; links are not followed."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(contextlib.suppress(OSError))
        found = path.lstat()
        if not (stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)):
            return
        if fcntl is not None:
            if found.st_uid != os.getuid():
                return
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            stack.callback(os.close, descriptor)
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if stat.S_ISDIR(found.st_mode):
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink()


def _lock(descriptor: int) -> None:
    if fcntl is not None:
        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _tag(target: Path) -> str:
    return hashlib.sha256(os.fsencode(target.name)).hexdigest()[:8]
