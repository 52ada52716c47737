"""Tensors of other libraries on a device: taken without a copy, refused where they do not fit, written in place."""

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from device_plans import ALPHAS, IMAGE, on_cpu
from exporting import assert_close, photo, run
from onnx_models import noise

from dni_runtime import AlphaError, InputError, ModelError, load


def test_values_of_other_libraries_run_without_a_copy(path: Path):
    runner = on_cpu(path)
    tensor = torch.from_numpy(IMAGE)
    value = onnxruntime.OrtValue.from_dlpack(tensor)
    assert value.data_ptr() == tensor.data_ptr()
    assert_close(torch.from_dlpack(runner.run_there(value, (0.3,))).numpy(), run(path, IMAGE, 0.3))


def test_a_result_on_the_device_is_not_overwritten(path: Path):
    runner = on_cpu(path)
    kept = []
    for number in range(4):  # the second call takes the buffers of the shape
        value = onnxruntime.OrtValue.ortvalue_from_numpy(noise(1, 3, 9, 12, seed=number))
        y = runner.run_there(value, (0.3,))
        kept.append((y, y.numpy().copy()))
    for y, was in kept:
        np.testing.assert_array_equal(y.numpy(), was)


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


@pytest.mark.parametrize("policy", ["auto", "dynamic", "pinned"])
def test_a_bound_call_reads_and_writes_in_place(path: Path, policy: str):
    x, out = torch.zeros(IMAGE.shape), torch.zeros(IMAGE.shape)
    with load(path, "cpu", alpha_policy=policy) as model:
        call = model.bind(x, out)
        for seed, alpha in enumerate(ALPHAS):
            image = photo(*IMAGE.shape, seed=seed)
            x.copy_(torch.from_numpy(image))
            call(alpha)
            assert_close(out.numpy(), run(path, image, alpha))
        with pytest.raises(AlphaError, match="out of range"):
            call(1.5)
        with pytest.raises(InputError, match=r"out is a tensor\(double\); the model takes float32"):
            model.bind(x, out.double())
        with pytest.raises(InputError, match=r"out has shape \(2, 3, 28, 13\); the network makes \(2, 3, 28, 12\)"):
            model.bind(x, torch.zeros(2, 3, 28, 13))(0.5)
    with pytest.raises(ModelError, match="is closed"):
        call(0.5)


def test_a_bound_call_on_the_device(path: Path):
    runner = on_cpu(path)
    x = onnxruntime.OrtValue.ortvalue_from_numpy(IMAGE.copy())
    out = onnxruntime.OrtValue.ortvalue_from_shape_and_type(IMAGE.shape, np.float32)
    call = runner.bind(x, out)
    for seed, alpha in enumerate(ALPHAS):
        image = photo(*IMAGE.shape, seed=seed)
        x.update_inplace(image)
        call((alpha,))
        assert_close(out.numpy(), run(path, image, alpha))


def test_results_may_not_overlap_the_image(path: Path):
    both = torch.zeros(2 * IMAGE.size)
    x, out = (part.view(IMAGE.shape) for part in (both[: IMAGE.size], both[IMAGE.size // 2 :][: IMAGE.size]))
    runner = on_cpu(path)
    with pytest.raises(InputError, match="x and out share memory"):
        runner.bind(*(onnxruntime.OrtValue.from_dlpack(tensor) for tensor in (x, out)))
