"""What was learnt as files, and as pictures."""

import os
from collections.abc import Callable, Sequence

import numpy as np

from dni_exporters.checkpoints.checkpoint import Checkpoint
from dni_exporters.checkpoints.middles import KEY, End, Middle, taught_json
from dni_exporters.checkpoints.stored import save_safetensors
from dni_exporters.sources import StateDict
from dni_runtime import format_alpha
from dni_runtime.files.unfinished import staging

from .job import Shown
from .judge import ALPHAS, Judge
from .networks import Opened
from .report import FitReport


def write(report: FitReport, states: Sequence[StateDict], checkpoints: Sequence[Checkpoint]) -> None:
    """Write the files of `report`, all or none. Raises OutputError."""
    a, b = (End(checkpoint.name, checkpoint.sha256) for checkpoint in checkpoints)
    folder = report.files[0].parent
    with staging(folder, report.files[0]) as hidden:
        for number, (file, state) in enumerate(zip(report.files, states, strict=True), 1):
            if report.kind == "taught":
                text = taught_json((a, b), report.figures())
            else:
                text = Middle(1 + len(states), number, (a, b)).to_json(report.figures())
            # One key alone: several would lie in another order each time, and equal fits make equal files.
            save_safetensors(hidden / file.name, state, {KEY: text})
        for file in report.files:
            os.replace(hidden / file.name, file)


def show(shown: Shown, judge: Judge, opened: Opened, put: Callable[[float], object]) -> None:
    """Show for every held-out crop the ends, what was between them before, and what is now."""
    before, after = judge.pictures(opened.put_before), judge.pictures(put)
    middle = ALPHAS.index(0.5)
    for name, (a, b), was, now in zip(judge.names, judge.ends, before, after, strict=True):
        shown(
            name,
            [
                ("A", a),
                *((f"{format_alpha((alpha,))} fitted", picture) for alpha, picture in zip(ALPHAS, now, strict=True)),
                ("B", b),
                ("A and B mixed, for 0.5", ((a + b) / 2).astype(np.float32)),
                ("0.5 before", was[middle]),
            ],
        )
