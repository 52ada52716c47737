"""What a call costs in processor time: alpha moving and held, and the plain graph, beside the baked file."""

import itertools
import random
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray

import dni_runtime

_ROUNDS = 31


def cpu_times(file: Path, x: NDArray[np.float32]) -> dict[str, Any]:
    """Medians of processor time on one thread, calls in random order: a ratio to the baked file's for each way.

    Processor time, and not what the clock says: it is what another program on the machine changes least.
    """
    model = onnx.load(file)
    baked, plain = (_session(each.SerializeToString()) for each in (dni_runtime.pin(model, 0.3), model))
    moving = itertools.cycle(np.linspace(0.05, 0.95, 19).tolist())
    with (
        dni_runtime.load(file, "cpu", threads=1, alpha_policy="dynamic") as ours,
        dni_runtime.load(file, "cpu", threads=1, alpha_policy="dynamic") as held,
    ):
        calls: dict[str, Callable[[], Any]] = {
            "baked": lambda: baked.run(None, {"input": x}),
            "moving": lambda: ours(x, next(moving)),
            "held": lambda: held(x, 0.3),
            "plain": lambda: plain.run(None, {"input": x, "alpha": np.array([next(moving)], np.float32)}),
        }
        taken: dict[str, list[float]] = {name: [] for name in calls}
        order = random.Random(0)
        for number in range(_ROUNDS + 3):
            for name in order.sample([*calls], len(calls)):
                started = time.process_time()
                calls[name]()
                if number >= 3:
                    taken[name].append(time.process_time() - started)
    ms = {name: 1e3 * median(values) for name, values in taken.items()}
    ratios = {name: round(value / ms["baked"], 3) for name, value in ms.items() if name != "baked"}
    return {"baked_ms": round(ms["baked"], 3), "shape": list(x.shape), **ratios}


def _session(model: bytes) -> Any:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
