"""Threads that sleep while they have nothing to do: otherwise they spin, on the core that other tests run on."""

import functools
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

SPINNING = "session.intra_op.allow_spinning"


@contextmanager
def calm_threads() -> Iterator[None]:
    """For sessions of ONNX Runtime that are made in the meantime, and OpenMP (PyTorch) in processes that start."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_WAIT_POLICY", "PASSIVE")
        if "onnxruntime" in sys.modules:  # no import, or every test would seem to need it
            session = sys.modules["onnxruntime"].InferenceSession
            patch.setattr(session, "__init__", _without_spinning(session.__init__))
        yield


def _without_spinning(make: Any) -> Any:
    @functools.wraps(make)
    def without(session: Any, model: Any, sess_options: Any = None, *arguments: Any, **options: Any) -> None:
        sess_options = sess_options or sys.modules["onnxruntime"].SessionOptions()
        sess_options.add_session_config_entry(SPINNING, "0")
        make(session, model, sess_options, *arguments, **options)

    return without
