"""Steps in flight: while one runs, another thread finishes the one before and prepares the next."""

import threading
from collections.abc import Callable
from functools import partial
from queue import SimpleQueue
from types import TracebackType
from typing import Self, TypeVar

X = TypeVar("X")
Y = TypeVar("Y")


def run_in_flight(
    count: int, prepare: Callable[[int], X], run: Callable[[int, X], Y], finish: Callable[[int, Y], None]
) -> None:
    """`finish(step, run(step, prepare(step)))` for every step of `count`, overlapped.

    `run` is called in the calling thread. Meanwhile `finish` of the step before, then `prepare` of the next are
    called in another thread. So at most two inputs and two results exist at a time, and every function is called
    for one step after another.

    The first error ends everything, as it is: no further step runs, and no thread is left. Where both threads
    fail, KeyboardInterrupt and its like are raised, else what the other thread raised, as it is a step behind.
    """
    if count == 1:  # nothing to overlap, so the thread is saved
        return finish(0, run(0, prepare(0)))

    ready = [prepare(0)]
    finish_previous: Callable[[], None] = _nothing

    def work_beside(step: int, finish_previous: Callable[[], None]) -> None:
        finish_previous()
        if step + 1 < count:
            ready.append(prepare(step + 1))

    with Background() as background:
        for step in range(count):
            background.start(partial(work_beside, step, finish_previous))
            y = run(step, ready.pop(0))
            background.wait()
            finish_previous = partial(finish, step, y)
    finish_previous()


class Background:
    """A thread that does one piece of work at a time while the `with` block runs, and ends with the block.

    Not concurrent.futures, which fails in threads that outlive the main one (python/cpython#148280). Not a new
    thread for each piece: it has to be waited for, and takes milliseconds to start where the cores are busy.
    """

    def __init__(self) -> None:
        self._work: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._error: BaseException | None = None
        self._idle = threading.Event()
        self._ended = threading.Event()
        # A daemon, so that a second Ctrl-C that cuts __exit__ short does not keep the process alive.
        self._thread = threading.Thread(target=self._loop, name="dni-tiles", daemon=True)

    def start(self, work: Callable[[], None]) -> None:
        """Begin `work`; what was begun before has to be waited for first."""
        self._idle.clear()
        self._work.put(work)

    def wait(self) -> None:
        """Return when the work is done. Raises what it raised."""
        self._idle.wait()
        if self._error is not None:
            raise self._error

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._work.put(None)
        try:
            self._ended.wait()
        finally:
            # Again, as Ctrl-C may have ended the wait. Not join() alone: interrupted once, it takes a running
            # thread for dead (python/cpython#90882).
            self._ended.wait()
            self._thread.join()
        if self._error is not None and self._error is not error and isinstance(error, Exception):
            raise self._error

    def _loop(self) -> None:
        while (work := self._work.get()) is not None:
            try:
                work()
            except BaseException as error:
                self._error = error
            del work  # it holds a result
            self._idle.set()
        self._ended.set()


def _nothing() -> None:
    """What there is to finish before the first step."""
