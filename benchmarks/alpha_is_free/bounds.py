"""What the project promises, and whether it holds."""

from collections.abc import Sequence
from dataclasses import dataclass

from pytorch import EAGER

from dni_deploy.bench.approaches.lineup import BAKED, OURS
from dni_deploy.bench.measuring.spread import Spread, paired_ratios, spread
from dni_deploy.bench.report import Case, ModelFacts

HELD, MOVING, FIRST = 1.02, 1.05, 1.6
OVERHEAD_MS = 0.15
MEMORY_SLACK = 1.1
# Bounds on times are promised for two threads.
THREADS = 2
# The baked file in a second session, for what the noise of the machine makes of a ratio of 1.
CONTROL = "baked file, again"


@dataclass(frozen=True, slots=True)
class Bound:
    """One promise about one thing: the measured value may be `limit` at most.

    control: what the same rounds gave for two sessions of one file.
    """

    what: str
    where: str
    value: float
    limit: float
    unit: str = "x"
    control: Spread | None = None

    @property
    def holds(self) -> bool:
        return self.value <= self.limit


def check_bounds(cases: Sequence[Case], models: Sequence[ModelFacts], overhead_ms: Spread) -> list[Bound]:
    """Every bound that there are measurements for."""
    bounds = [bound for case in cases for bound in _speed(case)]
    bounds.append(Bound("a call beside a bare session's", "64 x 64, 1 thread", overhead_ms.median, OVERHEAD_MS, "ms"))
    return bounds + [bound for facts in models for bound in _memory(facts)]


def _speed(case: Case) -> list[Bound]:
    where = f"{case.model} {case.height} x {case.width}, {case.dtype}"
    rounds = case.rounds
    if case.threads == THREADS:
        pairs = [
            ("alpha held / baked", rounds.held, OURS, BAKED, HELD),
            ("new alpha every call / baked", rounds.moving, OURS, BAKED, MOVING),
            ("first call after a change / baked", rounds.changed, OURS, BAKED, FIRST),
            ("alpha held / PyTorch eager", rounds.held, OURS, EAGER, 1.0),
        ]
    else:
        return []
    bounds = []
    for what, taken, name, other, limit in pairs:
        if ratio := spread(paired_ratios(taken, name, other)):
            control = spread(paired_ratios(taken, CONTROL, other)) if other == BAKED else None
            bounds.append(Bound(what, where, ratio.median, limit, control=control))
    return bounds


def _memory(facts: ModelFacts) -> list[Bound]:
    """The peak while a settled model runs: all endpoints, one pin, activations, and a tenth.

    Activations are what a bare session of the baked file has at its peak beyond its weights: the tensors between
    the layers, and what ONNX Runtime itself needs for a session.
    """
    peaks = {footprint.approach: footprint.peak_bytes for footprint in facts.footprints}
    ours, baked = peaks.get(OURS), peaks.get(BAKED)
    if ours is None or baked is None:
        return []
    activations = baked - facts.one_weights_bytes
    limit = MEMORY_SLACK * (facts.weights_bytes + facts.one_weights_bytes + activations)
    height, width = facts.footprint_size
    return [Bound("peak memory, settled", f"{facts.model} {height} x {width}", ours / 1e6, limit / 1e6, "MB")]
