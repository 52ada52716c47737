"""Crops of photographs: what is learnt from and what is judged by, the same ones for the same seed."""

import numpy as np
import pytest
from numpy.typing import NDArray

from dni_exporters.fitting import crops
from dni_exporters.verdict.degrade import Degradation
from dni_exporters.verdict.photographs import Photograph, built_in

DEGRADED = (Degradation("noise", 5, 15), Degradation("jpeg", 50, 95))


def numbered(count: int, height: int = 70, width: int = 100) -> list[Photograph]:
    """Photographs whose colours say which they are."""
    return [Photograph(f"{n}", np.full((height, width, 3), 20 * n, np.uint8)) for n in range(count)]


@pytest.mark.parametrize(("count", "held_out"), [(4, ["2"]), (6, ["2"]), (7, ["2", "6"]), (12, ["2", "6", "10"])])
def test_every_fourth_of_enough_photographs_is_for_judging(count: int, held_out: list[str]):
    learn, judge = crops.divide(numbered(count))
    assert [photograph.name for photograph in judge] == held_out
    assert {p.name for p in learn} == {str(n) for n in range(count)} - set(held_out)


@pytest.mark.parametrize(("height", "width"), [(90, 120), (120, 90)])
def test_of_few_photographs_a_part_of_each_is_for_judging(height: int, width: int):
    pixels = np.arange(height * width, dtype=np.uint32).reshape(height, width, 1)
    whole = Photograph("p", np.concatenate([pixels >> 16, pixels >> 8, pixels], axis=2).astype(np.uint8))
    (learn,), (judge,) = crops.divide([whole])
    both = [{tuple(pixel) for pixel in part.pixels.reshape(-1, 3).tolist()} for part in (learn, judge)]
    assert both[0].isdisjoint(both[1])
    assert len(both[0]) == 2 * len(both[1]) == 2 * height * width // 3


def test_a_batch_is_the_same_whenever_it_is_asked_for():
    photographs = built_in()

    def make(number: int, seed: int = 0) -> NDArray[np.float32]:
        return crops.batch(photographs, number, 3, 40, 3, DEGRADED, seed)

    first = make(5)
    assert (first.shape, first.dtype) == ((3, 3, 40, 40), np.float32)
    assert 0 <= first.min() < first.max() <= 1
    np.testing.assert_array_equal(first, make(5))
    assert not np.array_equal(first, make(6))
    assert not np.array_equal(first, make(5, seed=1))


def test_a_crop_may_be_larger_than_a_photograph():
    assert crops.batch(numbered(2), 0, 2, 150, 1, (), 0).shape == (2, 1, 150, 150)


def test_held_out_crops_show_ever_smaller_parts_and_every_second_one_is_degraded():
    photograph = Photograph("p", np.random.default_rng(0).integers(0, 255, (256, 256, 3), dtype=np.uint8))
    found = crops.held_out([photograph], 3, 64, 3, (), 0)
    assert [name for name, _ in found] == ["p", "p (2)", "p (3)"]
    assert all(image.shape == (1, 3, 64, 64) for _, image in found)
    # White noise loses its spread as it is shrunk: by 4, by 2, by 4/3.
    spreads = [float(image.std()) for _, image in found]
    assert spreads == sorted(spreads)
    degraded = crops.held_out([photograph], 3, 64, 3, [Degradation("noise", 50, 50)], 0)
    same = [np.array_equal(a, b) for (_, a), (_, b) in zip(found, degraded, strict=True)]
    assert same == [True, False, True]


def test_crops_have_colours_that_the_photographs_have_not():
    """Red photographs alone: what is learnt on them shall hold for green ones."""
    red = Photograph("red", np.full((80, 80, 3), (200, 20, 20), np.uint8))
    means = np.concatenate([crops.batch([red], n, 8, 16, 3, (), 0) for n in range(40)]).mean(axis=(2, 3))
    assert (means.argmax(axis=1) != 0).mean() > 0.1
    assert (means.argmax(axis=1) == 0).mean() > 0.5
