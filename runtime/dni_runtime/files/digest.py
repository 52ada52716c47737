"""Digests that are computed while something else is done: Python's lock is free meanwhile."""

import hashlib
import mmap
import os
import threading
from collections.abc import Callable
from pathlib import Path

from .regular_file import open_file

# So much of a file is mapped at once: a process does not grow by the whole of it.
_WINDOW_BYTES = 32 * 2**20


def digest_aside(compute: Callable[[], str]) -> Callable[[], str]:
    """Have a thread `compute`; what is returned waits for it, and returns what it did or raises what it raised."""
    results: list[str] = []
    errors: list[Exception] = []

    def work() -> None:
        try:
            results.append(compute())
        except Exception as error:
            errors.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()

    def wait() -> str:
        thread.join()
        for error in errors:
            raise error
        return results[0]

    return wait


def file_digest(path: Path) -> str:
    """SHA-256 of a regular file, in hex. Raises OSError as `open_file` does."""
    digest = hashlib.sha256()
    with open_file(path) as file:
        size = os.fstat(file.fileno()).st_size
        for start in range(0, size, _WINDOW_BYTES):
            length = min(_WINDOW_BYTES, size - start)
            with mmap.mmap(file.fileno(), length, access=mmap.ACCESS_READ, offset=start) as window:
                digest.update(window)
    return digest.hexdigest()
