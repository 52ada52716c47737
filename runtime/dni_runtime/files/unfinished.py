"""What is being written has a name of its own until it is whole, and is gone afterwards, even after `kill -9`.

Whoever writes holds a lock, which ends with the process. What is called so, was not touched for a while and is locked
by nobody is left over from a process that was killed: the next one that writes in the same folder removes it. Names
are short, whatever they are to become: those of 255 bytes have no room for more.
"""

import contextlib
import errno
import hashlib
import os
import re
import secrets
import shutil
import stat
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from dni_runtime.errors import OutputError

try:
    import fcntl
except ImportError:  # Windows, where open files can be neither moved nor removed
    fcntl = None  # type: ignore[assignment]

_NAME = re.compile(r"\.dni-[0-9a-f]{16}\.tmp")
# Locks of network file systems may be unknown, or known to one machine only, so that age has to do there; writing goes
# on touching what it writes.
_OLD_S = 3600.0
_swept: set[Path] = set()


@contextlib.contextmanager
def unfinished_file(target: Path, *, replace: bool = True) -> Iterator[BinaryIO]:
    """A new file, to be written, in the folder of `target`, whose name it gets at the end; `.name` is its path.

    It replaces what is there; without `replace` that is a FileExistsError. If the block raises, it is removed. Raises
    OSError.
    """
    _sweep_once(target.parent)
    with _create(target) as file:
        try:
            yield file
            file.flush()
            if fcntl is None:
                file.close()
            if replace:
                os.replace(file.name, target)
            else:
                _name_new(Path(file.name), target)
        except BaseException:
            if fcntl is None:
                file.close()
            with contextlib.suppress(OSError):
                os.unlink(file.name)
            raise


@contextlib.contextmanager
def unfinished_folder(parent: Path | None = None) -> Iterator[Path]:
    """A new folder inside `parent`, for this user only; it is removed with all that is still in it. Raises OSError.

    Without `parent` it lies where the system keeps temporary files.
    """
    parent = parent or Path(tempfile.gettempdir())
    _sweep_once(parent)
    path = parent / f".dni-{secrets.token_hex(8)}.tmp"
    path.mkdir(mode=0o700)
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, path, ignore_errors=True)
        if fcntl is not None:
            descriptor = os.open(path, os.O_RDONLY)
            stack.callback(os.close, descriptor)
            lock(descriptor)
        yield path


@contextlib.contextmanager
def staging(folder: Path, output: Path | None = None) -> Iterator[Path]:
    """An unfinished folder inside `folder`, which is made, and kept if something is in it afterwards.

    Raises OutputError, in place of the OSError, where something inside could not be written; it names `output`.
    """
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with unfinished_folder(folder) as hidden:
            yield hidden
    except OSError as error:
        what = f"{folder} cannot be written to" if output is None else f"{output} cannot be written"
        raise OutputError(
            f"{what}: {error.strerror or error}; nothing was written. Make room or choose another output"
        ) from error
    finally:
        with contextlib.suppress(OSError):  # not empty
            for path in made:
                path.rmdir()


def unfinished_name(target: Path) -> Path:
    """A new name beside `target` for what is to become it, or goes with it: `remove_unfinished` finds it by that."""
    return target.parent / f".dni-{_tag(target)}{secrets.token_hex(4)}.tmp"


def remove_unfinished(targets: Iterable[Path]) -> None:
    """Remove what processes that were killed in `unfinished_file` have left of `targets`, however young it is."""
    by_folder: dict[Path, set[str]] = {}
    for target in targets:
        by_folder.setdefault(target.parent, set()).add(_tag(target))
    for folder, tags in by_folder.items():
        for path in _leftovers(folder):
            if path.name.removeprefix(".dni-")[:8] in tags:
                _remove(path, young=True)


def sweep(folder: Path) -> None:
    """Remove what killed processes have left in `folder` an hour ago or longer. Raises nothing."""
    for path in _leftovers(folder):
        _remove(path)


def _sweep_once(folder: Path) -> None:
    """In a folder of a hundred thousand frames it is looked once only."""
    folder = folder.absolute()
    if folder not in _swept:
        _swept.add(folder)
        sweep(folder)


def _leftovers(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            return [Path(entry.path) for entry in entries if _NAME.fullmatch(entry.name)]
    except OSError:
        return []


def _create(target: Path) -> BinaryIO:
    """The file under its first name, locked."""
    while True:
        # Not by tempfile, whose files nobody else may read.
        file = open(unfinished_name(target), "xb")  # noqa: SIM115
        try:
            lock(file.fileno())
            if os.path.samestat(os.fstat(file.fileno()), os.stat(file.name)):
                return file
        except (BlockingIOError, FileNotFoundError):
            pass  # another process has taken it for a leftover before it was locked
        file.close()


def _remove(path: Path, *, young: bool = False) -> None:
    """Remove `path` unless a process that lives, or another user, has it; links are not followed.

    `young`: even if it is not old, where locks tell that nobody has it.
    """
    with contextlib.ExitStack() as stack:
        stack.enter_context(contextlib.suppress(OSError))
        found = path.lstat()
        if not (stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)):
            return
        locked = False
        if fcntl is not None:
            if found.st_uid != os.getuid():
                return
            # Over a network only what is open for writing can be locked.
            access = os.O_RDONLY if stat.S_ISDIR(found.st_mode) else os.O_RDWR
            descriptor = os.open(path, access | os.O_NOFOLLOW | os.O_NONBLOCK)
            stack.callback(os.close, descriptor)
            locked = lock(descriptor)
        if not ((young and locked) or _is_old(path)):
            return
        if stat.S_ISDIR(found.st_mode):
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink()


def _is_old(path: Path) -> bool:
    """Neither it nor anything in it was touched in the last hour; nobody has touched it in the future either."""
    now = time.time()
    return all(abs(now - entry.lstat().st_mtime) > _OLD_S for entry in (path, *path.rglob("*")))


def lock(descriptor: int) -> bool:
    """Lock it until it is closed; False where locks are not known. Raises BlockingIOError where another has it."""
    if fcntl is None:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError:
        return False
    return True


def _name_new(path: Path, target: Path) -> None:
    """Rename `path`, unless `target` is there. Raises FileExistsError."""
    if fcntl is None:
        os.rename(path, target)  # which does not replace on Windows
        return
    try:
        os.link(path, target, follow_symlinks=False)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links (FAT): between the two lines another may come first
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), os.fspath(target)) from None
        os.replace(path, target)
    else:
        os.unlink(path)


def _tag(target: Path) -> str:
    return hashlib.sha256(os.fsencode(target.name)).hexdigest()[:8]
