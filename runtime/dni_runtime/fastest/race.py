"""How long calls take beside each other: in turns, in random order, so that what disturbs one disturbs all."""

import random
import time
from collections.abc import Callable, Mapping
from statistics import median
from typing import NamedTuple

# Of one race; it ends earlier where more rounds would tell no more.
_SECONDS = 1.0
_MOST_ROUNDS, _LEAST_ROUNDS = 25, 3
# Who takes so many times as long as the fastest is not called again, but once more to be sure.
_FAR_BEHIND, _ENOUGH = 1.5, 2
# ONNX Runtime's threads wait for more work in a loop for some 25 ms, on the cores that the next engine needs: 3 ms
# after it ncnn takes up to twice as long as alone.
_PAUSE_S = 0.03
# On a machine with nothing else to do the usual call takes less than so many times the quickest. (With 1.25 half of the
# races of calls of 6 to 20 ms on such a machine, of two virtual cores, were told to be disturbed.)
_CALM = 1.5


class Times(NamedTuple):
    """Seconds of the quickest call of each way; and whether others took about as long, so that it may be relied upon.

    What else runs on a machine makes calls longer, never shorter.
    """

    seconds: dict[str, float]
    calm: bool


def race(
    ways: Mapping[str, Callable[[], object]],
    *,
    clock: Callable[[], float] = time.perf_counter,
    pause: Callable[[float], None] = time.sleep,
) -> Times:
    """What a call of each of the `ways` takes that follows another of its own; all have been called before.

    One way alone is called as often as a race needs at least.
    """
    times: dict[str, list[float]] = {name: [] for name in ways}
    running, end = list(ways), clock() + _SECONDS
    for number in range(_MOST_ROUNDS):
        if number >= _LEAST_ROUNDS and (clock() > end or len(running) == 1):
            break
        for name in random.sample(running, len(running)):
            pause(_PAUSE_S)
            ways[name]()  # the first one after another engine finds that one's threads still awake
            start = clock()
            ways[name]()
            times[name].append(clock() - start)
        if number + 1 >= _ENOUGH:
            limit = _FAR_BEHIND * min(min(times[name]) for name in running)
            running = [name for name in running if min(times[name]) <= limit]
    seconds = {name: min(each) for name, each in times.items()}
    return Times(seconds, all(median(times[name]) <= _CALM * seconds[name] for name in running))
