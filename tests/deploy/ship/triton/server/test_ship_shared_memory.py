"""Images that a client on the server's machine passes in shared memory, not in the request."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tritonclient.grpc
import tritonclient.http
from numpy.typing import NDArray
from onnx_models import conv_stack, noise, picture, save
from triton_server import Served, alphas, infer
from tritonclient.utils import InferenceServerException, shared_memory

import dni_runtime


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(conv_stack(scale=2), tmp_path_factory.mktemp("model") / "stack.onnx")


@contextmanager
def region(client: Any, name: str, size_bytes: int) -> Iterator[Any]:
    """Shared memory that the server knows by `name`."""
    key = f"/dni_{name}_{os.getpid()}"
    handle = shared_memory.create_shared_memory_region(name, key, size_bytes)
    try:
        client.register_system_shared_memory(name, key, size_bytes)
        yield handle
    finally:
        client.unregister_system_shared_memory(name)
        shared_memory.destroy_shared_memory_region(handle)


def ask(client: Any, served: Served, tensors: dict[str, NDArray[Any]], answer: str, answer_bytes: int) -> NDArray[Any]:
    """Everything through shared memory, the answer too, which is copied out."""
    module = tritonclient.grpc if isinstance(client, tritonclient.grpc.InferenceServerClient) else tritonclient.http
    kinds = {"uint8": "UINT8", "float32": "FP32"}
    given = sum(array.nbytes for array in tensors.values())
    with region(client, "given", given) as source, region(client, "taken", answer_bytes) as target:
        inputs, offset = [], 0
        for name, array in tensors.items():
            shared_memory.set_shared_memory_region(source, [array], offset)
            inputs.append(module.InferInput(name, array.shape, kinds[array.dtype.name]))
            inputs[-1].set_shared_memory("given", array.nbytes, offset)
            offset += array.nbytes
        output = module.InferRequestedOutput(answer)
        output.set_shared_memory("taken", answer_bytes)
        described = client.infer(served.model, inputs, outputs=[output]).get_output(answer)
        shape = described["shape"] if isinstance(described, dict) else list(described.shape)
        dtype = np.uint8 if answer == "output_image" else np.float32
        return shared_memory.get_contents_as_numpy(target, dtype, shape).copy()


def test_an_image_and_its_answer(client: Any, served: Served, path: Path):
    image = picture(2, 33, 47, 3)
    got = ask(client, served, {"image": image, "alpha": alphas(0.3, 0.8)}, "output_image", image.nbytes * 4)
    with dni_runtime.load(path, "cpu", threads=1) as model:
        wanted = [model.enhance(one, alpha) for one, alpha in zip(image, (0.3, 0.8), strict=True)]
    np.testing.assert_array_equal(got, np.stack(wanted))


def test_a_tensor_and_its_answer(client: Any, served: Served, path: Path):
    x = noise(1, 3, 20, 24)
    got = ask(client, served, {"input": x, "alpha": alphas(0.3)}, "output", x.nbytes * 4)
    with dni_runtime.load(path, "cpu", threads=1) as model:
        np.testing.assert_allclose(got, model(x, 0.3), rtol=0, atol=1e-5)


def test_memory_that_is_too_small_for_the_answer(client: Any, served: Served):
    image = picture(1, 8, 8, 3)
    tensors = {"image": image, "alpha": alphas(0.5)}
    with pytest.raises(InferenceServerException):
        ask(client, served, tensors, "output_image", image.nbytes)
    assert infer(client, served.model, tensors).as_numpy("output_image").shape == (1, 16, 16, 3)


def test_memory_that_nobody_registered(client: Any, served: Served):
    module = tritonclient.grpc if isinstance(client, tritonclient.grpc.InferenceServerClient) else tritonclient.http
    lost = module.InferInput("image", [1, 8, 8, 3], "UINT8")
    lost.set_shared_memory("nowhere", 192)
    alpha = module.InferInput("alpha", [1, 1], "FP32")
    alpha.set_data_from_numpy(alphas(0.5))
    with pytest.raises(InferenceServerException, match="nowhere"):
        client.infer(served.model, [lost, alpha])
