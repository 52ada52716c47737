"""A model to ship."""

from pathlib import Path

import pytest
from onnx_models import conv_stack, save


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return save(conv_stack(), tmp_path / "stack.onnx")
