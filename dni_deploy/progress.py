"""How far work has come: in the words of a log and of a bar."""

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


class LogLines:
    """Progress for a log: nothing of what is over soon, else a line for each tenth, and one a minute."""

    SOONEST_S, LATEST_S = 10.0, 60.0

    def __init__(self, verb: str, tell: Callable[[str], None], unit: str = "") -> None:
        self._verb, self._tell, self._unit = verb, tell, unit
        self._begin: tuple[float, float] = 0.0, 0.0
        self._last: tuple[float, float] = 0.0, 0.0
        self._total: int | None = None

    def report(self, done: float, total: int, file: Path) -> None:
        now, share = time.monotonic(), done / total
        if self._total != total:  # it begins, or another step does
            self._total, self._begin, self._last = total, (now, done), (now, share)
        (begin_s, begin), (last_s, last_share) = self._begin, self._last
        waited, is_soon = now - last_s, int(10 * share) == int(10 * last_share)
        if waited < self.SOONEST_S or (waited < self.LATEST_S and is_soon) or done >= total:
            return
        self._last = now, share
        rate = (done - begin) / (now - begin_s) if done > begin else None
        each = f", {rate_of(rate, self._unit)}" if rate and self._unit else ""
        about = "" if rate is None else f"{each}, about {_duration((total - done) / rate)} left"
        self._tell(f"{self._verb}{int(done)} of {total} ({share:.0%}){about}: {file.name}")


class Doing:
    """What is being done, in words, and for how long where it takes long; what stands before a colon is one step."""

    SOONEST_S = 5.0

    def __init__(self, words: str) -> None:
        self._words, self._begin_s = words, time.monotonic()

    def say(self, words: str) -> None:
        if words.partition(":")[0] != self._words.partition(":")[0]:
            self._begin_s = time.monotonic()
        self._words = words

    def __str__(self) -> str:
        seconds = int(time.monotonic() - self._begin_s)
        if seconds < self.SOONEST_S:
            return self._words
        return f"{self._words} ({f'{seconds // 60} min ' * (seconds >= 60)}{seconds % 60} s)"


@contextmanager
def every_minute(tell: Callable[[], None]) -> Iterator[None]:
    """Call `tell`, in a thread of its own, whenever another minute has passed in the block."""
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(LogLines.LATEST_S):
            tell()

    threading.Thread(target=watch, daemon=True).start()
    try:
        yield
    finally:
        ended.set()


def rate_of(rate: float, unit: str) -> str:
    """So many a second."""
    return f"{rate:.{0 if rate >= 100 else 1}f} {unit} a second"


def _duration(seconds: float) -> str:
    """In the unit that fits."""
    minutes = math.ceil(seconds / 60)
    if seconds < 60:
        return f"{math.ceil(seconds)} s"
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
