"""What the project promises of a GPU, and whether it holds."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median

import names
from jobs import LARGE
from reading import Case, Results

from dni_deploy.bench.measuring.spread import Spread, spread

HELD, MOVING, CHANGE, PEER, HALF, ERROR, ENHANCE = 1.02, 1.05, 2.0, 1.0, 0.35, 1e-5, 1.25


@dataclass(frozen=True, slots=True)
class Bound:
    """One promise about one thing: the measured value may be `limit` at most; `strict`: has to be below it.

    around: the quartiles of what was measured, where there are any.
    """

    what: str
    where: str
    value: float
    limit: float
    around: Spread | None = None
    strict: bool = False

    @property
    def holds(self) -> bool:
        return self.value < self.limit if self.strict else self.value <= self.limit


# The promises in words, for those that nothing was measured for.
PROMISES = {
    "alpha held / best baked file": HELD,
    "new alpha every call / best baked file": MOVING,
    "change of alpha / copying as many bytes": CHANGE,
    "alpha held / PyTorch": PEER,
    "float16 / float32": HALF,
    "difference from PyTorch on the CPU": ERROR,
    "enhance / the network's own time": ENHANCE,
}
_HELD, _MOVING, _CHANGE, _PEER, _HALF, _ERROR, _ENHANCE = PROMISES


def check_bounds(results: Results) -> list[Bound]:
    """Every bound that there are measurements for; those that are missed first."""
    main = results.main_size()
    bounds: list[Bound] = []
    for case in results.cases:
        bounds += _speed(case, main)
    bounds += [*_change(results), *_half(results), *_error(results), *_enhance(results)]
    return sorted(bounds, key=lambda bound: bound.holds)


def unmeasured(bounds: list[Bound]) -> list[str]:
    """Promises that nothing was measured for."""
    return [what for what in PROMISES if all(not bound.what.startswith(what) for bound in bounds)]


def _speed(case: Case, main: int) -> Iterator[Bound]:
    if not case.compiled:
        for ours, baked in names.PAIRS:
            if ours == names.OURS_BIAS and case.dtype != "float16":
                continue  # there is no such option of alpha-input models in float32
            how = "" if ours == names.OURS else ", biases fused"
            best = case.fastest(baked)
            yield from _ratio(_HELD + how, case, ours, best, HELD)
            if case.network in LARGE and case.size == main:
                yield from _ratio(_MOVING + how, case, ours + names.MOVING, best, MOVING)
    ours = case.fastest((names.OURS, names.OURS_BIAS)) or names.OURS
    for peer in names.PEERS:
        # Eager takes part among the compiled ones too, for their own sake.
        if case.is_right(peer) and bool(case.compiled) == (peer != names.EAGER):
            yield from _ratio(f"{_PEER} ({peer})", case, ours, peer, PEER, strict=True)


def _ratio(
    what: str, case: Case, name: str, reference: str | None, limit: float, *, strict: bool = False
) -> Iterator[Bound]:
    """Missed as well where ours failed, or computes something else."""
    if reference in case.approaches:
        ratio = case.ratio(name, reference)
        value = math.inf if ratio is None or not case.is_right(name) else ratio.median
        yield Bound(what, str(case), value, limit, ratio, strict)


def _change(results: Results) -> Iterator[Bound]:
    """Seen best where a call is shortest."""
    cases = [case for case in results.cases if case.network == LARGE[0] and not case.compiled]
    smallest = min((case.size for case in cases), default=0)
    for case in cases:
        copy = results.last("copy", network=case.network, dtype=case.dtype, size=case.size)
        change = case.change()
        if case.size == smallest and copy is not None and change is not None:
            value = change.median / copy["ms"] if case.is_right(names.OURS) else math.inf
            yield Bound(_CHANGE, str(case), value, CHANGE)


def _half(results: Results) -> Iterator[Bound]:
    medians = {
        (case.size, case.dtype): median(taken[names.OURS] for taken in case.rounds if names.OURS in taken)
        for case in results.cases
        if case.network == LARGE[0] and not case.compiled and names.OURS in case.approaches
    }
    sizes = [size for size, dtype in medians if dtype == "float16" and (size, "float32") in medians]
    if sizes:
        size = max(sizes)
        value = medians[size, "float16"] / medians[size, "float32"]
        yield Bound(_HALF, f"{LARGE[0]}, {size} x {size}", value, HALF)


def _error(results: Results) -> Iterator[Bound]:
    latest = {
        (record["network"], record["size"]): record["error"]
        for record in results.of_kind("beside_cpu", approach=names.OURS, dtype="float32")
    }
    for (network, size), error in latest.items():
        yield Bound(_ERROR, f"{network}, {size} x {size}, float32", error, ERROR)


def _enhance(results: Results) -> Iterator[Bound]:
    for record in {(r["network"], r["dtype"]): r for r in results.of_kind("photo")}.values():
        ratios = [taken["enhance"] / (taken["tile"] * record["tiles"]) for taken in record["rounds"]]
        around = spread(ratios)
        assert around is not None
        where = f"{record['network']}, {record['width']} x {record['height']}, {record['dtype']}"
        yield Bound(_ENHANCE, where, around.median, ENHANCE, around)
