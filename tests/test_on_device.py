"""Weights that stay on a device: with buffers on the CPU everything but the GPU's own part; the rest marked `gpu`."""

import threading
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from exporting import assert_close, nasty_model, photo, run
from networks import NETWORKS
from onnx_models import conv_stack, noise, save

from dni_runtime import AlphaError, InputError, ModelError, load
from dni_runtime.alpha_file import read_alpha_file
from dni_runtime.metadata import Metadata
from dni_runtime.on_device import _GRAPH_LIMIT, OnDevice
from dni_runtime.providers import Place
from dni_runtime.signature import Declared, read_signature

IMAGE = photo(2, 3, 28, 12)
ALPHAS = (0.31, 0.31, 0.77, 0.31, 1.0, 0.0)


def on_cpu(path: Path) -> OnDevice:
    file = read_alpha_file(path)
    assert file is not None
    signature = read_signature(Declared(file.slim), file.metadata or Metadata())
    return OnDevice(file, signature, Place("cpu"), graphs=False)


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_nasty_networks(name: str, tmp_path_factory: pytest.TempPathFactory):
    path = nasty_model(tmp_path_factory.getbasetemp(), name)
    runner = on_cpu(path)
    for alpha in ALPHAS:
        assert_close(runner.run(IMAGE, (alpha,)), run(path, IMAGE, alpha))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return save(conv_stack(), tmp_path / "model.onnx")


def test_an_answer_is_not_overwritten_by_the_next(path: Path):
    runner = on_cpu(path)
    first = runner.run(IMAGE, (0.5,))
    kept = first.copy()
    runner.run(1 - IMAGE, (0.25,))
    np.testing.assert_array_equal(first, kept)


def test_more_shapes_than_are_captured(path: Path):
    runner = on_cpu(path)
    for _ in range(2):
        for width in range(8, 8 + _GRAPH_LIMIT + 3):
            x = noise(1, 3, 9, width)
            assert_close(runner.run(x, (0.4,)), run(path, x, 0.4))
    assert len(runner._captured) == _GRAPH_LIMIT


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
    blend = runner._head

    class Fails:
        def run_with_iobinding(self, *_: Any) -> None:
            raise RuntimeError("lost the device")

    monkeypatch.setattr(runner, "_head", Fails())
    with pytest.raises(RuntimeError, match="lost the device"):
        runner.run(IMAGE, (0.25,))
    monkeypatch.setattr(runner, "_head", blend)
    for alpha in (0.5, 0.25):
        assert_close(runner.run(IMAGE, (alpha,)), run(path, IMAGE, alpha))


def test_values_of_other_libraries_run_without_a_copy(path: Path):
    runner = on_cpu(path)
    tensor = torch.from_numpy(IMAGE)
    value = onnxruntime.OrtValue.from_dlpack(tensor)
    assert value.data_ptr() == tensor.data_ptr()
    assert_close(torch.from_dlpack(runner.run_there(value, (0.3,))).numpy(), run(path, IMAGE, 0.3))


@pytest.mark.parametrize("policy", ["auto", "dynamic", "pinned"])
@pytest.mark.parametrize("convert", [torch.from_numpy, np.asarray], ids=["torch", "numpy"])
def test_a_model_runs_tensors_of_other_libraries(path: Path, policy: str, convert: Any):
    with load(path, "cpu", alpha_policy=policy) as model:
        y = torch.from_dlpack(model.run_on_device(convert(IMAGE.copy()), 0.3))
        assert_close(y.numpy(), run(path, IMAGE, 0.3))


def test_bad_tensors_are_refused(path: Path):
    with load(path, "cpu") as model:
        with pytest.raises(InputError, match=r"x is of type list; expected a DLPack tensor"):
            model.run_on_device([1.0], 0.5)
        with pytest.raises(InputError, match=r"x is a tensor\(double\); the model takes float32"):
            model.run_on_device(torch.zeros(1, 3, 8, 8, dtype=torch.float64), 0.5)
        with pytest.raises(InputError, match=r"x has shape \(3, 8, 8\); expected four axes"):
            model.run_on_device(torch.zeros(3, 8, 8), 0.5)
        with pytest.raises(AlphaError, match="out of range"):
            model.run_on_device(torch.zeros(1, 3, 8, 8), 1.5)
    with pytest.raises(ModelError, match="is closed"):
        model.run_on_device(torch.zeros(1, 3, 8, 8), 0.5)


def test_provider_options_are_for_gpus(path: Path):
    with pytest.raises(InputError, match=r"provider_options are {'use_tf32': '1'}, but the model runs on the CPU"):
        load(path, "cpu", provider_options={"use_tf32": "1"})


@pytest.mark.gpu
@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_nasty_networks_on_cuda(name: str, tmp_path_factory: pytest.TempPathFactory):
    path = nasty_model(tmp_path_factory.getbasetemp(), name)
    with load(path, "cuda") as model:
        assert isinstance(model._runner, OnDevice), model.alpha_note
        for alpha in ALPHAS:
            assert_close(model(IMAGE, alpha), run(path, IMAGE, alpha))


@pytest.mark.gpu
def test_alpha_moves_under_a_captured_graph(path: Path):
    with load(path, "cuda") as model:
        assert isinstance(model._runner, OnDevice) and model._runner._graphs, model.alpha_note
        for seed in range(3):
            x = noise(1, 3, 64, 64, seed=seed)
            for alpha in ALPHAS:
                assert_close(model(x, alpha), run(path, x, alpha))


@pytest.mark.gpu
def test_tensors_stay_on_the_gpu(path: Path):
    if not torch.cuda.is_available():
        pytest.skip("this PyTorch has no CUDA")
    with load(path, "cuda") as model:
        x = torch.from_numpy(IMAGE).cuda()
        for alpha in ALPHAS:
            y = torch.from_dlpack(model.run_on_device(x, alpha))
            assert y.is_cuda
            assert_close(y.cpu().numpy(), run(path, IMAGE, alpha))


@pytest.mark.gpu
@pytest.mark.parametrize("search", ["HEURISTIC", "EXHAUSTIVE"])
def test_provider_options_reach_cuda(path: Path, search: str):
    with load(path, "cuda", provider_options={"cudnn_conv_algo_search": search}, alpha_policy="dynamic") as model:
        assert_close(model(IMAGE, 0.3), run(path, IMAGE, 0.3))
