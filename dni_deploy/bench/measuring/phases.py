"""What is timed: a held alpha, a new one at every call, the first call after a change, alphas drawn at random."""

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

from dni_deploy.bench.approaches.approach import Strength

from .race import Effort, Round, race
from .runner import Runner
from .spread import values_of

# A call within this factor of the held median runs at full speed.
FULL_SPEED = 1.1
_FULL_SPEED_LIMIT_S = 2.0
_DRAWN_CALLS = 6


@dataclass(frozen=True, slots=True)
class Contest:
    """The runners by name; `core` are those that bounds are checked for."""

    runners: Mapping[str, Runner]
    core: tuple[str, ...]
    order: random.Random = field(default_factory=lambda: random.Random(0))

    def changing(self) -> dict[str, Runner]:
        return {name: runner for name, runner in self.runners.items() if runner.approach.changes}

    def run(self, entries: dict[str, Callable[[], float]], effort: Effort) -> list[Round]:
        """Race the entries against those that cannot change: the reference, and whoever controls it."""
        unchanging = [runner for runner in self.runners.values() if not runner.approach.changes]
        entries = {runner.approach.name: _bind(_held_call, runner) for runner in unchanging} | entries
        for runner in self.runners.values():
            runner.hold()
        return race(entries, [name for name in self.core if name in entries], effort, self.order)


def held(contest: Contest, effort: Effort) -> list[Round]:
    """Alpha stays."""
    return contest.run({name: _bind(_held_call, runner) for name, runner in contest.runners.items()}, effort)


def moving(contest: Contest, effort: Effort) -> list[Round]:
    """Every call has an alpha that was not used before."""
    return contest.run({name: _bind(_new_call, runner) for name, runner in contest.changing().items()}, effort)


def changed(
    contest: Contest, held_rounds: Sequence[Round], effort: Effort
) -> tuple[list[Round], dict[str, list[float]]]:
    """The first call with a new alpha after a held one has settled; and the seconds until a call is at full speed."""
    full_speed: dict[str, list[float]] = {name: [] for name in contest.changing()}

    def first_call(name: str, runner: Runner) -> float:
        limit_s = FULL_SPEED * median(values_of(held_rounds, name))
        runner.hold()
        runner.ready(runner.alpha)
        alpha = runner.new_alpha()
        if alpha == runner.alpha:  # strengths that come in turn come round to the held one
            alpha = runner.new_alpha()
        started = time.perf_counter()
        first = last = runner.seconds([alpha])
        while last > limit_s and time.perf_counter() - started < _FULL_SPEED_LIMIT_S:
            last = runner.seconds([alpha])
        full_speed[name].append(time.perf_counter() - started)
        return first

    entries = {name: _bind_named(first_call, name, runner) for name, runner in contest.changing().items()}
    return contest.run(entries, effort), full_speed


def drawn(contest: Contest, strengths: Sequence[Strength], effort: Effort) -> list[Round]:
    """Seconds per call where each call takes one of a few strengths at random, as many users of one server do."""
    draws = {name: random.Random(2) for name in contest.runners}

    def calls(name: str, runner: Runner) -> float:
        runner.ready(runner.alpha)
        return runner.seconds([draws[name].choice(strengths) for _ in range(_DRAWN_CALLS)])

    entries = {name: _bind_named(calls, name, runner) for name, runner in contest.changing().items()}
    return contest.run(entries, effort)


def _held_call(runner: Runner) -> float:
    runner.ready(runner.alpha)
    return runner.seconds([runner.alpha])


def _new_call(runner: Runner) -> float:
    runner.ready(runner.new_alpha())
    return runner.seconds([runner.new_alpha()])


def _bind(call: Callable[[Runner], float], runner: Runner) -> Callable[[], float]:
    return lambda: call(runner)


def _bind_named(call: Callable[[str, Runner], float], name: str, runner: Runner) -> Callable[[], float]:
    return lambda: call(name, runner)
