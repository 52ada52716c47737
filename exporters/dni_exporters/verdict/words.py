"""The verdict in one sentence: the figure that decided, and the alphas that it holds for."""

from collections.abc import Sequence
from dataclasses import dataclass

from dni_runtime import format_alpha

from .verdict import Figures

# By eye, on published pairs (benchmarks/real_pairs): below the first nobody sees a shift, up to the second it is a tint
# beside the ends, above it the picture is wrong at first sight. Tints reach 5.0, and a contrast of 0.88; what is wrong
# begins at 6.0, or at a contrast of 0.80.
SEEN_SHIFT = 2.0
WRONG_SHIFT = 5.5
HAZY_CONTRAST = 0.85
BLURRED_DETAIL = 0.7
HALOED_DETAIL = 1.3
# Of knobs there may be 65, and nobody reads so many.
_MOST_ALPHAS = 12


@dataclass(frozen=True, slots=True)
class _Fault:
    """size: times the limit; text: with the figure."""

    size: float
    text: str


def sentence(figures: Sequence[Figures], on: str, *, has_knobs: bool = False) -> tuple[str, bool]:
    """What the figures say, the worst for each alpha, and whether the blend works.

    on:        what it was tried on.
    has_knobs: whether the numbers of an alpha are those of knobs: all at one place are told as that place.
    """
    faults = {each.alpha: _worst_fault(each) for each in figures}
    found = {alpha: fault for alpha, fault in faults.items() if fault is not None}
    if found:
        worst = max(found, key=lambda alpha: found[alpha].size)
        others = [alpha for alpha in found if alpha != worst]
        good = [alpha for alpha in faults if alpha not in found]
        text = f"does not blend: {found[worst].text} at {_listed([worst], has_knobs)}"
        text += f", and faults at {_listed(others, has_knobs)} too" if others else ""
        text += f"; none at {_listed(good, has_knobs)}" if good else ""
        return f"{text}, {on}", False
    worst_shift = max(figures, key=lambda each: each.colour_shift)
    shift = _shift(worst_shift.colour_shift)
    if worst_shift.colour_shift <= SEEN_SHIFT:
        return f"blends: {shift} at most at {_listed([each.alpha for each in figures], has_knobs)}, {on}", True
    unseen = [each.alpha for each in figures if each.colour_shift <= SEEN_SHIFT]
    text = f"blends with {shift} at {_listed([worst_shift.alpha], has_knobs)}"
    text += f"; none is seen at {_listed(unseen, has_knobs)}" if unseen else ""
    return f"{text}, {on}", True


def _worst_fault(figures: Figures) -> _Fault | None:
    faults = [
        _Fault(figures.colour_shift / WRONG_SHIFT, _shift(figures.colour_shift)),
        _Fault(HAZY_CONTRAST / figures.contrast, f"haze (contrast {figures.contrast:.2f} of the ends')"),
        _Fault(figures.detail / HALOED_DETAIL, f"halos or grain (detail {figures.detail:.2f} of the ends')"),
        _Fault(BLURRED_DETAIL / figures.detail, f"blur (detail {figures.detail:.2f} of the ends')"),
    ]
    if not figures.finite:
        faults = [_Fault(float("inf"), "values that are no numbers (NaN or infinity)")]
    worst = max(faults, key=lambda fault: fault.size)
    return worst if worst.size > 1 else None


def _shift(shift: float) -> str:
    return f"a colour shift of {shift:.1f} (dE2000)"


def _listed(alphas: Sequence[tuple[float, ...]], has_knobs: bool) -> str:
    texts = [format_alpha(alpha[:1] if has_knobs and len(set(alpha)) == 1 else alpha) for alpha in alphas]
    if has_knobs:
        texts = [f"({text})" if "," in text else text for text in texts]
    if len(texts) > _MOST_ALPHAS:
        texts[_MOST_ALPHAS - 1 :] = [f"{len(texts) - _MOST_ALPHAS + 1} others"]
    *most, last = texts
    return f"{', '.join(most)} and {last}" if most else last
