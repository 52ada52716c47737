"""What is promised of the filter, and whether it holds; of results as JSON has them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from names import HELD, MOVING, OURS, named

from dni_deploy.bench.measuring.spread import Spread, paired_ratios, spread

MOST = 1.05


@dataclass(frozen=True, slots=True)
class Bound:
    """A moving alpha beside a held one: the ratios of both in each round."""

    network: str
    streams: int
    requests: int
    ratio: Spread

    @property
    def holds(self) -> bool:
        return self.ratio.median <= MOST


def check_bounds(found: Mapping[str, Any]) -> list[Bound]:
    """Every pair of held and moving that was measured."""
    bounds = []
    for job in found.values():
        for streams, requests in settings(job):
            moving, held = (named(OURS, alpha, streams, requests) for alpha in (MOVING, HELD))
            if (ratio := beside(job, moving, held)) is not None:
                bounds.append(Bound(job["network"], streams, requests, ratio))
    return bounds


def keys(job: Mapping[str, Any]) -> list[str]:
    """Every way that was timed, in the order of the job."""
    timed = {key for taken in job.get("rounds", ()) for key in taken}
    return [key for kind in job.get("kinds", ()) if (key := named(*kind)) in timed]


def settings(job: Mapping[str, Any]) -> list[tuple[int, int]]:
    """(streams, requests) of our filter, as they were run."""
    return sorted({(streams, requests) for way, _, streams, requests in job.get("kinds", ()) if way == OURS})


def beside(job: Mapping[str, Any], way: str, other: str) -> Spread | None:
    return spread(paired_ratios(job["rounds"], way, other))
