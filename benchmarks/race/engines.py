"""The race itself: one network on one size, every way that runs it here, in one process."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from contestants import RaceFiles
from ways import CORE, NCNN_TOLERANCE, PUBLISHED_NCNN, ways

from dni_deploy.bench import Approach, Lineup, Plan, Report, line_up, run_case
from dni_deploy.bench.approaches.lineup import NAIVE, Shape
from dni_deploy.bench.measuring.agreement import TOLERANCES, check_agreement
from dni_deploy.bench.measuring.hardware import hardware
from dni_deploy.bench.measuring.race import Effort
from dni_deploy.bench.measuring.runner import Runner
from dni_runtime.onnx_files.explaining import first_line

Progress = Callable[[str], None]

# Seconds of measuring, held and moving alike; twice over, everything being opened again in between.
HELD_S, AGAIN, FEWEST = 6.0, 1, 4
QUICK_S = 0.5


def measure(
    name: str, files: RaceFiles, folder: Path, size: int, threads: int, *, compiled: bool, quick: bool, say: Progress
) -> dict[str, Any]:
    """Open all, see that they give the same results, time them. A way that fails is left out, and the answer says why.

    Raises AssertionError where the published ncnn file is another network.
    """
    lineup = line_up(files.model, folder, None, "cpu")
    shape = (1, 3, size, size)
    taking_part, left_out = [], {}
    for way in ways(name, files, lineup, compiled=compiled):
        say(f"trying {way.name}")
        try:
            _try(way, lineup, shape, threads)
        except Exception as error:  # of any engine: it takes no part, and the page says so
            left_out[way.name] = first_line(error)
        else:
            taking_part.append(way)
    effort = Effort(QUICK_S, fewest=1) if quick else Effort(HELD_S, fewest=FEWEST)
    nothing = Effort(0)
    plan = Plan(effort, effort, nothing, nothing, again=0 if quick else AGAIN)
    core = tuple(way.name for way in taking_part if way.name in CORE)
    case = run_case(name, lineup, taking_part, shape, threads, "cpu", plan, say, core)
    published = [row for row in case.rows if row.approach == PUBLISHED_NCNN]
    assert all(row.difference <= NCNN_TOLERANCE for row in published), f"{name}: ncnn's file is another network"
    found: dict[str, Any] = Report(hardware(), (case,), ()).to_dict()["cases"][0]
    return found | {"left_out": left_out}


def _try(way: Approach, lineup: Lineup, shape: Shape, threads: int) -> None:
    """Raise what `way` raises when it is opened, asked, and compared with the graph as it is in the file."""
    x = np.random.default_rng(0).random(shape, np.float32)
    runners = {}
    try:
        for each in (lineup.approach(NAIVE), way):
            runners[each.name] = Runner(each, each.open(threads), x, lineup.alpha, lineup.metadata.alpha_range)
        check_agreement(runners, NAIVE, lineup.strengths[:3], TOLERANCES[lineup.metadata.dtype])
    finally:
        for runner in runners.values():
            runner.running.close()
