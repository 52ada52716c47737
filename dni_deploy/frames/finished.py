"""What was finished, so that a run that was interrupted does only what is missing when it is started again.

In the folder of its results, in `.dni-run`, every process of a run keeps a list of lines: "what is made from this
input, at this alpha, by this model, is the file with this SHA-256". A result counts as finished if it is there and
one of the lines is about it and its content. Hence a change of the input, the model, the alpha, of options that
change pixels, or of the result itself makes it run again, whereas copying or touching files does not.

A line is written before the result gets its name: killed between the two, a run leaves a line about nothing, never a
result that nobody can account for. Lines stay true for ever, so that their order, repetitions and lines that were cut
short do not matter. Each process has a file of its own, because appending to a shared one is not safe on network
file systems. The result itself holds no note, because not all formats can, and because it is to be the same file as
that of any other run.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import secrets
import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from dni_deploy.photographs.inputs import located
from dni_deploy.photographs.made_with import MadeWith
from dni_deploy.photographs.planned import Planned
from dni_runtime import InputError, ModelError
from dni_runtime.files.regular_file import open_file
from dni_runtime.onnx_files.external_data import external_files
from dni_runtime.onnx_files.ort_format import ORT_SUFFIX
from dni_runtime.onnx_files.reading import read_model

FOLDER = ".dni-run"
_PARTS = ("output", "input")


@dataclass(frozen=True, slots=True)
class Job:
    """What all results of a run share.

    made_with:    of which the provider and its threads are no part of what makes a result: a run may go on elsewhere.
                  The provider's options are one, as they may lower the precision.
    model_sha256: of the content of the model, weights in other files included (`model_digest`).
    folder:       that of the results, in which notes are taken; the results may lie deeper.
    overwrite, skip_existing: replace other files that are there, or leave them whatever they are.
    """

    made_with: MadeWith
    model_sha256: str
    folder: Path
    overwrite: bool = False
    skip_existing: bool = False

    def key(self, planned: Planned, input_sha256: str) -> str:
        """A name for all that makes `planned` what it is."""
        parts = {
            "version": _version(),
            "model": self.model_sha256,
            "provider_options": dict(self.made_with.provider_options),
            "making": self.made_with.given(),
            "alpha": planned.alpha,
            "input": input_sha256,
            "kind": planned.output.suffix.lower(),
        }
        return hashlib.sha256(json.dumps(parts, sort_keys=True, default=_content).encode()).hexdigest()


class Finished:
    """The lines of all processes that ever wrote results into `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / FOLDER
        self._lines: set[tuple[str, str]] = set()
        self._read: dict[Path, int] = {}
        self.look()

    def look(self) -> None:
        """Read what was written since it was looked the last time."""
        for file in self._folder.glob("*.jsonl"):
            lines, self._read[file] = _read(file, self._read.get(file, 0))
            self._lines |= lines

    def held(self, plans: Sequence[Planned], job: Job) -> list[Planned]:
        """Those of `plans`, all of one input, that are there just as `job` would make them now."""
        there = [plan for plan in plans if os.path.lexists(plan.output)] if self._lines else []
        try:
            found = digest(there[0].input) if there else ""
            return [plan for plan in there if (job.key(plan, found), digest(plan.output)) in self._lines]
        except OSError:  # no file: no result, or an input that has to fail by itself
            return []


class Noted:
    """`Notes` of one process of a run."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._name = f"{secrets.token_hex(8)}.jsonl"
        self._finished: Finished | None = None
        self._lock = threading.Lock()

    def digest(self, file: Path) -> str:
        try:
            return digest(file)
        except OSError as error:
            raise InputError(f"{file} {error.strerror or error}; expected an image file") from None

    def write(self, planned: Planned, input_sha256: str, whole: Path) -> None:
        names = _names(self._job.folder, planned.output, planned.input)
        found = {"key": self._job.key(planned, input_sha256), "sha256": digest(whole), **names}
        # Closed every time: only then other machines see it, and a crash of this one does not lose it.
        with self._lock, (self._job.folder / FOLDER / self._name).open("a", encoding="utf-8") as opened:
            opened.write(f"{json.dumps(found)}\n")

    def holds(self, planned: Planned) -> bool:
        if self._job.skip_existing:
            return True
        with self._lock:
            if self._finished is None:
                self._finished = Finished(self._job.folder)
            else:
                self._finished.look()
            return bool(self._finished.held([planned], self._job))


def note_beside(folder: Path, file: Path, source: Path) -> None:
    """Note that a run into `folder`, which goes on without it, made `file` of `source`. What cannot be noted is not."""
    line = json.dumps(_names(folder, file, source))
    with contextlib.suppress(OSError), (folder / FOLDER / "beside.jsonl").open("a", encoding="utf-8") as opened:
        opened.write(f"{line}\n")


def noted_results(folder: Path) -> dict[str, str | None]:
    """All that runs have ever written into `folder`, as `located`, and what of: None where that was not noted."""
    found: dict[str, str | None] = {}
    top = os.path.realpath(folder)
    for file in (folder / FOLDER).glob("*.jsonl") if os.path.isdir(folder / FOLDER) else ():
        with contextlib.suppress(OSError), open_file(file) as opened:
            for text in opened:
                with contextlib.suppress(ValueError, TypeError, KeyError, RecursionError):  # no line of ours
                    line = json.loads(text)
                    result, source = _joined(top, line["output"]), line.get("input")
                    found[result] = None if source is None else _joined(top, source)
    return found


def _names(folder: Path, output: Path, source: Path) -> dict[str, str]:
    """Both files as seen from `folder`, so that they may be moved together."""
    top = os.path.realpath(folder)
    return {part: _seen_from(top, located(file)) for part, file in zip(_PARTS, (output, source), strict=True)}


def _seen_from(folder: str, file: str) -> str:
    try:
        return os.path.relpath(file, folder)
    except ValueError:  # on another drive
        return file


def _joined(folder: str, name: str) -> str:
    return os.path.normpath(os.path.join(folder, name))


@functools.cache
def _version() -> str:
    return version("dni-deploy")


def _content(value: Any) -> Any:
    """What stands for a value in a key: of a file its content, whatever it is called."""
    return digest(value) if isinstance(value, Path) else asdict(value)


def digest(file: Path) -> str:
    """The SHA-256 of a file in hex. Raises OSError."""
    with open_file(file) as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def model_digest(path: Path) -> str:
    """The SHA-256 of an ONNX file and the files that hold its weights. Raises ModelError if one cannot be read."""
    beside = {}
    if path.suffix != ORT_SUFFIX:  # which is whole
        beside = external_files(read_model(path), path)
        beside.pop(path.name, None)
    try:
        found = [digest(path), *(digest(file) for _, file in sorted(beside.items()))]
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.filename} {error.strerror or error}") from None
    return found[0] if len(found) == 1 else hashlib.sha256("".join(found).encode()).hexdigest()


def _read(file: Path, start: int) -> tuple[set[tuple[str, str]], int]:
    """The lines from byte `start` on, and where the last one ends."""
    lines = set()
    try:
        with open_file(file) as opened:
            opened.seek(start)
            for text in opened:
                if not text.endswith(b"\n"):  # cut short, or being written
                    break
                start += len(text)
                with contextlib.suppress(ValueError, TypeError, KeyError, RecursionError):  # no line of ours
                    line = json.loads(text)
                    lines.add((str(line["key"]), str(line["sha256"])))
    except OSError:  # nothing of ours is a named pipe, or belongs to somebody else: results are made again
        pass
    return lines, start
