"""The alpha that fits an image: between the levels of a calibration, and of a model that has one or none."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx_models import METADATA, baked, conv_stack
from with_knobs import with_knob

from dni_runtime import AlphaError, Calibration, InputError, Metadata, ModelError, pin, read_metadata, write_metadata
from dni_runtime.shares import Path

NOISE = Calibration("noise", (5.0, 25.0, 75.0), (1.0, 0.6, 0.1))
JPEG = Calibration("jpeg", (10.0, 90.0), (0.0, 1.0))
CALIBRATED = replace(METADATA, calibration=NOISE)


def noisy(sigma: float, *shape: int, seed: int = 0, dtype: Any = np.uint8) -> NDArray[Any]:
    largest = np.iinfo(dtype).max
    values = largest / 2 + sigma * largest / 255 * np.random.default_rng(seed).standard_normal(shape)
    return values.round().clip(0, largest).astype(dtype)


@pytest.mark.parametrize(
    ("level", "alpha"), [(5, 1.0), (15, 0.8), (25, 0.6), (50, 0.35), (75, 0.1), (26, 0.59), (25.03, 0.6)]
)
def test_between_two_levels_alpha_is_interpolated(level: float, alpha: float):
    assert NOISE.alpha_at(level) == NOISE.nearest(level) == alpha


@pytest.mark.parametrize(("level", "alpha"), [(0, 1.0), (4.99, 1.0), (200, 0.1)])
def test_beyond_the_levels_an_estimate_takes_the_nearest_and_a_request_is_refused(level: float, alpha: float):
    assert NOISE.nearest(level) == alpha
    with pytest.raises(AlphaError, match=rf"noise is {level:g}; the model is calibrated for 5..75"):
        NOISE.alpha_at(level)


def test_rounding_leaves_no_range():
    assert Calibration("noise", (5.0, 9.0), (0.66666, 0.33344)).nearest(7) == 0.5
    assert Calibration("noise", (5.0, 9.0), (0.66666, 0.33344)).nearest(5) == 0.66666
    assert Calibration("noise", (5.0, 9.0), (0.66666, 0.33344)).nearest(9) == 0.33344


@pytest.mark.parametrize("calibration", [NOISE, JPEG])
def test_a_file_says_what_it_is_calibrated_for(calibration: Calibration):
    metadata = replace(METADATA, calibration=calibration)
    assert Metadata.from_json(metadata.to_json()) == metadata
    assert '"calibration"' not in METADATA.to_json()


def test_an_alpha_of_several_numbers_has_no_curve():
    text = replace(CALIBRATED, endpoints=METADATA.endpoints * 2).to_json()
    with pytest.raises(ModelError, match="calibration is an object; expected none, for an alpha of 3 numbers"):
        Metadata.from_json(text)


def test_a_curve_of_a_path_is_within_its_knots():
    path = replace(CALIBRATED, alpha_path=Path((0.0, 4.0), (0,)), alpha_range=(0.0, 4.0))
    three = replace(path, calibration=Calibration("noise", (5.0, 25.0), (0.5, 3.5)))
    assert Metadata.from_json(three.to_json()) == three
    beyond = replace(path, calibration=Calibration("noise", (5.0, 25.0), (0.5, 4.5)))
    with pytest.raises(ModelError, match=r"calibration.alphas is \[0.5, 4.5\]; expected 2 numbers in 0..4"):
        Metadata.from_json(beyond.to_json())


def test_a_pinned_model_has_nothing_left_to_choose():
    model = conv_stack(metadata=CALIBRATED)
    assert read_metadata(model) == CALIBRATED
    pinned = read_metadata(pin(model, 0.3))
    assert pinned is not None
    assert pinned.calibration is None


IMAGES = [noisy(15, 90, 100, 3), noisy(40, 70, 80), noisy(60, 64, 64, 4), noisy(15, 90, 100, 3, dtype=np.uint16)]


@pytest.mark.parametrize("image", IMAGES, ids=lambda image: f"{image.shape} {image.dtype}")
def test_auto_is_the_alpha_of_the_noise_in_the_image(loaded: Any, image: NDArray[Any]):
    model = loaded(conv_stack(metadata=CALIBRATED))
    chosen, told = model.choose_alpha(image)
    # Of a grey image the three channels of the network share the noise.
    sigma = 15 if image.shape[0] == 90 else 40 * 3**0.5 if image.ndim == 2 else 60
    assert told == pytest.approx(sigma, rel=0.1)
    assert chosen == NOISE.nearest(told)
    assert np.array_equal(model.enhance(image, "auto"), model.enhance(image, chosen))
    assert not np.array_equal(model.enhance(image, "auto"), model.enhance(image, chosen + 0.1))


def test_a_network_of_one_channel_takes_grey_for_what_it_is(loaded: Any):
    model = loaded(conv_stack(channels=1, metadata=replace(CALIBRATED, color="L")))
    assert model.choose_alpha(noisy(20, 90, 100))[1] == pytest.approx(20, rel=0.1)
    assert model.choose_alpha(noisy(20, 90, 100, 3))[1] == pytest.approx(20, rel=0.1)
    assert model.choose_alpha(noisy(20, 90, 100)[:, :, None].repeat(3, axis=2))[1] == pytest.approx(20, rel=0.1)


def test_a_tiled_image_has_one_alpha(loaded: Any):
    """Its left half is noisier: a tile by itself would be given another."""
    model = loaded(conv_stack(metadata=CALIBRATED))
    image = np.concatenate([noisy(60, 96, 96, 3), noisy(10, 96, 96, 3)], axis=1)
    chosen, _ = model.choose_alpha(image)
    assert np.array_equal(model.enhance(image, "auto", tile=64), model.enhance(image, chosen, tile=64))


def test_every_image_of_a_batch_has_its_own_alpha(loaded: Any):
    model = loaded(conv_stack(metadata=CALIBRATED))
    images = [noisy(sigma, 70, 80, 3, seed=seed) for seed, sigma in enumerate([60, 2, 20, 1])]
    alphas = [model.choose_alpha(image)[0] for image in images]
    assert alphas[1] == alphas[3] == 1.0  # below the first level
    seen: list[tuple[int, int]] = []
    results = model.enhance_batch(images, "auto", progress=lambda done, total: seen.append((done, total)))
    for image, alpha, result in zip(images, alphas, results, strict=True):
        assert np.abs(result.astype(int) - model.enhance(image, alpha)).max() <= 1  # of two in a batch, or alone
    assert seen[-1] == (3, 3)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_a_batch_of_different_sizes_is_refused_whatever_alphas_it_has(loaded: Any):
    model = loaded(conv_stack(metadata=CALIBRATED))
    with pytest.raises(InputError, match="a batch of images has 70x80 and 80x80"):
        model.enhance_batch([noisy(60, 70, 80), noisy(2, 80, 80)], "auto")


REFUSED: list[tuple[str, Any, NDArray[Any], str]] = [
    ("several numbers", with_knob, IMAGES[0], r"takes 2 numbers as alpha, which no image tells; give them"),
    ("no calibration", lambda: conv_stack(), IMAGES[0], r"is not calibrated.*as a number, or calibrate.*--clean"),
    ("for JPEG", lambda: conv_stack(metadata=replace(METADATA, calibration=JPEG)), IMAGES[0],
     r"calibrated for the quality of JPEGs, which is in a file.*expected.*noise.*as a number.*alpha_at\(quality\)"),
    ("too small", lambda: conv_stack(metadata=CALIBRATED), noisy(5, 63, 200),
     r"an image of 63x200 pixels is too small.*expected 64x64 or more: give alpha as a number"),
    ("baked", lambda: baked(0.7), IMAGES[0], r"is baked for 0.7, so there is no alpha to choose.*without one"),
]  # fmt: skip


@pytest.mark.parametrize(("make", "image", "sentence"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_where_nothing_tells_alpha_a_sentence_says_why(loaded: Any, make: Any, image: NDArray[Any], sentence: str):
    model = loaded(make())
    for run in (model.enhance, lambda image, alpha: model.enhance_batch([image], alpha)):
        with pytest.raises(AlphaError, match=sentence):
            run(image, "auto")


def test_another_word_or_a_tensor_is_refused_as_an_alpha(loaded: Any):
    model = loaded(conv_stack(metadata=CALIBRATED))
    with pytest.raises(AlphaError, match="alpha is 'often'; expected a finite number"):
        model.enhance(IMAGES[0], "often")
    with pytest.raises(AlphaError, match="alpha is 'auto'; expected a finite number"):
        model(np.zeros((1, 3, 8, 8), np.float32), "auto")


def test_a_calibration_is_asked_for_by_kind(loaded: Any):
    model = loaded(conv_stack(metadata=CALIBRATED))
    assert model.require_calibration("noise") == model.require_calibration() == NOISE
    with pytest.raises(AlphaError, match=r"is calibrated for noise; expected jpeg.*calibrate the model for jpeg"):
        model.require_calibration("jpeg")


def test_writing_a_calibration_keeps_all_else():
    model = conv_stack(alpha_default=0.25)
    before = read_metadata(model)
    assert before is not None
    write_metadata(model, replace(before, calibration=NOISE))
    assert read_metadata(model) == replace(before, calibration=NOISE)
