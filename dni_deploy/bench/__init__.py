"""Compare the ways to run a network whose effect strength changes: `dni bench`, and the project's own benchmarks.

Every comparison runs in one process, interleaved, on the same images, and only after the results were equal.
"""

from .approaches.approach import Approach, Running
from .approaches.lineup import Lineup, line_up
from .bench import bench_model
from .case import Plan, plan, run_case
from .report import Case, Report
from .table import print_report

__all__ = [
    "Approach",
    "Case",
    "Lineup",
    "Plan",
    "Report",
    "Running",
    "bench_model",
    "line_up",
    "plan",
    "print_report",
    "run_case",
]
