"""Files from strangers are opened only where they are files: a named pipe is waited for without end, a device
without end is read.
"""

import errno
import os
import stat
from io import BufferedReader
from pathlib import Path
from typing import TypeAlias

_KINDS = {
    stat.S_IFDIR: "is a folder",
    stat.S_IFIFO: "is a named pipe",
    stat.S_IFCHR: "is a device",
    stat.S_IFBLK: "is a device",
    stat.S_IFSOCK: "is a socket",
}


State: TypeAlias = tuple[int, int, int]
"""Size, time of the last change and number of a file: another state where its content has changed."""


def state_of(path: Path) -> State | None:
    """The state of a file, None where it cannot be found."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns, found.st_ino


def why_no_file(path: Path) -> str | None:
    """What keeps `path` from being read, as the end of a sentence: "is a named pipe"; None for a regular file.

    Links are followed. Nothing is opened or read.
    """
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError) as error:  # ValueError: a name with a zero byte in it
        return _say(path, error)
    return None if stat.S_ISREG(mode) else _KINDS.get(stat.S_IFMT(mode), "is no regular file")


def open_file(path: Path) -> BufferedReader:
    """Open a regular file to read its bytes.

    Raises OSError, whose `strerror` is the end of a sentence as of `why_no_file`, for anything else. Waits for nobody.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # some devices do something when they are opened
            raise OSError(errno.EINVAL, "")
        # A pipe would be waited for here, and may have taken the place of a file since then.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except (OSError, ValueError) as error:
        code = error.errno if isinstance(error, OSError) else errno.EINVAL
        raise OSError(code, why_no_file(path) or _say(path, error), str(path)) from None
    try:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode):
            raise OSError(errno.EINVAL, _KINDS.get(stat.S_IFMT(mode), "is no regular file"), str(path))
        return os.fdopen(descriptor, "rb")
    except OSError:
        os.close(descriptor)
        raise


def _say(path: Path, error: OSError | ValueError) -> str:
    code = error.errno if isinstance(error, OSError) else None
    if code == errno.ELOOP:
        return "is a link that leads back to itself"
    if code == errno.ENOENT:
        return "is a link to what does not exist" if path.is_symlink() else "does not exist"
    if code == errno.ENOTDIR:
        return "does not exist"
    if code == errno.ENAMETOOLONG:
        return "has a name that is too long"
    text = error.strerror if isinstance(error, OSError) else str(error)
    return f"cannot be read: {text or error}"
