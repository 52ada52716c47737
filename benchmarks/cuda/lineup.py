"""One network in one precision: everything that runs it, opened once, then given images of one size after another."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import names
import numpy as np
import torch
from endpoints import State, build
from files import Files
from ort_ways import BareSession
from our_ways import bound, load, unbound
from torch_ways import Blended, captured, eager
from way import ALPHA, Device, FloatArray, Way

import dni_runtime

Record = dict[str, Any]

# Some kernels are compiled in the first call; what takes longer than this is left out from then on.
_SLOW_START_S = 15.0
_BAKED_OPTIONS: dict[str, dict[str, str]] = {
    names.BAKED: {},
    names.BAKED_NHWC: {"prefer_nhwc": "1"},
    names.BAKED_NHWC_BIAS: {"prefer_nhwc": "1", "fuse_conv_bias": "1"},
}
# What is left out: fused biases compile a kernel for each of 351 convolutions and image shape, 18 s (seen on an H100);
# channels-last float32 takes 1.03 to 1.7 times as long as channels first there.
_TOO_SLOW = {
    ("RRDBNet-23", "float16"): {names.BAKED_NHWC_BIAS, names.OURS_BIAS},
    ("RRDBNet-23", "float32"): {names.BAKED_NHWC, names.BAKED_NHWC_BIAS},
    ("RRDBNet-6", "float32"): {names.BAKED_NHWC, names.BAKED_NHWC_BIAS},
}


@dataclass(slots=True)
class Lineup:
    """`network`, `dtype`: what is run, with its files and weights. `without`: approaches that are left out.

    What cannot be opened is None.
    """

    network: str
    dtype: str
    files: Files
    a: State
    b: State
    tiny: bool
    device: Device
    without: set[str] = field(default_factory=set)
    opened: bool = False
    sessions: dict[str, BareSession] = field(default_factory=dict)
    models: dict[str, dni_runtime.Model] = field(default_factory=dict)
    blended: Blended | None = None

    @property
    def where(self) -> Record:
        return {"network": self.network, "dtype": self.dtype}

    @property
    def left_out(self) -> set[str]:
        return self.without | _TOO_SLOW.get((self.network, self.dtype), set())

    @property
    def scale(self) -> int:
        return 4 if self.network in ("RRDBNet-23", "RRDBNet-6", "Compact") else 1

    def open(self, baked: tuple[str, ...] = names.ALL_BAKED, *, naive: bool = True) -> Iterator[Record]:
        """Open everything, and say for each what it took: a record `opened` or `failed`."""
        files = self.files
        for name in baked:
            yield from self._session(name, files.baked, graph=True, options=_BAKED_OPTIONS[name])
        if naive:
            yield from self._session(names.NAIVE, files.model, graph=False)
            yield from self._session(names.NAIVE_GRAPH, files.model, graph=True)
        fused = {names.OURS_BIAS: {"fuse_conv_bias": "1"}} if self.device.is_cuda and self.dtype == "float16" else {}
        for name, options in ({names.OURS: None} | fused).items():
            if name in self.left_out:
                continue
            with self.attempt(name) as attempt:
                model = self.models[name] = load(files.model, self.device, options)
                attempt.more["note"] = f"{model.provider_note}; {model.alpha_note}"
            yield attempt.record
        with self.attempt(names.EAGER) as attempt:
            self.blended = Blended(build(self.network, tiny=self.tiny), self.a, self.b, self.dtype, self.device)
        yield attempt.record
        self.opened = True

    def _session(self, name: str, *arguments: Any, **options: Any) -> Iterator[Record]:
        if name in self.left_out:
            return
        with self.attempt(name) as attempt:
            self.sessions[name] = BareSession(arguments[0], self.dtype, self.device, **options)
        yield attempt.record

    def ways(self, x: FloatArray, *, everything: bool = True) -> Iterator[tuple[Record, Way | None]]:
        """Ways to run `x`, each after its first calls, with what these took; else without those no bound is for."""
        makers: dict[str, Callable[[], list[Way]]] = {}
        for name, session in self.sessions.items():
            if name in self.left_out or not (everything or name in names.ALL_BAKED):
                continue
            makers[name] = lambda name=name, session=session: [session.way(name, x, self.scale)]
        for name, model in self.models.items():
            makers[name] = lambda name=name, model=model: [bound(model, x, self.scale, self.device, name)]
        if everything and (ours := self.models.get(names.OURS)) is not None:
            makers[names.OURS_TENSOR] = lambda: unbound(ours, x, self.device)
        if self.blended is not None:
            blended, image = self.blended, torch.from_numpy(x).to(self.device.kind)
            makers[names.EAGER] = lambda: [eager(blended, image)]
            if self.device.is_cuda:
                makers[names.TORCH_GRAPH] = lambda: [captured(blended, image)]
        for name, make in makers.items():
            yield from self.first_calls(name, make, x.shape[-1])

    def first_calls(self, name: str, make: Callable[[], list[Way]], size: int) -> Iterator[tuple[Record, Way | None]]:
        """Make ways and run each twice, as our runtime captures at the second sight; a record `first` or `failed`."""
        made: list[Way] = []
        with self.attempt(name, "first", size=size) as attempt:
            for way in make():
                way.run(ALPHA)
                self.device.wait()
                way.run(ALPHA)
                made.append(way)
        if not made:
            yield attempt.record, None
        elif attempt.record["ms"] > _SLOW_START_S * 1e3 and name in names.ALL_BAKED:
            self.without.add(name)
        for way in made:
            yield attempt.record, way

    def attempt(self, name: str, kind: str = "opened", **more: Any) -> "Attempt":
        return Attempt(kind, self.where | {"approach": name} | more, self.device)

    def close(self) -> None:
        """Give the memory back."""
        for model in self.models.values():
            model.close()
        self.models.clear()
        self.sessions.clear()
        self.blended = None
        self.opened = False
        self.device.used_bytes()


class Attempt:
    """A step that may fail without ending the run: `record` tells what came of it."""

    def __init__(self, kind: str, what: Record, device: Device) -> None:
        self._kind, self._device, self.more = kind, device, what
        self.record: Record = {}

    def __enter__(self) -> "Attempt":
        self._before = self._device.used_bytes()
        self._started = time.perf_counter()
        return self

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> bool:
        if error is None:
            try:
                self._device.wait()
            except Exception as late:  # kernels fail after they were launched
                error = late
        if isinstance(error, Exception):
            self.record = {"kind": "failed", "step": self._kind, **self.more, "error": _first_lines(error)}
            return True
        if error is not None:
            return False
        taken = time.perf_counter() - self._started
        used = self._device.used_bytes() - self._before
        self.record = {"kind": self._kind, **self.more, "ms": taken * 1e3, "memory_bytes": used}
        return True


def _first_lines(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error)[:600]}"


def picture(size: int) -> FloatArray:
    """An image of noise, float32 (1, 3, size, size)."""
    return np.random.default_rng(size).random((1, 3, size, size), np.float32)
