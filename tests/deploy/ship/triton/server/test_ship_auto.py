"""A calibrated model on a real server: a request may leave alpha to the noise in its picture."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sharp_or_blurred import NOISE, saved
from triton_server import Served, alphas, infer, serving
from tritonclient.utils import InferenceServerException

import dni_runtime
from dni_deploy.image_files.read_write import read_image, write_image

YES, NO = np.array([[True]]), np.array([[False]])


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved(tmp_path_factory.mktemp("model") / "stack.onnx", NOISE)


@pytest.fixture(scope="module")
def served(path: Path) -> Iterator[Served]:
    with serving(path, "--response-cache") as served:
        yield served


def noisy(*sigmas: float) -> NDArray[np.uint8]:
    values = [127 + sigma * np.random.default_rng(0).standard_normal((70, 90, 3)) for sigma in sigmas]
    return np.stack(values).round().clip(0, 255).astype(np.uint8)


def test_auto_is_the_alpha_of_each_image(client: Any, served: Served, local_model: dni_runtime.Model):
    images = noisy(10, 40)
    answer = infer(client, served.model, {"image": images, "auto": np.array([[True], [True]])})
    expected = [local_model.enhance(image, "auto") for image in images]
    np.testing.assert_array_equal(answer.as_numpy("output_image"), expected)
    assert not np.array_equal(expected[1], local_model.enhance(images[1], local_model.choose_alpha(images[0])[0]))


def test_some_images_of_a_request_may_have_an_alpha(client: Any, served: Served, local_model: dni_runtime.Model):
    images = noisy(20, 20)
    tensors = {"image": images, "auto": np.array([[True], [False]]), "alpha": alphas(0.9, 0.1)}
    answer = infer(client, served.model, tensors).as_numpy("output_image")
    np.testing.assert_array_equal(answer[0], local_model.enhance(images[0], "auto"))
    np.testing.assert_array_equal(answer[1], local_model.enhance(images[1], 0.1))


def test_what_chooses_is_a_tensor_so_the_response_cache_tells_it_apart(served: Served, local_model: dni_runtime.Model):
    image = noisy(35)
    with served.client("http") as client:
        for tensors, alpha in (({"auto": YES}, "auto"), ({"alpha": alphas(1)}, 1.0), ({"auto": YES}, "auto")):
            answer = infer(client, served.model, {"image": image, **tensors}).as_numpy("output_image")
            np.testing.assert_array_equal(answer[0], local_model.enhance(image[0], alpha))


REFUSED: dict[str, tuple[dict[str, NDArray[Any]], str]] = {
    "neither": ({"image": noisy(9)}, "alpha: missing, and the model has no default"),
    "not auto, no alpha": ({"image": noisy(9), "auto": NO}, "alpha: missing, and the model has no default"),
    "small": ({"image": noisy(9)[:, :20], "auto": YES}, "an image of 20x90 pixels is too small to tell its noise"),
    "a tensor": ({"input": np.zeros((1, 3, 70, 70), np.float32), "auto": YES},
                 "auto: it is true, but noise is told from image alone; send alpha with input"),
    "too many": ({"image": noisy(9), "auto": np.array([[True, True]])}, r"auto"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_a_request_that_cannot_be_chosen_for_is_refused(served: Served, case: str):
    tensors, message = REFUSED[case]
    with served.client("http") as client, pytest.raises(InferenceServerException, match=message):
        infer(client, served.model, tensors)


@pytest.mark.parametrize("alpha", ["auto", "0.3"])
def test_the_client_example_says_auto(served: Served, local_model: dni_runtime.Model, tmp_path: Path, alpha: str):
    (image,) = noisy(30)
    write_image(tmp_path / "photo.png", image)
    repository = tmp_path / "repository"
    from dni_deploy.ship.triton import ShipOptions, ship_triton

    ship_triton([saved(tmp_path / "stack.onnx", NOISE)], repository, ShipOptions(backend="python"))
    address = served.told["http"]
    subprocess.run(
        [sys.executable, repository / "client.py", tmp_path / "photo.png", alpha, tmp_path / "out.png", address],
        check=True,
        timeout=60,
    )
    expected = local_model.enhance(image, alpha if alpha == "auto" else float(alpha))
    np.testing.assert_array_equal(read_image(tmp_path / "out.png"), expected)
