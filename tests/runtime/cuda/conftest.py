"""What tests of the GPU's way share where there is none."""

from pathlib import Path

import onnx
import pytest
from channels_last_on_cpu import emulated
from onnx_models import conv_stack, save

from dni_runtime.cuda.channels_last.rewrite import channels_last
from dni_runtime.cuda.device_plan import plan as device_plan


@pytest.fixture
def nhwc_on_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Channels-last convolutions without a GPU."""

    def rewrite(body: onnx.ModelProto) -> tuple[onnx.ModelProto, frozenset[str]]:
        model, moved = channels_last(body)
        return emulated(model), moved

    monkeypatch.setattr(device_plan, "channels_last", rewrite)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return save(conv_stack(), tmp_path / "model.onnx")
