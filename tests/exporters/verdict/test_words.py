"""The sentence for figures that are given: what decided, and for which alphas."""

import numpy as np
import pytest

from dni_exporters.verdict.verdict import Figures, worst
from dni_exporters.verdict.words import sentence


def at(alpha: float, shift: float, contrast: float = 1.0, detail: float = 1.0, finite: bool = True) -> Figures:
    return Figures((alpha,), "cat", shift, contrast, detail, 30.0, finite)


@pytest.mark.parametrize(
    ("figures", "text", "blends"),
    [
        (
            [at(0.75, 1.0), at(0.5, 2.0), at(0.25, 0.5)],
            "blends: a colour shift of 2.0 (dE2000) at most at 0.75, 0.5 and 0.25, here",
            True,
        ),
        (
            [at(0.75, 2.1), at(0.5, 3.1), at(0.25, 2.2)],
            "blends with a colour shift of 3.1 (dE2000) at 0.5, here",
            True,
        ),
        (
            [at(0.75, 2.0), at(0.5, 3.1), at(0.25, 1.2)],
            "blends with a colour shift of 3.1 (dE2000) at 0.5; none is seen at 0.75 and 0.25, here",
            True,
        ),
        (
            [at(0.75, 5.6), at(0.5, 9.0), at(0.25, 7.0)],
            "does not blend: a colour shift of 9.0 (dE2000) at 0.5, and faults at 0.75 and 0.25 too, here",
            False,
        ),
        (
            [at(0.75, 3.0), at(0.5, 4.0, contrast=0.82), at(0.25, 2.0)],
            "does not blend: haze (contrast 0.82 of the ends') at 0.5; none at 0.75 and 0.25, here",
            False,
        ),
        (
            [at(0.75, 6.0), at(0.5, 1.0), at(0.25, 1.0, detail=1.9)],
            "does not blend: halos or grain (detail 1.90 of the ends') at 0.25, and faults at 0.75 too; none at 0.5, "
            "here",
            False,
        ),
        ([at(0.5, 1.0, detail=0.6)], "does not blend: blur (detail 0.60 of the ends') at 0.5, here", False),
        (
            [at(0.5, 60.0), at(0.25, 0.0, finite=False)],
            "does not blend: values that are no numbers (NaN or infinity) at 0.25, and faults at 0.5 too, here",
            False,
        ),
    ],
)
def test_sentences(figures: list[Figures], text: str, blends: bool):
    assert sentence(figures, "here") == (text, blends)


def test_knobs_at_one_place_are_told_as_that_and_of_many_alphas_the_first():
    together = [Figures((place,) * 3, "cat", 1.0, 1.0, 1.0, 30.0, True) for place in (0.75, 0.5)]
    apart = [Figures((0.0, place, 1.0), "cat", 1.0, 1.0, 1.0, 30.0, True) for place in np.linspace(0, 1, 11).tolist()]
    few, _ = sentence([*together, *apart[:2]], "here", has_knobs=True)
    assert few.endswith(" at 0.75, 0.5, (0,0,1) and (0,0.1,1), here")
    many, _ = sentence([*together, *apart], "here", has_knobs=True)
    assert many.endswith(", (0,0.7,1), (0,0.8,1) and 2 others, here")


def test_the_worst_of_an_alpha_is_the_worst_of_each_figure():
    dog = Figures((0.5,), "dog", 3.0, 0.95, 1.1, 25.0, False)
    assert worst([at(0.5, 1.0, contrast=0.8, detail=0.5), at(0.25, 7.0), dog]) == (
        Figures((0.5,), "dog", 3.0, 0.8, 0.5, 25.0, False),
        Figures((0.25,), "cat", 7.0, 1.0, 1.0, 30.0, True),
    )
