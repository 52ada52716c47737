"""Open a model that was prepared before on this machine: the digest of its file tells that it is the same.

What was checked then, and what the model said, follows from its content alone, so it is not read as a model again; that
would take longer than all else. It is when a session is to be pinned, or an image is cut into tiles whose network looks
at averages.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dni_runtime.errors import ModelError
from dni_runtime.files.regular_file import State
from dni_runtime.metadata import AVERAGES, KEY, Metadata
from dni_runtime.prepared.cache import from_cache, key_of
from dni_runtime.prepared.entry import Entry, FloatArray
from dni_runtime.prepared.laid_out import LaidOut
from dni_runtime.providers.choosing import resolve
from dni_runtime.signature import Signature, read_signature

from .asked import Asked
from .opened import Opened
from .runners import Pinning, Runner
from .small_image import run_small

if TYPE_CHECKING:
    from dni_runtime.averages.network import AveragesNetwork
    from dni_runtime.weights.alpha_file import AlphaFile


def what_it_says(file: AlphaFile) -> dict[str, Any]:
    """What `open_known` has to know of a model, plain data for JSON."""
    from dni_runtime.onnx_files.declared import Declared

    declared = Declared(file.slim)
    values = {
        "inputs": declared.get_inputs(),
        "optional": declared.get_overridable_initializers(),
        "outputs": declared.get_outputs(),
    }
    metadata = [prop.value for prop in file.slim.metadata_props if prop.key == KEY]
    return {
        "metadata": metadata[0] if metadata else None,
        "weight_bytes": file.weight_bytes,
        **{name: [[value.name, value.type, value.shape] for value in found] for name, found in values.items()},
    }


def open_known(path: Path, asked: Asked, state: State | None, digest: Callable[[], str]) -> Opened | None:
    """The model in `path` on the CPU; None where it is another provider's, or has to be read and looked at.

    `state`: of the file before `digest` was begun, which gives its SHA-256. Weights in other files are looked at every
    time.
    """
    choice = resolve(asked.provider)
    if choice is None or choice.provider != "cpu":
        return None
    found = _Known(path, asked, state)
    try:
        key = key_of([digest()])
    except OSError:
        return None
    # The probe's weights stay until the first call takes their memory over: to free it and take it anew would cost a
    # small network as much as its blend.
    moving = from_cache(key, use=found.use, probe=found.probe)
    if moving is None or found.said is None:
        return None
    said, runner = found.said, found.runner(moving)
    return Opened(runner, said.signature, said.metadata, "cpu", choice.note, open_averages=found.averages)


@dataclass(frozen=True, slots=True)
class _Value:
    """A graph's input or output in ONNX Runtime's words."""

    name: str
    type: str
    shape: list[int | str | None]


class _Said:
    """What a model said when it was prepared; of its inputs and outputs as a session does."""

    def __init__(self, plain: Any) -> None:
        self._values = {name: [_Value(*value) for value in plain[name]] for name in ("inputs", "optional", "outputs")}
        self.weight_bytes = int(plain["weight_bytes"])
        self.metadata = None if plain["metadata"] is None else Metadata.from_json(plain["metadata"])
        self.signature: Signature = read_signature(self, self.metadata or Metadata())

    def get_inputs(self) -> list[_Value]:
        return self._values["inputs"]

    def get_overridable_initializers(self) -> list[_Value]:
        return self._values["optional"]

    def get_outputs(self) -> list[_Value]:
        return self._values["outputs"]


class _Known:
    def __init__(self, path: Path, asked: Asked, state: State | None) -> None:
        self._path, self._asked, self._state = path, asked, state
        self.said: _Said | None = None

    def use(self, entry: Entry) -> LaidOut:
        self.said = said = _Said(entry.said)
        limit_bytes = self._asked.pin_cache_bytes if self._asked.alpha_policy == "auto" else 0
        runner = LaidOut(entry.prepared, threads=self._asked.threads, limit_bytes=limit_bytes)
        runner.require_image(said.signature.input_name)
        return runner

    def probe(self, runner: LaidOut) -> FloatArray:
        assert self.said is not None
        metadata = self.said.metadata
        return run_small(runner, self.said.signature, metadata or Metadata(), tiny=metadata is not None)

    def runner(self, moving: LaidOut) -> Runner:
        if self._asked.alpha_policy != "auto" or not moving.gains_from_pins:
            return moving
        from dni_runtime.providers.sessions import Place
        from dni_runtime.weights.pins import Pins, pins_in

        assert self.said is not None
        place, endpoints = Place("cpu", self._asked.threads), len((self.said.metadata or Metadata()).endpoints)
        limit = pins_in(self._asked.pin_cache_bytes, self.said.weight_bytes, endpoints)
        pins = Pins(lambda alpha: self._read().open_pinned(alpha, place), limit)
        return Pinning(moving, pins, self.said.signature, place)

    def averages(self) -> AveragesNetwork | None:
        assert self.said is not None
        if self.said.metadata is None or self.said.metadata.view != AVERAGES:
            return None
        from dni_runtime.averages.opening import open_network
        from dni_runtime.providers.sessions import Place

        return open_network(self._read(), Place("cpu", self._asked.threads))

    @functools.cache  # noqa: B019 - as long as the model, which holds this
    def _read(self) -> AlphaFile:
        """The file as a model. Raises ModelError where it is not the one that was opened."""
        from dni_runtime.weights.alpha_file import read_onnx_file

        file = read_onnx_file(self._path)
        if file is None or [state for _, state in file.state] != [self._state]:
            raise ModelError(f"{self._path.name} was changed or removed after it was loaded; load it again")
        return file
