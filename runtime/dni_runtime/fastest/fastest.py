"""Run every call on the engine that is fastest for its size, and for an alpha that holds or moves."""

import threading
from collections import deque
from collections.abc import Sequence

from dni_runtime.alpha import Key
from dni_runtime.files.cache_folder import why_no_cache
from dni_runtime.opening.runners import RECENT_CALLS, Runner, Tensor

from .choices import Shape, SizeClass
from .deciding import Deciding
from .engines import Engines, settle
from .memory import Memory


class Fastest:
    """A runner that holds those of several engines. Threads may share it.

    The first call with images of about one size waits for a race of the engines, unless `memory` knows its outcome.
    """

    def __init__(self, engines: Engines, deciding: Deciding, memory: Memory) -> None:
        self._engines, self._deciding, self._memory = engines, deciding, memory
        self._choices = memory.read()
        # For alphas that hold and that move. Who is in here stays open.
        self._used: dict[SizeClass, tuple[Runner, Runner]] = {}
        self._names: set[str] = set()
        self._recent: deque[Key | None] = deque(maxlen=RECENT_CALLS)
        self._last: Runner | None = None
        self._lock, self._choosing = threading.Lock(), threading.Lock()
        self.note = self._told()

    def run(self, x: Tensor, alpha: Key | None) -> Tensor:
        """The output for `x`, see Runner."""
        held, moving = self._used.get(self._class_of(x.shape)) or self._choose(x.shape)
        with self._lock:
            holds = alpha in self._recent
            self._recent.append(alpha)
            self._last = held
        if held is moving or (holds and settle(held, alpha, 0)):
            return held.run(x, alpha)
        return moving.run(x, alpha)

    def settle(self, timeout_s: float | None) -> bool:
        """Wait until the last call's alpha runs as fast as it will."""
        with self._lock:
            last, alpha = self._last, self._recent[-1] if self._recent else None
        return last is None or (settle(last, alpha, timeout_s) and last.settle(timeout_s))

    def close(self) -> None:
        """Free what is held; calls that are running finish."""
        with self._choosing:
            self._engines.close()

    def _choose(self, shape: Shape) -> tuple[Runner, Runner]:
        size = self._class_of(shape)
        with self._choosing:
            if (used := self._used.get(size)) is not None:
                return used
            if (choice := self._choices.get(size)) is None:
                choice = self._deciding.decide(shape)
                self._choices[size] = choice
                if choice.calm:
                    self._memory.keep({size: choice})
            self._used[size] = used = self._first_of(choice.of_held), self._first_of(choice.of_moving)
            self._engines.keep(self._names)
            self.note = self._told()
            return used

    def _class_of(self, shape: Shape) -> SizeClass:
        return SizeClass.of(shape, self._engines.fit(*shape[2:]))

    def _first_of(self, names: Sequence[str]) -> Runner:
        """The first engine that can be opened; the one that is always there can."""
        for name in names:
            if (runner := self._engines.get(name)) is not None:
                self._names.add(name)
                return runner
        raise RuntimeError(f"none of {', '.join(names)} can run the model")

    def _told(self) -> str:
        """What was found out for which size, who took no part, and why it is not remembered."""
        refused = dict(self._engines.refused)
        told = []
        for size, choice in sorted(self._choices.items(), key=lambda item: (item[0].pixels, item[0].batch)):
            told.append(f"images of about {size}: {choice}")
            refused.update(choice.refused)
        when = "was fastest" if told else "is found to be fastest with its first image"
        told += [f"not {name}: {reason}" for name, reason in refused.items()]
        told += filter(None, [why_no_cache()])
        return "; ".join([f"each size of image runs on the engine that {when}", *told])
