"""What is promised of the race, and whether it holds. Of a case as JSON has it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ways import RIVALS

from dni_deploy.bench.approaches.lineup import BAKED, FASTEST, OURS
from dni_deploy.bench.measuring.spread import Spread, paired_ratios, spread

HELD, MOVING = 1.02, 1.05
"""Held: of the best rival, where 1.00 is promised and 0.02 is noise. Moving: of the same way's held call."""
THREADS = 2
ATTEMPTS = (FASTEST, OURS)
"""Of what there is, the first has to hold what is promised."""

Case = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Bound:
    """One promise about one case. rival: whom the value is beside."""

    what: str
    where: str
    rival: str
    value: float
    limit: float

    @property
    def holds(self) -> bool:
        return self.value <= self.limit


def check_bounds(cases: Sequence[Case]) -> list[Bound]:
    """Every bound that there are measurements for; speed is promised for two threads."""
    return [bound for case in cases if case["threads"] == THREADS for bound in _of_case(case)]


def best_rival(case: Case, way: str) -> tuple[str, Spread] | None:
    """Of what people have the one that `way` is slowest beside, and how many times its time `way` takes, held."""
    found = {rival: ratio for rival in RIVALS if (ratio := beside(case, "held", way, rival)) is not None}
    if not found:
        return None
    rival = max(found, key=lambda name: found[name].median)
    return rival, found[rival]


def beside(case: Case, phase: str, way: str, other: str) -> Spread | None:
    """The ratios of both in the rounds of a phase, held or moving; None where they never met."""
    return spread(paired_ratios(case["rounds"][phase], way, other))


def moving_beside_held(case: Case, way: str, held: str) -> float | None:
    """A new alpha at every call of `way` beside the held alpha of `held`; the baked file was in both phases."""
    moving, still = beside(case, "moving", way, BAKED), beside(case, "held", held, BAKED)
    return None if moving is None or still is None else moving.median / still.median


def where(case: Case) -> str:
    return f"{case['model']} {case['height']} x {case['width']}"


def _of_case(case: Case) -> list[Bound]:
    there = {row["approach"] for row in case["rows"]}
    way = next(name for name in ATTEMPTS if name in there)
    bounds = []
    if (best := best_rival(case, way)) is not None:
        bounds.append(Bound(f"{way}: alpha held / the best of the others", where(case), best[0], best[1].median, HELD))
    for name in ATTEMPTS:
        ratio = moving_beside_held(case, name, name) if name in there else None
        if ratio is not None:
            bounds.append(Bound(f"{name}: new alpha every call / held", where(case), "", ratio, MOVING))
    return bounds
