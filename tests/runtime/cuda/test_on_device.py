"""Weights that stay on a device: with buffers on the CPU, everything but the GPU's own part (test_on_cuda.py)."""

import gc
import threading
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from device_plans import ALPHAS, IMAGE, on_cpu
from exporting import assert_close, nasty_model, run
from networks import NETWORKS, pair
from onnx_models import baked, conv_stack, noise, picture, save

from dni_exporters import export
from dni_runtime import InputError, ModelError, load
from dni_runtime.cuda import graph_session
from dni_runtime.cuda.graph_session import GRAPH_LIMIT
from dni_runtime.weights.split import CannotPrepareError


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_nasty_networks(name: str, tmp_path_factory: pytest.TempPathFactory):
    path = nasty_model(tmp_path_factory.getbasetemp(), name)
    runner = on_cpu(path)
    for alpha in ALPHAS:
        assert_close(runner.run(IMAGE, (alpha,)), run(path, IMAGE, alpha))


@pytest.mark.usefixtures("nhwc_on_cpu")
@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_nasty_networks_channels_last(name: str, tmp_path_factory: pytest.TempPathFactory):
    path = nasty_model(tmp_path_factory.getbasetemp(), name)
    if name == "transposed_batch_norm":
        with pytest.raises(CannotPrepareError, match="most weights are not of convolutions"):
            on_cpu(path, nhwc=True)
        return
    runner = on_cpu(path, nhwc=True)
    for alpha in ALPHAS:
        assert_close(runner.run(IMAGE, (alpha,)), run(path, IMAGE, alpha))


@pytest.mark.usefixtures("nhwc_on_cpu")
@pytest.mark.parametrize("nhwc", [False, True])
@pytest.mark.parametrize("name", ["batch_norm", "prelu", "unet", "linear"])
def test_half_networks(name: str, nhwc: bool, tmp_path: Path):
    network, a, b = pair(name)
    path = tmp_path / "model.onnx"
    export([a, b], path, alpha_input=True, arch=network, dtype="float16")
    runner = on_cpu(path, nhwc=nhwc, half=True)
    for alpha in ALPHAS:
        assert_close(runner.run(IMAGE, (alpha,)), run(path, IMAGE, alpha), 2e-2)


def test_an_answer_is_not_overwritten_by_the_next(path: Path):
    runner = on_cpu(path)
    first = runner.run(IMAGE, (0.5,))
    kept = first.copy()
    runner.run(1 - IMAGE, (0.25,))
    np.testing.assert_array_equal(first, kept)


def test_more_shapes_than_are_captured(path: Path):
    runner = on_cpu(path)
    for _ in range(2):
        for width in range(8, 8 + GRAPH_LIMIT + 3):
            x = noise(1, 3, 9, width)
            assert_close(runner.run(x, (0.4,)), run(path, x, 0.4))
    assert len(runner._floats._captured) == GRAPH_LIMIT


