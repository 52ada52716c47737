"""What a process does that it must not: looked at from inside, by Python's audit events, and from outside."""

import ctypes
import os
import struct
import sys
import sysconfig
from collections.abc import Callable, Sequence
from pathlib import Path

# Events of Python that run something else, or talk to somebody.
_EXECUTES = {
    "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.startfile", "os.system", "pty.spawn",
    "pickle.find_class", "socket.bind", "socket.connect", "socket.getaddrinfo", "socket.sendto", "subprocess.Popen",
    "webbrowser.open",
}  # fmt: skip
# What programs read to run at all; /etc is here for MIME types, time zones and fonts.
_SYSTEM = ("/usr", "/lib", "/lib64", "/etc", "/proc/self", "/proc/cpuinfo", "/proc/meminfo", "/sys", "/dev/null",
           "/dev/urandom", "/opt")  # fmt: skip
_NEVER = ("/etc/passwd", "/etc/shadow", "/etc/hostname")
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC

EXECUTED, READ, WRITTEN = "executed", "read outside", "written outside"


def watch_python(tell: Callable[[str, str], None], readable: Sequence[Path], writable: Sequence[Path]) -> None:
    """From now on `tell(fault, what)` is called where this process does what it must not. Cannot be undone."""
    paths = sysconfig.get_paths()
    known = {*_SYSTEM, sys.prefix, sys.base_prefix, paths["stdlib"], *(p for p in sys.path if p), *map(str, readable)}
    may_read = tuple(sorted({os.path.realpath(path) for path in known} | {os.path.realpath(w) for w in writable}))
    may_write = ("/dev/null", *(os.path.realpath(path) for path in writable))
    busy = False

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal busy
        if busy:
            return
        busy = True
        try:
            if event in _EXECUTES:
                tell(EXECUTED, f"{event} {str(arguments)[:120]}")
            elif event == "open":
                path, _, flags = arguments
                if isinstance(path, str | bytes) and not _may(path, may_write):
                    if isinstance(flags, int) and flags & _WRITES:
                        tell(WRITTEN, f"open {os.fsdecode(path)}")
                    elif not _may(path, may_read) or os.path.realpath(os.fsdecode(path)) in _NEVER:
                        tell(READ, f"open {os.fsdecode(path)}")
        finally:
            busy = False

    sys.addaudithook(hook)


def _may(path: str | bytes, folders: Sequence[str]) -> bool:
    try:
        real = os.path.realpath(os.fsdecode(path))
    except (OSError, ValueError):
        return True  # opens nothing
    return any(real == folder or real.startswith(f"{folder}/") for folder in folders)


class Bait:
    """Files that nobody has to open; whoever does, from Python, C or another process, is seen (inotify)."""

    _OPEN, _NONBLOCK = 0x20, 0x800

    def __init__(self, files: Sequence[Path]) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        self._descriptor = libc.inotify_init1(self._NONBLOCK)
        self._names = {libc.inotify_add_watch(self._descriptor, os.fsencode(f), self._OPEN): f.name for f in files}

    def opened(self) -> str:
        """The name of a file that was opened, or ""."""
        try:
            events = os.read(self._descriptor, 65536)
        except BlockingIOError:
            return ""
        return self._names.get(struct.unpack_from("i", events)[0], "?")

    def close(self) -> None:
        os.close(self._descriptor)
