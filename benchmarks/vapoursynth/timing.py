"""Rounds of everyone in an order drawn anew, and those that other programs disturbed left out."""

import os
import random
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from names import apart_from_alpha

from dni_deploy.bench.measuring.race import SPIN_S, Round

Take = Callable[[int, int], float]
"""Enhance `count` frames from `start` on; returns when the last was there."""

# Of the cores' time: what a quiet machine's own services take is below it.
DISTURBED = 0.05


def measure(
    ways: Mapping[str, Take], count: int, rounds: int, seconds: float, disturbed: float
) -> tuple[list[Round], int]:
    """Seconds of `count` frames of each way, and how many times were left out, as others took more than that share.

    Held and moving of one way come one after the other, either first. What was left out is taken again at the round's
    end, and if that is disturbed as well it is not in its round.
    """
    found: list[Round] = []
    left_out, place, order, began = 0, 0, random.Random(), time.monotonic()
    while len(found) < rounds and time.monotonic() - began < seconds:
        taken: Round = {}
        places = {apart_from_alpha(name): order.random() for name in ways}
        for name in sorted(ways, key=lambda name: (places[apart_from_alpha(name)], order.random())) * 2:
            if name in taken:
                continue
            # The first frame is not timed: weights of a held alpha are ready then, code and threads awake.
            time.sleep(SPIN_S)
            ways[name](place, 1)
            before, started = _others(), time.perf_counter()
            ended = ways[name](place + 1, count)
            others, elapsed = _others() - before, time.perf_counter() - started
            # On: what was made may lie in a cache.
            place += count + 1
            if others <= disturbed * elapsed * (os.cpu_count() or 1):
                taken[name] = ended - started
            else:
                left_out += 1
        found.append(taken)
    return found, left_out


def _others() -> float:
    """Seconds of the cores' time that all other programs have taken."""
    user, nice, system, _, _, irq, softirq, steal, *_ = map(int, Path("/proc/stat").read_text().split()[1:11])
    own = os.times()
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK") - own.user - own.system
