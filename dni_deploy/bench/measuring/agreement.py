"""Nothing is timed before everyone has given the same answer."""

from collections.abc import Mapping, Sequence

import numpy as np

from dni_deploy.bench.approaches.approach import FloatArray, Strength
from dni_runtime import ModelError, format_alpha

from .runner import Runner

# The exporter's bounds for a file beside PyTorch; sums are taken in another order, half precision rounds each.
TOLERANCES = {"float32": 1e-5, "float16": 2e-2}
_ALPHAS = 3


def check_agreement(
    runners: Mapping[str, Runner], yardstick: str, alphas: Sequence[Strength], tolerance: float
) -> dict[str, float]:
    """The largest difference of each approach from `yardstick`, which runs any alpha.

    Each approach answers at `alphas`, or at the first of its own strengths, twice: at once after the change,
    and when it has settled. Differences are relative to max(1, the largest output).

    Raises ModelError where an approach that calls itself exact is further off than `tolerance`.
    """
    known: dict[Strength, FloatArray] = {}
    differences: dict[str, float] = {}
    for name, runner in runners.items():
        differences[name] = 0.0
        for alpha in runner.approach.strengths[:_ALPHAS] or alphas:
            if alpha not in known:
                known[alpha] = runners[yardstick].running(runner.x, alpha)
            for when in ("right after a change of alpha", "settled"):
                difference = _difference(runner.running(runner.x, alpha), known[alpha])
                if runner.approach.exact and not difference <= tolerance:
                    raise ModelError(
                        f"{name} at alpha {format_alpha(alpha)}, {when}, differs from {yardstick} by {difference:.2g}; "
                        f"expected at most {tolerance:g}. Nothing was timed: what computes something else is no rival"
                    )
                differences[name] = max(differences[name], difference)
                runner.running.settle()
    return differences


def _difference(got: FloatArray, wanted: FloatArray) -> float:
    if got.shape != wanted.shape:
        return float("inf")
    with np.errstate(all="ignore"):  # where both are infinite, they differ by NaN, which is refused
        return float(np.abs(got - wanted).max()) / max(1.0, float(np.abs(wanted).max()))