def test_threads_get_the_answer_of_their_alpha(path: Path):
    runner = on_cpu(path)
    wrong: list[float] = []

    def work(alpha: float) -> None:
        wanted = run(path, IMAGE, alpha)
        wrong.extend(alpha for _ in range(50) if np.abs(runner.run(IMAGE, (alpha,)) - wanted).max() > 1e-5)

    threads = [threading.Thread(target=work, args=(alpha,)) for alpha in (0.0, 0.3, 0.6, 1.0)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_weights_half_blended_are_never_used(path: Path, monkeypatch: pytest.MonkeyPatch):
    runner = on_cpu(path)
    runner.run(IMAGE, (0.5,))
    weights = runner._weights
    blend = weights._head

    class Fails:
        def run_with_iobinding(self, *_: Any) -> None:
            raise RuntimeError("lost the device")

    monkeypatch.setattr(weights, "_head", Fails())
    with pytest.raises(RuntimeError, match="lost the device"):
        runner.run(IMAGE, (0.25,))
    monkeypatch.setattr(weights, "_head", blend)
    for alpha in (0.5, 0.25):
        assert_close(runner.run(IMAGE, (alpha,)), run(path, IMAGE, alpha))


def test_a_baked_model_has_buffers_too(tmp_path: Path):
    path = save(baked(0.3), tmp_path / "model.onnx")
    runner = on_cpu(path)
    for seed in range(3):
        x = noise(2, 3, 9, 12, seed=seed)
        assert_close(runner.run(x, None), run(path, x))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_integer_images_are_converted_by_the_graph(path: Path, dtype: type):
    runner, largest = on_cpu(path), np.iinfo(dtype).max
    assert runner.takes_integers(np.dtype(dtype))
    for alpha in ALPHAS:
        image = picture(2, 9, 12, 3, dtype=dtype)
        y = run(path, (image / np.float32(largest)).astype(np.float32).transpose(0, 3, 1, 2), alpha)
        wanted = np.clip(np.rint(y * np.float32(largest)), 0, largest).astype(dtype).transpose(0, 2, 3, 1)
        got = runner.run_integers(image, (alpha,))
        assert got.dtype == dtype
        assert (
            abs(got.astype(int) - wanted.astype(int)).max() <= 1
        )  # of halves that sums in another order round otherwise


def test_nan_is_no_integer(tmp_path: Path):
    model = conv_stack()
    bias = next(t for t in model.graph.initializer if t.name == "second.bias.A")
    bias.CopyFrom(onnx.numpy_helper.from_array(np.full(3, np.nan, np.float32), bias.name))
    runner = on_cpu(save(model, tmp_path / "model.onnx"))
    assert runner.takes_integers(np.dtype(np.uint8)) and not runner.takes_integers(np.dtype(np.float32))
    with pytest.raises(ModelError, match="holds NaN"):
        runner.run_integers(picture(1, 9, 12, 3), (0.5,))


def test_what_fails_with_captured_buffers_runs_without(path: Path, monkeypatch: pytest.MonkeyPatch):
    runner = on_cpu(path)
    for _ in range(2):
        runner.run(IMAGE, (0.5,))
    (captured,) = runner._floats._captured.values()
    session = runner._floats._session

    class Breaks:
        def io_binding(self) -> Any:
            return session.io_binding()

        def run_with_iobinding(self, binding: Any, options: Any) -> None:
            if binding is captured.binding:
                raise RuntimeError("CUDA error 900: operation not permitted when stream is capturing")
            session.run_with_iobinding(binding, options)

    monkeypatch.setattr(runner._floats, "_session", Breaks())
    for _ in range(2):
        assert_close(runner.run(IMAGE, (0.25,)), run(path, IMAGE, 0.25))


def test_provider_options_are_for_gpus(path: Path):
    with pytest.raises(InputError, match=r"provider_options are {'use_tf32': '1'}, but the model runs on the CPU"):
        load(path, "cpu", provider_options={"use_tf32": "1"})


def test_a_closed_runner_frees_its_sessions(path: Path):
    runner = on_cpu(path)
    runner.run(IMAGE, (0.5,))
    session, head = weakref.ref(runner._floats._session), weakref.ref(runner._weights._head)
    runner.close()
    gc.collect()
    assert session() is None and head() is None


def test_a_capture_that_fails_is_no_failed_call(path: Path, monkeypatch: pytest.MonkeyPatch):
    """Of the weights and of a bound call; without a graph to leave out, the error comes out."""
    runner = on_cpu(path)
    x = onnxruntime.OrtValue.ortvalue_from_numpy(IMAGE.copy())
    out = onnxruntime.OrtValue.ortvalue_from_shape_and_type(IMAGE.shape, np.float32)
    call = runner.bind(x, out)
    failed: list[Any] = []

    class Breaks:
        def __init__(self, session: Any) -> None:
            self.session = session

        def io_binding(self) -> Any:
            return self.session.io_binding()

        def run_with_iobinding(self, binding: Any, options: Any) -> None:
            if options is None or options.get_run_config_entry("gpu_graph_id") != "-1":
                failed.append(options)
                raise RuntimeError("CUDA error 900: operation not permitted when stream is capturing")
            self.session.run_with_iobinding(binding, options)

    for part, name in ((runner._weights, "_head"), (runner._floats, "_session")):
        monkeypatch.setattr(part, name, Breaks(getattr(part, name)))
    with pytest.raises(RuntimeError, match="error 900"):
        call((0.5,))
    runner._weights._options = graph_session.run_options(1)
    monkeypatch.setattr(runner._floats, "_graphs", True)
    call = runner.bind(x, out)
    call((0.25,))
    assert len(failed) == 3
    assert_close(out.numpy(), run(path, IMAGE, 0.25))


def test_a_device_has_tiles_of_one_size_earlier(path: Path):
    """512 x 512 pixels are one image for both; one more column, and a device has tiles."""
    tiles: list[int] = []
    with load(path, "cpu") as model:
        for provider, runner in (("cuda", on_cpu(path)), ("cpu", model._runner)):
            model._running._provider, model._running._runner = provider, runner
            for width in (512, 520):
                model.enhance(picture(512, width, 3), 0.5, progress=lambda done, total: tiles.append(total))
    assert tiles == [1, 2, 2, 1, 1]


def test_a_shape_that_cannot_be_captured_is_not_tried_for_ever(path: Path, monkeypatch: pytest.MonkeyPatch):
    runner = on_cpu(path)
    tried: list[int] = []

    def fail(*_: Any) -> Any:
        tried.append(1)
        raise RuntimeError("out of memory")

    monkeypatch.setattr(runner._floats, "_new", fail)
    for _ in range(6):
        assert_close(runner.run(IMAGE, (0.25,)), run(path, IMAGE, 0.25))
    assert len(tried) == 2
