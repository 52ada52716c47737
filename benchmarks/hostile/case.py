"""One input from a stranger, and the place where it is tried: what must not be read or written lies around it."""

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

SECRET = "nobody-may-read-this-5e1f0c6d2b9a4788"
"""What stands in every file that no input may bring into a result."""

# Files of these names lie above the input's folder, at all heights that "../../../.." reaches.
_BAIT = ("secret.txt", "victim.txt")


@dataclass(frozen=True, slots=True)
class Place:
    """A folder of one worker; everything in it is made anew for every input."""

    root: Path

    @property
    def case(self) -> Path:
        return self.root / "a" / "b" / "c" / "case"

    @property
    def inputs(self) -> Path:
        """Where the input lies: nothing outside of it may be read."""
        return self.case / "in"

    @property
    def outputs(self) -> Path:
        """Nothing outside of it, and of `temporary`, may be written."""
        return self.case / "out"

    @property
    def temporary(self) -> Path:
        return self.case / "tmp"

    @property
    def executed(self) -> Path:
        """What payloads make, which run nothing else."""
        return self.case / "executed"

    @property
    def baits(self) -> list[Path]:
        heights = [self.case, *list(self.case.parents)[:4]]
        return [height / name for height in heights for name in _BAIT]

    def lay_out(self) -> None:
        self.clear()
        for folder in (self.inputs, self.outputs, self.temporary):
            folder.mkdir(parents=True)
        for bait in self.baits:
            bait.write_text(f"{SECRET}\n" * 4096)

    def clear_outputs(self) -> None:
        for folder in (self.outputs, self.temporary):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()

    def clear(self) -> None:
        shutil.rmtree(self.root, ignore_errors=True)
        self.root.mkdir(parents=True)

    def snapshot(self) -> dict[str, tuple[int, ...]]:
        """What can be told, without opening it, about everything that must stay as it is."""
        return {str(path): _state(path) for path in self._walk()}

    def _walk(self) -> Iterator[Path]:
        free = {self.outputs, self.temporary}
        folders = [self.root]
        while folders:
            for entry in os.scandir(folders.pop()):
                path = Path(entry.path)
                if path in free:
                    continue
                yield path
                if entry.is_dir(follow_symlinks=False):
                    folders.append(path)

    def leaks(self) -> str:
        """The name of a written file that holds what must not be read, or ""."""
        wanted = SECRET.encode()
        for path in (*self.outputs.rglob("*"), *self.temporary.rglob("*")):
            with contextlib.suppress(OSError):
                if not path.is_symlink() and path.is_file() and wanted in path.read_bytes():
                    return path.name
        return ""


def _state(path: Path) -> tuple[int, ...]:
    found = path.lstat()
    if path.is_dir() and not path.is_symlink():
        return (found.st_mode,)
    return (found.st_mode, found.st_ino, found.st_size, found.st_mtime_ns)


@dataclass(frozen=True, slots=True)
class Case:
    """An input. `kind`: how it is tried; `name`: unique among all. `make` writes it into `place.inputs` and returns it.

    Both are made of the seed alone, in any process.
    """

    kind: str
    family: str
    name: str
    make: Callable[[Place], Path]
