"""Tells the user which step runs, and remembers how long each took."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

Progress = Callable[[str], None]
"""Called with the name of each step as it begins; of one that takes long also with where it is, after a colon."""


@dataclass(slots=True)
class Clock:
    """`with clock("trace network"): ...`; seconds of a step that comes again add up."""

    progress: Progress | None
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def __call__(self, step: str) -> Iterator[None]:
        if self.progress is not None:
            self.progress(step)
        started = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[step] = self.seconds.get(step, 0.0) + time.perf_counter() - started
