"""Interleaved measurement: every round times the entries in an order of its own, so that drift hits all alike.

The engines' threads spin for some milliseconds after a call, waiting for the next one, and take the cores from
whoever is called then (measured: up to 2x). Settings stay what users have, spinning included; instead each timed
call comes after a pause longer than they spin, and after an untimed call that fetches weights and code again.
"""

import random
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

# ONNX Runtime's threads give up after about a million pause instructions, some 25 ms.
SPIN_S = 0.03

Round = dict[str, float]


@dataclass(frozen=True, slots=True)
class Effort:
    """How long to measure: until the time is over or the rounds are done, but at least the fewest.

    With 0 seconds nothing is measured.
    """

    seconds: float
    rounds: int = 100
    fewest: int = 3


def race(
    entries: Mapping[str, Callable[[], float]], core: Collection[str], effort: Effort, order: random.Random
) -> list[Round]:
    """Seconds as each entry returns them, by round.

    All entries have an equal share of the time, those in `core` (the ones that bounds are checked for) a fivefold
    one; who has used up its share sits out, except in the first rounds. Core entries are in every round.
    """
    shares = {name: 5.0 if name in core else 1.0 for name in entries}
    unit = effort.seconds / sum(shares.values())
    spent = dict.fromkeys(entries, 0.0)
    rounds: list[Round] = []
    while effort.seconds > 0 and len(rounds) < effort.rounds:
        core_spent = sum(spent[name] for name in core)
        if len(rounds) >= effort.fewest and core_spent >= sum(shares[name] * unit for name in core):
            break
        taken: Round = {}
        for name in order.sample(list(entries), len(entries)):
            if name not in core and len(rounds) >= effort.fewest and spent[name] >= shares[name] * unit:
                continue
            started = time.perf_counter()
            taken[name] = entries[name]()
            spent[name] += time.perf_counter() - started
        rounds.append(taken)
    return rounds
