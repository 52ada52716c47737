"""What was finished, so that a run that was interrupted does only what is missing when it is started again.

Beside its results, in the folder `.dni-run`, every process of a run keeps a list of lines: "what is made from this
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
import secrets
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from dni_deploy.photographs.made_with import MadeWith
from dni_deploy.photographs.planned import Planned
from dni_runtime import ModelError
from dni_runtime.files.regular_file import open_file
from dni_runtime.onnx_files.external_data import external_files
from dni_runtime.onnx_files.ort_format import ORT_SUFFIX
from dni_runtime.onnx_files.reading import read_model

FOLDER = ".dni-run"


@dataclass(frozen=True, slots=True)
class Job:
    """What all frames of a run share.

    made_with:    of which the provider and its threads are no part of what makes a result: a run may go on elsewhere.
                  The provider's options are one, as they may lower the precision.
    model_sha256: of the content of the model, weights in other files included (`model_digest`).
    """

    made_with: MadeWith
    model_sha256: str

    def key(self, planned: Planned) -> str:
        """A name for all that makes `planned` what it is. Raises OSError if its input cannot be read."""
        parts = {
            "version": _version(),
            "model": self.model_sha256,
            "provider_options": dict(self.made_with.provider_options),
            "making": self.made_with.given(),
            "alpha": planned.alpha,
            "input": digest(planned.input),
            "kind": planned.output.suffix.lower(),
        }
        return hashlib.sha256(json.dumps(parts, sort_keys=True, default=_content).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Writer:
    """The lines of one process, for results in any folder."""

    name: str = field(default_factory=lambda: f"{secrets.token_hex(8)}.jsonl")

    def write(self, key: str, output: Path, whole: Path) -> None:
        """Note that `key` makes `output`, whose content is `whole`. Raises OSError."""
        line = json.dumps({"key": key, "sha256": digest(whole), "output": output.name})
        # Closed every time: only then other machines see it, and a crash of this one does not lose it.
        with (output.parent / FOLDER / self.name).open("a", encoding="utf-8") as opened:
            opened.write(f"{line}\n")


class Finished:
    """The lines of all processes that ever wrote results beside `outputs`."""

    def __init__(self, outputs: Iterable[Path]) -> None:
        self._lines: set[tuple[str, str]] = set()
        for folder in {output.parent for output in outputs}:
            for file in (folder / FOLDER).glob("*.jsonl"):
                self._lines |= _read(file)

    def holds(self, planned: Planned, job: Job) -> bool:
        """Whether `planned` is there, just as `job` would make it now."""
        if not self._lines:
            return False
        try:
            return (job.key(planned), digest(planned.output)) in self._lines
        except OSError:  # one of the two files is not there: no result, or an input that has to fail by itself
            return False


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


def _read(file: Path) -> set[tuple[str, str]]:
    lines = set()
    try:
        with open_file(file) as opened:
            for text in opened:
                with contextlib.suppress(
                    ValueError, TypeError, KeyError, RecursionError
                ):  # cut short, or no line of ours
                    line = json.loads(text)
                    lines.add((str(line["key"]), str(line["sha256"])))
    except OSError:  # nothing of ours is a named pipe, or belongs to somebody else: frames are made again
        pass
    return lines
