"""What has to be compiled, in a process of its own: first all of it, and then timed beside ours, baked and eager."""

import time
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

import names
import torch
from case import agreement, entries_of, timed
from compiled_ways import AheadOfTime, compiled, reduced
from jobs import AHEAD, JUST_IN_TIME
from lineup import Lineup, Record, picture
from torch_ways import Blended, captured
from way import Way, new_alphas


class Compiling:
    """The compiled ways of one network for images of one size."""

    def __init__(self, lineup: Lineup, size: int, folder: Path) -> None:
        self._lineup, self._size, self._folder = lineup, size, folder
        self._ways: list[Way] = []
        self._mark: Record = {}
        self._ahead: AheadOfTime | None = None

    def compile(self, baked: tuple[str, ...], parts: Collection[str], limit: float) -> Iterator[Record]:
        """Compile JUST_IN_TIME or AHEAD or both, and open what they are compared with; say how long each took.

        `limit`: a time.monotonic() at which all has to be ready: what would take as long as the step before it and not
        be, is not begun.
        """
        lineup = self._lineup
        self._mark = {"compiled": " and ".join(parts)}
        for record in lineup.open(baked, naive=False):
            yield record | self._mark
        if lineup.blended is None:
            return
        taken = 0.0
        for name, make in self._makers(lineup.blended, parts).items():
            started = time.monotonic()
            if started + taken > limit:
                yield {"kind": "skipped", "what": f"{name}: {lineup.network}, {lineup.dtype}", "reason": "compiling"}
                continue
            for record, way in lineup.first_calls(name, make, self._size):
                yield record | self._mark
                self._ways += [way] if way is not None else []
            taken = time.monotonic() - started

    def _makers(self, blended: Blended, parts: Collection[str]) -> dict[str, Callable[[], list[Way]]]:
        x = torch.from_numpy(picture(self._size)).to(self._lineup.device.kind)

        def ahead() -> list[Way]:
            self._ahead = AheadOfTime(blended, x, self._folder)
            return [self._ahead.way(x)]

        def ahead_graph() -> list[Way]:
            if self._ahead is None:
                raise RuntimeError("there is no package")
            return [captured(blended, x, names.AOTI_GRAPH, self._ahead.call)]

        makers: dict[str, Callable[[], list[Way]]] = {}
        if JUST_IN_TIME in parts:
            makers[names.COMPILED] = lambda: [compiled(blended, x)]
            makers[names.REDUCED] = lambda: [reduced(blended, x)]
        if AHEAD in parts:
            makers[names.AOTI] = ahead
            if self._lineup.device.is_cuda:
                makers[names.AOTI_GRAPH] = ahead_graph
        return makers

    def measure(self, seconds: float) -> Iterator[Record]:
        """Check and time what was compiled, with nothing else running."""
        lineup, where = self._lineup, self._lineup.where | {"size": self._size} | self._mark
        ways = list(self._ways)
        for record, way in lineup.ways(picture(self._size), everything=False):
            yield record | self._mark
            ways += [way] if way is not None else []
        yield from agreement(ways, lineup.dtype, where)
        entries = entries_of(ways, lineup.device)
        if self._ahead is not None:
            ahead, alphas = self._ahead, new_alphas()

            def replace() -> float:
                alpha = next(alphas)
                taken = lineup.device.seconds(lambda: ahead.replace(alpha))
                ahead.restore()
                return taken

            entries[names.LOAD_CONSTANTS] = replace
        yield timed(entries, seconds, where, tuple(way.name for way in self._ways))
