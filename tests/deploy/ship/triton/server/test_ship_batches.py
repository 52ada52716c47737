"""What tritonserver runs together, of pictures, sizes and alphas; and what its options change."""

import concurrent.futures
import itertools
from pathlib import Path
from typing import Any

import pytest
from numpy.typing import NDArray
from onnx_models import conv_stack, noise, picture, save
from triton_reference import GOOD, SIZES, assert_right
from triton_server import Served, alphas, executed, infer, serving
from tritonclient.utils import InferenceServerException

import dni_runtime


def together(served: Served, requests: list[dict[str, NDArray[Any]]]) -> list[Any]:
    """The results, or exceptions, of requests sent at the same time."""

    def send(tensors: dict[str, NDArray[Any]]) -> Any:
        with served.client("grpc") as client:
            try:
                return infer(client, served.model, tensors)
            except InferenceServerException as error:
                return error

    with concurrent.futures.ThreadPoolExecutor(len(requests)) as pool:
        return list(pool.map(send, requests))


def delayed(path: Path, count: int, *options: object) -> Any:
    """A server that starts to execute when `count` requests wait; with this, what runs together is no chance."""
    return serving(path, "--max-batch", count, *options, TRITONSERVER_DELAY_SCHEDULER=str(count))


def assert_together(before: Any, after: Any, count: int) -> None:
    """One execution has answered `count` requests; dni serve's own may have had a place in it, or one to itself."""
    asked = executed(before, after, "inference_count") - count
    assert 0 <= asked < 10
    assert executed(before, after) <= 1 + asked


def test_one_execution_answers_sizes_and_alphas_and_refuses_the_bad_ones(path: Path, local_model: dni_runtime.Model):
    requests: list[dict[str, NDArray[Any]]] = [
        {"image": picture(1, *size, 3, seed=seed), "alpha": alphas(alpha)}
        for seed, (size, alpha) in enumerate(itertools.product(SIZES, [0.0, 0.3, 0.7, 1.0]))
    ]
    bad = [{**GOOD, "alpha": alphas(value)} for value in (float("nan"), 2.0)] + [{**GOOD, "image": picture(1, 0, 8, 3)}]
    with delayed(path, len(requests) + len(bad)) as served:
        before = served.statistics()
        results = together(served, [*requests, *bad])
        after = served.statistics(int(before["inference_count"]) + len(results))
    for tensors, result in zip(requests, results, strict=False):
        assert_right(local_model, tensors, result)
    messages = [result.message() for result in results[len(requests) :]]
    assert ["alpha nan" in messages[0], "alpha 2" in messages[1], "image: " in messages[2]] == [True] * 3
    assert_together(before, after, len(requests) + len(bad))


def test_equal_alphas_are_batched(path: Path, local_model: dni_runtime.Model):
    requests = [{"image": picture(1, 24, 32, 3, seed=seed), "alpha": alphas(0.3)} for seed in range(16)]
    with delayed(path, 16) as served:
        before = served.statistics()
        for tensors, result in zip(requests, together(served, requests), strict=True):
            assert_right(local_model, tensors, result)
        after = served.statistics(int(before["inference_count"]) + len(requests))
    assert_together(before, after, 16)


def test_the_default_alpha(tmp_path: Path):
    path = save(conv_stack(alpha_default=0.25), tmp_path / "with_default.onnx")
    image = picture(2, 8, 8, 3)
    with serving(path) as served, served.client("grpc") as client, dni_runtime.load(path, "cpu") as model:
        assert_right(model, {"image": image}, infer(client, served.model, {"image": image}), [0.25, 0.25])
        tensors = {"image": image, "alpha": alphas(0.9, 0.1)}
        assert_right(model, tensors, infer(client, served.model, tensors))


def test_a_baked_model_takes_no_alpha(tmp_path: Path):
    path = save(conv_stack(alpha=0.5), tmp_path / "baked.onnx")
    image = picture(1, 8, 8, 3)
    with serving(path) as served, served.client("http") as client, dni_runtime.load(path, "cpu") as model:
        assert_right(model, {"image": image}, infer(client, served.model, {"image": image}), [None])
        with pytest.raises(InferenceServerException, match="alpha"):
            infer(client, served.model, {"image": image, "alpha": alphas(0.5)})


def test_the_response_cache_tells_alphas_apart(path: Path, local_model: dni_runtime.Model):
    with serving(path, "--response-cache", "--instances", 2) as served, served.client("http") as client:
        for alpha in (0.5, 0.5, 0.6, 0.5):
            tensors = {**GOOD, "alpha": alphas(alpha)}
            assert_right(local_model, tensors, infer(client, served.model, tensors))
        counts = served.statistics()["inference_stats"]
    assert int(counts["cache_hit"]["count"]) == 2  # dni serve itself asks for another pixel each time


def test_the_limits_are_configurable(path: Path):
    with serving(path, "--max-pixels", 63, "--max-input-pixels", 64) as served, served.client("grpc") as client:
        with pytest.raises(InferenceServerException, match="image: 1 x 8 x 8 pixels are over the limit of 63"):
            infer(client, served.model, GOOD)
        infer(client, served.model, {"input": noise(1, 3, 8, 8), "alpha": alphas(0.5)})
        with pytest.raises(InferenceServerException, match="input: 1 x 9 x 8 pixels are over the limit of 64"):
            infer(client, served.model, {"input": noise(1, 3, 9, 8), "alpha": alphas(0.5)})
