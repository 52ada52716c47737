"""Plain ONNX Runtime: one baked file, the alpha-input file, one file per alpha, and both ends mixed."""

from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dni_runtime import DniError, Metadata, ModelError
from dni_runtime.onnx_files.explaining import explain, strip
from dni_runtime.providers.sessions import Place, open_session
from dni_runtime.signature import read_signature, stated
from dni_runtime.weights.alpha_file import read_onnx_file

from .approach import Approach, FloatArray, Running, Strength


class Session:
    """A bare `InferenceSession.run`; alpha is fed where the file takes one."""

    note = ""

    def __init__(self, file: Path, provider: str, threads: int | None) -> None:
        self._name, self._provider = file.name, provider
        self._session: Any = _open(file, provider, threads)
        self.signature = read_signature(self._session, stated(self._session) or Metadata())
        self._outputs = [self.signature.output_name]

    def __call__(self, x: FloatArray, alpha: Strength) -> FloatArray:
        signature = self.signature
        feed = signature.feed(x.astype(signature.dtype, copy=False), alpha)
        try:
            y = self._session.run(self._outputs, feed)[0]
        except Exception as error:  # ONNX Runtime's errors have no common base but Exception
            raise ModelError(f"{self._name} failed on {self._provider}: {strip(error)}") from error
        signature.check_result(x.shape, y.shape)
        result: FloatArray = y.astype(np.float32, copy=False)
        return result

    def settle(self) -> None:
        """Nothing to wait for."""

    def close(self) -> None:
        self._session = None


def _open(file: Path, provider: str, threads: int | None) -> Any:
    """A session at its best: on a GPU with the options that suit the file, as our runtime's own."""
    onnx_file = read_onnx_file(file) if provider == "cuda" else None
    options = {} if onnx_file is None else onnx_file.cuda_options({})
    place = Place(provider, threads, options, half=onnx_file is not None and onnx_file.half)
    try:
        return open_session(str(file), place).session
    except DniError:
        raise
    except Exception as error:  # as above
        raise explain(file, error) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainSession(Approach):
    """One file in one session: a baked file, or the alpha-input file without our runtime (the naive way)."""

    provider: str

    def open(self, threads: int | None) -> Running:
        return Session(self.files[0], self.provider, threads)


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionCache(Approach):
    """One baked file per alpha (`strengths` and `files` go together); the last `capacity` sessions are kept."""

    provider: str
    capacity: int

    def open(self, threads: int | None) -> Running:
        return _Cached(self, threads)


class _Cached:
    note = ""

    def __init__(self, approach: SessionCache, threads: int | None) -> None:
        self._approach, self._threads = approach, threads
        self._files = dict(zip(approach.strengths, approach.files, strict=True))
        self._sessions: OrderedDict[Strength, Session] = OrderedDict()

    def __call__(self, x: FloatArray, alpha: Strength) -> FloatArray:
        session = self._sessions.pop(alpha, None)
        if session is None:
            while len(self._sessions) >= self._approach.capacity:
                self._sessions.popitem(last=False)
            session = Session(self._files[alpha], self._approach.provider, self._threads)
        self._sessions[alpha] = session
        return session(x, alpha)

    def settle(self) -> None:
        """A session is at full speed from its first call."""

    def close(self) -> None:
        self._sessions.clear()


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputMixing(Approach):
    """Both ends run and their outputs mixed: what is tried where weights cannot be blended. Another result."""

    provider: str
    exact: bool = False

    def open(self, threads: int | None) -> Running:
        return _Mixed([Session(file, self.provider, threads) for file in self.files])


class _Mixed:
    note = ""

    def __init__(self, sessions: list[Session]) -> None:
        self._sessions = sessions

    def __call__(self, x: FloatArray, alpha: Strength) -> FloatArray:
        shares = (*alpha, 1 - sum(alpha))
        first, *others = (np.float32(s) * session(x, ()) for s, session in zip(shares, self._sessions, strict=True))
        return sum(others, first)

    def settle(self) -> None:
        """Nothing to wait for."""

    def close(self) -> None:
        self._sessions.clear()
