"""One model on one image size: open everyone, see that they agree, time them."""

import random
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np

from .agreement import TOLERANCES, check_agreement
from .approach import Approach
from .change_rate import EVERY, latency_by_change_rate
from .lineup import BAKED, NAIVE, OURS, Lineup, Shape
from .phases import Contest, changed, drawn, held, moving
from .race import Effort
from .report import Case, Rounds, make_row
from .runner import Runner, draw_alpha

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """What to measure, and for how long; a phase of 0 seconds is left out."""

    held: Effort
    moving: Effort
    changed: Effort
    drawn: Effort
    change_rate: bool = False


def plan(seconds: float, fewest: int = 3) -> Plan:
    """About `seconds` of measuring, and `fewest` rounds; phases that tell more get more."""

    def part(share: float) -> Effort:
        return Effort(seconds * share, fewest=fewest)

    return Plan(held=part(0.35), moving=part(0.25), changed=part(0.25), drawn=part(0.15))


def run_case(
    name: str,
    lineup: Lineup,
    approaches: Sequence[Approach],
    shape: Shape,
    threads: int | None,
    provider: str,
    plan: Plan,
    progress: Progress,
    core: tuple[str, ...] = (BAKED, OURS),
) -> Case:
    """Measure `approaches`, of which BAKED and NAIVE have to be some, on random images of `shape`.

    Raises ModelError before anything is timed where they do not compute the same.
    """
    x = np.random.default_rng(0).random(shape, np.float32)
    alpha_range = lineup.metadata.alpha_range
    tolerance = TOLERANCES[lineup.metadata.dtype]
    with ExitStack() as stack:
        runners: dict[str, Runner] = {}
        for approach in approaches:
            progress(f"opening {approach.name}")
            running = approach.open(threads)
            stack.callback(running.close)
            runners[approach.name] = Runner(approach, running, x, lineup.alpha, alpha_range)
        progress("comparing the results")
        draw = random.Random(4)
        alphas = [lineup.alpha, *(draw_alpha(alpha_range, len(lineup.alpha), draw) for _ in range(2))]
        differences = check_agreement(runners, NAIVE, alphas, tolerance)
        contest = Contest(runners, BAKED, core)
        rounds, full_speed_s = _time(contest, lineup, plan, progress)
        by_change_rate = latency_by_change_rate(contest, EVERY, progress=progress) if plan.change_rate else {}
    rows = tuple(
        make_row(
            approach.name,
            exact=approach.exact,
            difference=differences[approach.name],
            rounds=rounds,
            full_speed_s=full_speed_s.get(approach.name, ()),
            reference=BAKED,
            changes=approach.changes,
            note=runners[approach.name].running.note,
        )
        for approach in approaches
    )
    return Case(
        model=name,
        height=shape[2],
        width=shape[3],
        threads=threads,
        provider=provider,
        dtype=lineup.metadata.dtype,
        alpha=lineup.alpha,
        tolerance=tolerance,
        rows=rows,
        rounds=rounds,
        by_change_rate={k: {n: s * 1e3 for n, s in v.items()} for k, v in by_change_rate.items()},
    )


def _time(contest: Contest, lineup: Lineup, plan: Plan, progress: Progress) -> tuple[Rounds, dict[str, list[float]]]:
    progress("alpha held")
    held_rounds = held(contest, plan.held)
    progress("a new alpha at every call")
    moving_rounds = moving(contest, plan.moving)
    progress("first calls after a change")
    changed_rounds, full_speed_s = changed(contest, held_rounds, plan.changed)
    progress("alphas drawn at random")
    drawn_rounds = drawn(contest, lineup.strengths, plan.drawn)
    return Rounds(held_rounds, moving_rounds, changed_rounds, drawn_rounds), full_speed_s
