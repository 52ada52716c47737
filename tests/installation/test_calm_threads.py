"""Threads of the tests' sessions sleep between calls, but where a test is alone they are as users have them."""

import os

import onnxruntime
import pytest
from calm_threads import SPINNING, calm_threads
from onnx_models import baked


def make(options: onnxruntime.SessionOptions | None = None) -> onnxruntime.SessionOptions:
    model = baked(0.5).SerializeToString()
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"]).get_session_options()


def test_sessions_of_tests_do_not_spin():
    assert make().get_session_config_entry(SPINNING) == "0"
    assert os.environ["OMP_WAIT_POLICY"] == "PASSIVE"


def test_the_number_of_threads_is_what_was_asked_for():
    asked = onnxruntime.SessionOptions()
    asked.intra_op_num_threads = 3
    made = make(asked)
    assert (made.intra_op_num_threads, made.get_session_config_entry(SPINNING)) == (3, "0")
    assert make().intra_op_num_threads == onnxruntime.SessionOptions().intra_op_num_threads


def test_afterwards_all_is_as_before(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    plain = onnxruntime.InferenceSession.__init__
    with calm_threads():
        assert onnxruntime.InferenceSession.__init__ is not plain
    assert onnxruntime.InferenceSession.__init__ is plain
    assert os.environ["OMP_WAIT_POLICY"] == "ACTIVE"
