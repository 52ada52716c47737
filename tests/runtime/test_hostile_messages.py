"""What ONNX Runtime says of a stranger's model holds the model's own names, as long as they are."""

import time
from pathlib import Path

import pytest
from onnx_models import conv_stack, save

import dni_runtime
from dni_runtime import ModelError

# Searching the whole message took 75 s of processor time.
_LIMIT_S = 10


def test_a_long_name_in_an_error_costs_no_time(tmp_path: Path):
    model = conv_stack()
    for node in model.graph.node:
        node.name = "x" * 100_000
    started = time.process_time()
    with pytest.raises(ModelError, match=r"x\.onnx cannot be loaded: .*two nodes with same node name \(xxx") as caught:
        dni_runtime.load(save(model, tmp_path / "x.onnx"), "cpu", threads=1)
    assert time.process_time() - started < _LIMIT_S
    assert len(str(caught.value)) < 5000
