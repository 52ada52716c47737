"""One model on one image size: open everyone, see that they agree, time them."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, fields, replace

import numpy as np

from .approaches.approach import Approach
from .approaches.lineup import BAKED, NAIVE, OURS, Lineup, Shape
from .measuring.agreement import TOLERANCES, check_agreement
from .measuring.change_rate import EVERY, latency_by_change_rate
from .measuring.phases import Contest, changed, drawn, held, moving
from .measuring.race import Effort
from .measuring.runner import Runner, draw_alpha
from .report import Case, Rounds, make_row

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """What to measure, and for how long; a phase of 0 seconds is left out.

    again: how often the core approaches are opened anew and measured for as long, all rounds counting alike. Two
           sessions of one file differ for as long as they live, by where their memory and their threads came to be.
    """

    held: Effort
    moving: Effort
    changed: Effort
    drawn: Effort
    change_rate: bool = False
    again: int = 0


def plan(seconds: float, fewest: int = 3, again: int = 0) -> Plan:
    """About `seconds` of measuring, and `fewest` rounds; phases that tell more get more."""

    def part(share: float) -> Effort:
        return Effort(seconds * share, fewest=fewest)

    return Plan(held=part(0.35), moving=part(0.25), changed=part(0.25), drawn=part(0.15), again=again)


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
    setting = _Setting(lineup, shape, threads, core, progress)
    first = _measure(setting, approaches, plan)
    opened_again = [approach for approach in approaches if approach.name in (*core, NAIVE)]
    again = replace(plan, change_rate=False)
    turns = [first, *(_measure(setting, opened_again, again) for _ in range(plan.again))]
    rounds = Rounds(*([r for turn in turns for r in getattr(turn.rounds, phase.name)] for phase in fields(Rounds)))
    rows = tuple(
        make_row(
            approach.name,
            exact=approach.exact,
            difference=first.differences[approach.name],
            rounds=rounds,
            full_speed_s=[seconds for turn in turns for seconds in turn.full_speed_s.get(approach.name, ())],
            reference=BAKED,
            changes=approach.changes,
            note=first.notes[approach.name],
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
        tolerance=TOLERANCES[lineup.metadata.dtype],
        rows=rows,
        rounds=rounds,
        by_change_rate={k: {n: s * 1e3 for n, s in v.items()} for k, v in first.by_change_rate.items()},
    )


@dataclass(frozen=True, slots=True)
class _Setting:
    lineup: Lineup
    shape: Shape
    threads: int | None
    core: tuple[str, ...]
    progress: Progress


@dataclass(frozen=True, slots=True)
class _Measured:
    """By approach: how far off, seconds until full speed, seconds by change rate, the note; and the rounds of all."""

    differences: Mapping[str, float]
    rounds: Rounds
    full_speed_s: Mapping[str, Sequence[float]]
    by_change_rate: Mapping[str, Mapping[int, float]]
    notes: Mapping[str, str]


def _measure(setting: _Setting, approaches: Sequence[Approach], plan: Plan) -> _Measured:
    """Open the approaches, compare their results, time them, and close them."""
    lineup, progress = setting.lineup, setting.progress
    x = np.random.default_rng(0).random(setting.shape, np.float32)
    alpha_range = lineup.metadata.alpha_range
    with ExitStack() as stack:
        runners: dict[str, Runner] = {}
        for approach in approaches:
            progress(f"opening {approach.name}")
            running = approach.open(setting.threads)
            stack.callback(running.close)
            runners[approach.name] = Runner(approach, running, x, lineup.alpha, alpha_range)
        progress("comparing the results")
        draw = random.Random(4)
        alphas = [lineup.alpha, *(draw_alpha(alpha_range, len(lineup.alpha), draw) for _ in range(2))]
        differences = check_agreement(runners, NAIVE, alphas, TOLERANCES[lineup.metadata.dtype])
        contest = Contest(runners, setting.core)
        rounds, full_speed_s = _time(contest, lineup, plan, progress)
        by_change_rate = latency_by_change_rate(contest, EVERY, progress=progress) if plan.change_rate else {}
        notes = {name: runner.running.note for name, runner in runners.items()}
    return _Measured(differences, rounds, full_speed_s, by_change_rate, notes)


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
