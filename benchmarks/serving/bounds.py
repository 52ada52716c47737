"""What is promised of a server, and whether it holds."""

from collections.abc import Sequence
from dataclasses import dataclass

from batching import DIFFERENT, EQUAL, Batching
from soak import Soak

# Where no two requests can run as one, batching may cost a tenth; where all can, it has to gain.
DIFFERENT_AT_LEAST, EQUAL_AT_LEAST = 0.9, 1.0
# Growth that cannot be told from none.
GROWTH_MB_H = 0.0


@dataclass(frozen=True, slots=True)
class Bound:
    """One promise: the measured value lies on the right side of the limit."""

    what: str
    where: str
    value: float
    limit: float
    unit: str
    at_least: bool

    @property
    def holds(self) -> bool:
        return self.value >= self.limit if self.at_least else self.value <= self.limit


def check_bounds(batching: Sequence[Batching], soak: Soak | None) -> list[Bound]:
    """Every bound that there are measurements for: of each network and size, the worst or the best of all clients."""
    bounds = []
    for network, size in dict.fromkeys((row.network, row.size) for row in batching):
        rows = [row for row in batching if (row.network, row.size) == (network, size)]
        worst = min((row for row in rows if row.alphas == DIFFERENT), key=lambda row: row.ratio.median)
        best = max((row for row in rows if row.alphas == EQUAL), key=lambda row: row.ratio.median)
        for what, row, limit in (
            ("all alphas different: batching / none, at worst", worst, DIFFERENT_AT_LEAST),
            ("all alphas equal: batching / none, at best", best, EQUAL_AT_LEAST),
        ):
            where = f"{network} {size} x {size}, {row.clients} client{'s' if row.clients > 1 else ''}"
            bounds.append(Bound(what, where, row.ratio.median, limit, "x", at_least=True))
    if soak is not None:
        where = f"{soak.answers} requests"
        grown = soak.slope_mb_h - soak.uncertainty_mb_h
        bounds.append(Bound("growth of memory that is certain", where, grown, GROWTH_MB_H, "MB/h", at_least=False))
        bounds.append(Bound("wrong answers", f"{soak.checked} checked", soak.wrong, 0, "", at_least=False))
    return bounds
