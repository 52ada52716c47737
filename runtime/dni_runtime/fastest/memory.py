"""Choices on disk, so that a race is run once for a model on a machine and not by every process."""

import contextlib
import hashlib
import json
import os
import platform
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from dni_runtime.files.cache_folder import cache_folder, why_not_ours
from dni_runtime.files.regular_file import open_file
from dni_runtime.files.unfinished import unfinished_file

from .choices import Choice, SizeClass

# To be raised with every change to what a choice says, or to how it is found.
_FORMAT = 2
_LIMIT_BYTES = 2**20


class Memory:
    """The choices for one model.

    content: a name for the model's content. engines: that may run it. asked: what else decides on speed, as text.

    What lies there and cannot be read, or is not this user's, is not there; a folder that cannot be written costs time.
    """

    def __init__(self, content: str, engines: Iterable[str], asked: str) -> None:
        self._engines = [*engines]
        versions = " ".join(f"{name} {_version(name)}" for name in self._engines)
        text = f"{_FORMAT} {content} {asked} {versions} {_processor()}"
        self._key = hashlib.sha256(text.encode()).hexdigest()
        folder = cache_folder()
        self._file = None if folder is None else folder / f"fastest-{self._key[:40]}.json"

    def read(self) -> dict[SizeClass, Choice]:
        """What has been found out by now."""
        found: dict[SizeClass, Choice] = {}
        with contextlib.suppress(Exception):  # what may be there instead knows no end
            if self._file is not None and why_not_ours(self._file) is None:
                with open_file(self._file) as opened:
                    stored = json.loads(opened.read(_LIMIT_BYTES))
                for each in stored["choices"] if stored["key"] == self._key else ():
                    batch, pixels, fits = each["class"]
                    if [type(batch), type(pixels), type(fits)] != [int, int, bool]:
                        continue
                    found[SizeClass(batch, pixels, fits)] = Choice.from_dict(each, self._engines)
        return found

    def keep(self, choices: Mapping[SizeClass, Choice]) -> None:
        """Write `choices`, and those that another process has found out meanwhile."""
        if self._file is None:
            return
        both = {**self.read(), **choices}
        stored = [{"class": [s.batch, s.pixels, s.fits], **choice.to_dict()} for s, choice in both.items()]
        with contextlib.suppress(OSError), unfinished_file(self._file) as opened:
            os.chmod(opened.name, 0o600)  # the umask may let a group write
            opened.write(json.dumps({"key": self._key, "choices": stored}).encode())


def _version(engine: str) -> str:
    try:
        return version(engine)
    except PackageNotFoundError:  # ONNX Runtime, whose version is in the content's name, has several
        return ""


def _processor() -> str:
    """Its name, and how many of its cores this process may use."""
    name = platform.processor()
    with contextlib.suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next((line for line in lines if line.startswith("model name")), name)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{platform.machine()} {name} {cores}"
