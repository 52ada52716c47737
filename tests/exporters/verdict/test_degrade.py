"""Photographs made worse: as the texts say, and the same for the same seed."""

import numpy as np
import pytest

from dni_exporters.verdict.degrade import Degradation, degrade, parse_degradations
from dni_runtime import InputError

GREY = np.full((64, 64, 3), 128, np.uint8)
CHECKS = (np.indices((64, 64)).sum(axis=0) % 2 * 255).astype(np.uint8)[..., None].repeat(3, axis=2)


def all_of(kind: str, strength: float, pixels: np.ndarray, count: int = 40) -> list[np.ndarray]:
    """Of so many tries those that were degraded."""
    tries = [degrade(pixels, [Degradation(kind, strength, strength)], np.random.default_rng(n)) for n in range(count)]
    return [made for made in tries if not np.array_equal(made, pixels)]


def test_texts_are_done_in_the_order_of_a_camera():
    found = parse_degradations(["jpeg:30:95", "noise:0:25", "blur:0.5:2"])
    assert found == (Degradation("blur", 0.5, 2), Degradation("noise", 0, 25), Degradation("jpeg", 30, 95))
    assert parse_degradations(["none"]) == parse_degradations([]) == ()


@pytest.mark.parametrize(
    "text",
    ["", "noise", "noise:5", "noise:9:5", "noise:-1:5", "noise:0:256", "jpeg:0:50", "fog:1:2", "none"],
)
def test_texts_that_are_none(text: str):
    with pytest.raises(InputError, match=r"is no degradation; expected blur:LO:HI within 0\.\.10, noise:LO:HI w"):
        parse_degradations(["noise:0:5", text] if text == "none" else [text])


def test_a_kind_is_given_once():
    with pytest.raises(InputError, match=r"'noise:1:2' is no degradation; expected .*, each once, or none alone"):
        parse_degradations(["noise:0:5", "noise:1:2"])


def test_half_of_the_photographs_have_noise_of_the_wanted_strength():
    made = all_of("noise", 20, GREY, 200)
    assert 70 < len(made) < 130
    assert np.mean([pixels.std() for pixels in made]) == pytest.approx(20, rel=0.02)


def test_blur_takes_detail_away_and_jpeg_of_a_low_quality_too():
    (blurred, *_), (compressed, *_) = all_of("blur", 2, CHECKS), all_of("jpeg", 5, CHECKS)
    assert blurred[8:-8, 8:-8].std() < 3 < CHECKS.std() / 2
    assert compressed.shape == CHECKS.shape
    assert 5 < np.abs(compressed.astype(int) - CHECKS).mean() < 128


def test_the_same_seed_gives_the_same_pixels():
    everything = parse_degradations(["jpeg:30:95", "noise:0:25", "blur:0.5:2"])
    made = [degrade(CHECKS, everything, np.random.default_rng(1)) for _ in range(2)]
    np.testing.assert_array_equal(*made)
