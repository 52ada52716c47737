"""What our runtime adds to a call: beside a bare `InferenceSession.run` of a network that takes no time itself."""

import random
import tempfile
import time
from pathlib import Path

import numpy as np
from four_networks import tiny, write_files

from dni_deploy.bench.approaches.lineup import BAKED, OURS, line_up
from dni_deploy.bench.measuring.spread import Spread, spread

_SIZE = 64
_PAIRS = 2000


def call_overhead_ms(pairs: int = _PAIRS) -> Spread:
    """Milliseconds that a call of ours takes more, over `pairs` of calls in random order.

    On one thread: a second one would spin beside the other session's, and there is nothing to share anyway.
    """
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        lineup = line_up(write_files(tiny, folder / "tiny").model, folder, None, "cpu")
        x = np.random.default_rng(0).random((1, 3, _SIZE, _SIZE), np.float32)
        running = {name: lineup.approach(name).open(1) for name in (BAKED, OURS)}
        for call in running.values():
            call(x, lineup.alpha)
            call.settle()
        order, differences = random.Random(0), []
        for _ in range(pairs):
            taken = {}
            for name in order.sample([BAKED, OURS], 2):
                started = time.perf_counter()
                running[name](x, lineup.alpha)
                taken[name] = time.perf_counter() - started
            differences.append(taken[OURS] - taken[BAKED])
        for call in running.values():
            call.close()
    result = spread(differences, 1e3)
    assert result is not None
    return result
