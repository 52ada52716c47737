"""What is told about a pair: plain data, for people and as JSON."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Seen: TypeAlias = Callable[[str, Sequence[tuple[tuple[float, ...], NDArray[np.float32]]]], None]
"""Called with a photograph's name, and alpha and picture of the ends and what lies between: float32 (H, W, C), 0..1."""


@dataclass(frozen=True, slots=True)
class Figures:
    """A blend's picture beside the ends' own, at one alpha and on one photograph, or the worst of all photographs.

    alpha:        as the model takes it: the shares of all endpoints but the last.
    photograph:   its name; of the worst, that of the largest colour shift.
    colour_shift: mean CIEDE2000 from the mix of the ends' pictures, all blurred by 8 pixels: 2 is not seen.
    contrast:     standard deviation, as a factor beyond the ends' own: 1 between them, 0.8 a fifth below both.
    detail:       the same of what a Gaussian of 1.5 pixels takes away.
    to_mix_db:    PSNR to the mix of the ends' pictures, 100 at most.
    finite:       whether all values were numbers; where not, the rest is told with black and white in their place.
    """

    alpha: tuple[float, ...]
    photograph: str
    colour_shift: float
    contrast: float
    detail: float
    to_mix_db: float
    finite: bool


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the straight line between endpoints works, told from what the networks do to photographs.

    text:          the sentence: "blends: ...", "blends with a colour shift of ...", "does not blend: ...",
                   "not judged: ...".
    blends:        None where it was not judged.
    figures:       the worst over the photographs, one for each alpha.
    each:          for each photograph and alpha.
    ends_apart_db: PSNR between the pictures of two ends, the lowest; None where it was not judged.
    photographs:   their names.
    """

    text: str
    blends: bool | None
    figures: tuple[Figures, ...] = ()
    each: tuple[Figures, ...] = ()
    ends_apart_db: float | None = None
    photographs: tuple[str, ...] = ()

    @property
    def warning(self) -> str:
        """The sentence for a user whose pair does not blend, else empty."""
        return f"the pair {self.text}" if self.blends is False else ""

    @property
    def advice(self) -> str:
        """What may help two endpoints that do not blend on the straight line between them, else empty."""
        if self.blends is not False:
            return ""
        return "a curve around a trained middle may blend: dni fit A B --photos DIR -o C.safetensors"


def unjudged(reason: str) -> Verdict:
    """Where nothing can be told, and why."""
    return Verdict(f"not judged: {reason}", None)


def worst(each: Sequence[Figures]) -> tuple[Figures, ...]:
    """The worst of every alpha's figures, in the order of the alphas."""
    found = []
    for alpha in dict.fromkeys(figures.alpha for figures in each):
        here = [figures for figures in each if figures.alpha == alpha]
        shifted = max(here, key=lambda figures: figures.colour_shift)
        found.append(
            Figures(
                alpha=alpha,
                photograph=shifted.photograph,
                colour_shift=shifted.colour_shift,
                contrast=min(figures.contrast for figures in here),
                detail=max((figures.detail for figures in here), key=lambda detail: max(detail, 1 / detail)),
                to_mix_db=min(figures.to_mix_db for figures in here),
                finite=all(figures.finite for figures in here),
            )
        )
    return tuple(found)
