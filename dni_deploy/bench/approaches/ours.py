"""Our runtime, as a user has it who changes no setting."""

from dataclasses import dataclass

import dni_runtime
from dni_runtime import DniError

from .approach import Approach, FloatArray, Running, Strength

_SETTLE_LIMIT_S = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime(Approach):
    """`dni_runtime.load`. Its files are the model; what it keeps in its cache on the disk is measured apart."""

    provider: str

    def open(self, threads: int | None) -> Running:
        return _Loaded(self, threads)


class _Loaded:
    def __init__(self, approach: Runtime, threads: int | None) -> None:
        self._model = dni_runtime.load(approach.files[0], approach.provider, threads=threads)
        self._name = approach.files[0].name

    @property
    def note(self) -> str:
        """What was decided, for a size of image only when one has run, may be part of it."""
        return self._model.alpha_note

    def __call__(self, x: FloatArray, alpha: Strength) -> FloatArray:
        return self._model(x, alpha)

    def settle(self) -> None:
        if not self._model.settle(_SETTLE_LIMIT_S):
            raise DniError(f"{self._name} did not reach full speed within {_SETTLE_LIMIT_S:g} s; is the machine busy?")

    def close(self) -> None:
        self._model.close()
