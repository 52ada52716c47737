"""Mean latency of a call where alpha changes at every n-th: the one curve that tells which approach fits whom."""

import random
from collections.abc import Callable, Sequence

from .phases import Contest
from .runner import Runner

EVERY = (1, 2, 5, 20, 100)

# Runs of a few calls would be one sample of noise.
_FEWEST_CALLS = 10


def latency_by_change_rate(
    contest: Contest,
    every: Sequence[int] = EVERY,
    repeats: int = 1,
    progress: Callable[[str], None] = lambda text: None,
) -> dict[str, dict[int, float]]:
    """Seconds per call by approach and n, the mean over runs of at least n calls; the runs in random order.

    The reference's value is that of a held alpha, for every n.
    """
    runs = [(name, n) for name in contest.runners for n in every for _ in range(repeats)]
    random.Random(3).shuffle(runs)
    total: dict[tuple[str, int], float] = {}
    for number, (name, n) in enumerate(runs):
        progress(f"alpha changes every {n} calls: {name} ({number + 1} of {len(runs)})")
        total[name, n] = total.get((name, n), 0.0) + _run(contest.runners[name], n)
    return {name: {n: total[name, n] / repeats for n in every} for name in contest.runners}


def _run(runner: Runner, every: int) -> float:
    runner.hold()
    runner.ready(runner.alpha)
    alphas = []
    for number in range(max(_FEWEST_CALLS, every)):
        if number % every == 0:
            alpha = runner.new_alpha() if runner.approach.changes else runner.alpha
        alphas.append(alpha)
    return runner.seconds(alphas)
