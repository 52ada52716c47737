"""Batches of requests without a server: who runs together, who is refused, and that everybody gets the own answer."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from along_paths import path_model
from exporting import small_pair
from numpy.typing import NDArray
from onnx_models import conv_stack, noise, picture, save, unet
from triton_server import alphas

import dni_deploy
import dni_runtime
from dni_deploy.ship.model_file import read_model_file
from dni_deploy.ship.triton.executor import Answer, Executor, Limits, Tensors
from dni_runtime import AlphaError, DniError, InputError, Model, ModelError

LIMITS = Limits(image_pixels=2_000_000, input_pixels=10_000)


class Counting:
    """A model that remembers the batch sizes of its runs; breaks at images whose first value is `poison`."""

    def __init__(self, model: Model, poison: float | None = None) -> None:
        self._model = model
        self._poison = poison
        self.runs: list[int] = []

    def __call__(self, x: NDArray[np.float32], alpha: Any) -> NDArray[np.float32]:
        self.runs.append(len(x))
        if self._poison is not None and self._poison in x[:, 0, 0, 0]:
            raise ModelError("out of memory")
        return self._model(x, alpha)

    def enhance_batch(self, images: list[NDArray[Any]], alpha: Any) -> list[NDArray[Any]]:
        self.runs.append(len(images))
        return self._model.enhance_batch(images, alpha)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)


class Bench:
    """A model, its executor and the reference."""

    def __init__(self, path: Path, poison: float | None = None) -> None:
        self.model = dni_runtime.load(path, "cpu", threads=1)
        self.counting = Counting(self.model, poison)
        self.executor = Executor(self.counting, read_model_file(path), LIMITS)  # type: ignore[arg-type]

    def run(self, *requests: Tensors) -> list[Answer]:
        answers = self.executor.run(requests)
        assert len(answers) == len(requests)
        return answers

    def refuse(self, request: Tensors) -> DniError:
        """The error of `request` between two good ones, which are answered as ever."""
        good = image_request(0.3)
        first, error, last = self.run(good, request, good)
        self.assert_right(good, first)
        self.assert_right(good, last)
        assert isinstance(error, DniError)
        return error

    def assert_right(self, request: Tensors, answer: Answer) -> None:
        """Every image of the request has been answered with its own alpha, to the bit or but for the order of sums."""
        assert isinstance(answer, dict), answer
        values = request["alpha"][:, 0]
        if "image" in request:
            wanted = np.stack([self.model.enhance(i, a) for i, a in zip(request["image"], values, strict=True)])
            assert answer["output_image"].dtype == np.uint8
            np.testing.assert_array_equal(answer["output_image"], wanted)
        else:
            wanted = np.concatenate([self.model(x[None], a) for x, a in zip(request["input"], values, strict=True)])
            np.testing.assert_allclose(answer["output"], wanted, rtol=0, atol=1e-6)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(save(conv_stack(), tmp_path / "model.onnx"))


def image_request(*values: float, size: tuple[int, int] = (20, 30), channels: int = 3, seed: int = 1) -> Tensors:
    return {"image": picture(len(values), *size, channels, seed=seed), "alpha": alphas(*values)}


def input_request(*values: float, size: tuple[int, int] = (20, 30), seed: int = 1) -> Tensors:
    return {"input": noise(len(values), 3, *size, seed=seed), "alpha": alphas(*values)}


def test_equal_alphas_and_sizes_run_as_one(bench: Bench):
    requests = [image_request(0.3, seed=seed) for seed in range(4)]
    for request, answer in zip(requests, bench.run(*requests), strict=True):
        bench.assert_right(request, answer)
    assert bench.counting.runs == [4]


def test_tensors_run_as_one_too_but_not_with_images(bench: Bench):
    requests = [image_request(0.3), input_request(0.3), image_request(0.3, seed=2), input_request(0.3, seed=2)]
    for request, answer in zip(requests, bench.run(*requests), strict=True):
        bench.assert_right(request, answer)
    assert bench.counting.runs == [2, 2]


def test_different_alphas_and_sizes_are_answered_with_their_own(bench: Bench):
    rng = np.random.default_rng(5)
    requests = [
        make(*rng.choice([0.0, 0.25, 0.5, 1.0], 2), size=[(20, 30), (30, 20), (8, 8)][rng.integers(3)], seed=seed)
        for seed in range(24)
        for make in (image_request, input_request)
    ]
    for request, answer in zip(requests, bench.run(*requests), strict=True):
        bench.assert_right(request, answer)
    assert sum(bench.counting.runs) == 96
    assert len(bench.counting.runs) <= 2 * 4 * 3  # kinds, alphas, sizes


def test_alphas_that_differ_in_the_last_digit_do_not_run_as_one(bench: Bench):
    near = float(np.nextafter(np.float32(0.3), np.float32(1)))
    bench.run(image_request(0.3), image_request(near))
    assert bench.counting.runs == [1, 1]


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_all_kinds_of_images_run_as_one(bench: Bench, channels: int):
    request = image_request(0.3, 0.3, channels=channels)
    (answer,) = bench.run(request)
    bench.assert_right(request, answer)
    assert bench.counting.runs == [2]


@pytest.mark.parametrize("scale", [0.5, 2.0])
def test_every_scale_and_opacity_that_is_enlarged(tmp_path: Path, scale: float):
    bench = Bench(save(conv_stack(scale=scale), tmp_path / "model.onnx"))
    opaque = image_request(0.3, 0.3, channels=4)
    opaque["image"][1, :, :, 3] = 255  # needs no run of its own, so that the two are unlike for the network
    for request in (opaque, image_request(0.3, 0.3, size=(7, 9))):
        (answer,) = bench.run(request)
        bench.assert_right(request, answer)


def test_sizes_that_the_network_has_padded(tmp_path: Path):
    bench = Bench(save(unet(), tmp_path / "model.onnx"))
    request = image_request(0.3, 0.3, 0.7, size=(5, 11))
    (answer,) = bench.run(request)
    bench.assert_right(request, answer)
    assert bench.counting.runs == [2, 1]


def test_large_images_are_tiled_and_run_alone(bench: Bench):
    request = {"image": picture(1, 1100, 1000, 3), "alpha": alphas(0.3)}
    answer, _ = bench.run(request, image_request(0.3))
    bench.assert_right(request, answer)
    request = image_request(0.3, 0.3, 0.3, size=(700, 700))
    bench.counting.runs.clear()
    (answer,) = bench.run(request)
    bench.assert_right(request, answer)
    assert bench.counting.runs == [2, 1]  # up to a megapixel together


@pytest.mark.parametrize("shape", [(1, 16, 16), ("N", 16, 16), (1, "H", "W"), (2, "H", "W")])
def test_a_model_of_fixed_sizes(tmp_path: Path, shape: Any):
    bench = Bench(save(conv_stack(shape=shape), tmp_path / "model.onnx"))
    request = image_request(0.3, 0.3, size=(20, 24))
    (answer,) = bench.run(request)
    if shape[0] == 2:
        assert "image: the model takes batches of 2 only" in str(answer)
    else:
        bench.assert_right(request, answer)


def test_a_model_of_another_tool(tmp_path: Path):
    bench = Bench(save(conv_stack(metadata=None), tmp_path / "model.onnx"))
    for request in (image_request(0.3, 0.3), input_request(0.3, 0.3)):
        (answer,) = bench.run(request)
        bench.assert_right(request, answer)


def test_the_default_alpha(tmp_path: Path):
    bench = Bench(save(conv_stack(alpha_default=0.25), tmp_path / "model.onnx"))
    with_alpha = image_request(0.25)
    without = {"image": with_alpha["image"]}
    first, second = bench.run(with_alpha, without)
    bench.assert_right(with_alpha, first)
    bench.assert_right(with_alpha, second)
    assert bench.counting.runs == [2]


def test_a_baked_model_takes_no_alpha(tmp_path: Path):
    bench = Bench(save(conv_stack(alpha=0.5), tmp_path / "model.onnx"))
    request = {"image": picture(2, 9, 9, 3)}
    (answer,) = bench.run(request)
    assert isinstance(answer, dict)
    np.testing.assert_array_equal(answer["output_image"][1], bench.model.enhance(request["image"][1]))


def test_three_endpoints_take_two_alphas(tmp_path: Path):
    network, weights = small_pair(3)
    dni_deploy.export(weights, tmp_path / "three.onnx", alpha_input=True, arch=network)
    bench = Bench(tmp_path / "three.onnx")
    shares = np.array([[0.2, 0.5], [0.2, 0.5], [0.5, 0.2]], np.float32)
    image = picture(3, 12, 10, 3)
    answer, error = bench.run({"image": image, "alpha": shares}, {"image": image[:1], "alpha": alphas(0.5)})
    assert isinstance(answer, dict)
    for got, one, alpha in zip(answer["output_image"], image, shares, strict=True):
        np.testing.assert_array_equal(got, bench.model.enhance(one, alpha))
    assert bench.counting.runs == [2, 1]
    assert "alpha: the tensor has shape [1, 1]; expected [1, 2]" in str(error)


BAD: dict[str, tuple[Tensors, type[DniError], str]] = {
    "no image": ({"alpha": alphas(0.3)}, InputError, "image and input: neither was given; expected one"),
    "both": ({**image_request(0.3), **input_request(0.3)}, InputError, "image and input: both were given"),
    "no alpha": ({"image": picture(2, 4, 4, 3)}, AlphaError, r"alpha: missing.* send float32 \[2, 1\]"),
    "NaN": (image_request(float("nan")), AlphaError, r"alpha nan is out of range; expected a finite number in 0\.\.1"),
    "infinite": (image_request(float("inf")), AlphaError, "alpha inf is out of range"),
    "too large": (image_request(1.5), AlphaError, r"alpha 1\.5 is out of range"),
    "one of two": (image_request(0.5, -1), AlphaError, "alpha -1 is out of range"),
    "alpha's rank": ({**image_request(0.5), "alpha": alphas(0.5)[0]}, InputError, r"alpha: .*\[1\]; expected \[1, 1\]"),
    "alpha's length": ({**image_request(0.5), "alpha": alphas(0.5, 1)}, InputError, r"alpha: .*\[2, 1\]; expected"),
    "alpha's type": ({**image_request(0.5), "alpha": np.ones((1, 1))}, InputError, "alpha: .* of type float64"),
    "rank": ({**image_request(0.5), "image": picture(4, 4, 3)}, InputError, r"image: .*\[4, 4, 3\]; expected \[N, h"),
    "type": ({**input_request(0.5), "input": np.ones((1, 3, 4, 4))}, InputError, "input: .* of type float64"),
    "no pixels": ({**image_request(0.5), "image": picture(1, 0, 4, 3)}, InputError, "image: .*at least 1 along every"),
    "no images": (image_request(), InputError, "image: .*at least 1 along every axis"),
    "channels": (image_request(0.5, channels=2), InputError, r"image: the image has shape \(20, 30, 2\)"),
    "input's channels": ({**input_request(0.5), "input": noise(1, 4, 4, 4)}, InputError, "input: .* channel count 4"),
    "NaN pixels": ({**input_request(0.5), "input": np.full((1, 3, 4, 4), np.nan, np.float32)}, InputError,
                   "input: the tensor holds NaN or infinity"),
    "large": ({"image": np.zeros((1, 2001, 1000, 3), np.uint8), "alpha": alphas(0.5)}, InputError,
              "image: 1 x 2001 x 1000 pixels are over the limit of 2000000 for a request; .*--max-pixels"),
    "many": ({"image": np.zeros((3, 1000, 1000, 1), np.uint8), "alpha": alphas(0, 0, 0)}, InputError,
             "image: 3 x 1000 x 1000 pixels are over the limit"),
    "large input": (input_request(0.5, size=(101, 100)), InputError, "input: 1 x 101 x 100 .*--max-input-pixels"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_a_bad_request_is_refused_and_its_neighbours_are_answered(bench: Bench, case: str):
    request, kind, message = BAD[case]
    error = bench.refuse(request)
    assert type(error) is kind
    with pytest.raises(kind, match=message):
        raise error


def test_sizes_that_the_network_does_not_take_are_named(tmp_path: Path):
    bench = Bench(save(unet(), tmp_path / "model.onnx"))
    error = bench.refuse(input_request(0.3, size=(10, 12)))
    assert "input: x has height and width 10x12; expected multiples of 4, at least 8" in str(error)


def test_a_failing_run_is_repeated_one_by_one(tmp_path: Path):
    bench = Bench(save(conv_stack(), tmp_path / "model.onnx"), poison=0.125)
    requests = [input_request(0.3, seed=seed) for seed in range(4)]
    requests[2]["input"][0, 0, 0, 0] = 0.125
    answers = bench.run(*requests)
    assert isinstance(answers[2], ModelError)
    assert str(answers[2]) == "input: out of memory"
    for index in (0, 1, 3):
        bench.assert_right(requests[index], answers[index])
    assert bench.counting.runs == [4, 1, 1, 1, 1]


def test_one_bad_image_of_several_is_named(bench: Bench):
    request = input_request(0.3, 0.3)
    bench.counting._poison = float(request["input"][1, 0, 0, 0])
    (answer,) = bench.run(request)
    assert str(answer) == "input: out of memory (image 2 of 2)"


def test_nothing_asked_nothing_answered(bench: Bench):
    assert bench.run() == []


def test_requests_of_places_on_a_path_run_by_place(tmp_path_factory: pytest.TempPathFactory):
    bench = Bench(path_model(tmp_path_factory.getbasetemp(), "straight"))
    requests = [image_request(place) for place in (0.0, 3.4, 1.0, 3.4, 4.0)]
    for request, answer in zip(requests, bench.run(*requests), strict=True):
        bench.assert_right(request, answer)
    assert sorted(bench.counting.runs) == [1, 1, 1, 2]
    (error,) = bench.run(image_request(4.5))
    assert isinstance(error, AlphaError)
    assert "expected a finite number in 0..4: the path" in str(error)
