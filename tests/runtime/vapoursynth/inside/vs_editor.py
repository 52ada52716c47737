"""Scripts that an editor runs again and again, each in a core of its own, and shows beside each other."""

import gc
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import numpy as np
import vapoursynth as vs
from onnx_models import conv_stack, save
from vs_clips import pixels

import dni_runtime

SCRIPT = """
import vapoursynth as vs
from dni_runtime.vapoursynth import enhance

source = vs.core.std.BlankClip(format=vs.RGBS, width=41, height=30, length=8, color=[0.1, 0.5, 0.9])
enhance(source, MODEL, lambda n: n / 8, provider="cpu", num_streams=2).set_output()
"""


class Editor(vs.EnvironmentPolicy):
    """As VapourSynth wants it of whoever holds several cores at once."""

    def __init__(self) -> None:
        self._current = ContextVar[Any]("environment", default=None)
        self._alive: list[Any] = []

    def on_policy_registered(self, special_api: vs.EnvironmentPolicyAPI) -> None:
        self._api = special_api

    def on_policy_cleared(self) -> None:
        """Nothing to do."""

    def get_current_environment(self) -> Any:
        return self._current.get()

    def set_environment(self, environment: Any) -> Any:
        before = self._current.get()
        self._current.set(environment)
        return before

    def is_alive(self, environment: Any) -> bool:
        return environment in self._alive

    def run(self, model: Path) -> tuple[Any, Any, vs.VideoNode]:
        data = self._api.create_environment()
        self._alive.append(data)
        environment = self._api.wrap_environment(data)
        with environment.use():
            exec(SCRIPT, {"MODEL": model})
            return data, environment, vs.get_output().clip

    def end(self, data: Any) -> None:
        self._api.destroy_environment(data)
        self._alive.remove(data)


EDITOR = Editor()
vs.register_policy(EDITOR)


def models() -> int:
    return sum(isinstance(each, dni_runtime.Model) for each in gc.get_objects())


def test_scripts_beside_each_other_and_again(tmp_path: Path):
    path = save(conv_stack(scale=2), tmp_path / "model.onnx")
    first, _, shown = EDITOR.run(path)
    second, other, beside = EDITOR.run(path)
    with other.use():  # a frame of one, while the other is at work
        frames = [shown.get_frame_async(n) for n in range(8)]
        found = [pixels(frame.result()) for frame in frames]
    image = np.broadcast_to(np.array([0.1, 0.5, 0.9], np.float32), (30, 41, 3))
    with dni_runtime.load(path, "cpu") as model:
        np.testing.assert_array_equal(found, [model.enhance(image, n / 8) for n in range(8)])
        expected = model.enhance(image, 0.5)
    del model, frames
    assert models() == 2
    del shown
    EDITOR.end(first)
    assert models() == 1
    np.testing.assert_array_equal(pixels(beside.get_frame_async(4).result()), expected)
    del beside
    EDITOR.end(second)
    assert models() == 0
