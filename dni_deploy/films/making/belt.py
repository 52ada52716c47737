"""What one thread hands to the next, in bounded memory."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class Belt(Generic[T]):
    """A queue of at most `room` things that ends, or stops with an error at both of its ends."""

    def __init__(self, room: int) -> None:
        self._room = room
        self._items: deque[T] = deque()
        self._changed = threading.Condition()
        self._ended = False
        self._error: BaseException | None = None

    def put(self, item: T) -> None:
        """Hand over `item`, as soon as there is room. Raises what the belt was stopped with."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._items) < self._room or self._error is not None)
            self.check()
            self._items.append(item)
            self._changed.notify_all()

    def end(self) -> None:
        """Nothing comes any more."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def stop(self, error: BaseException) -> None:
        """Nothing is put or taken any more; the first error counts."""
        with self._changed:
            self._error = self._error or error
            self._items.clear()
            self._changed.notify_all()

    def check(self) -> None:
        """Raise what it was stopped with, if it was."""
        if self._error is not None:
            raise self._error

    def __iter__(self) -> Iterator[T]:
        """All that is put, until it ends. Raises what the belt was stopped with."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._items or self._ended or self._error is not None)
                self.check()
                if not self._items:
                    return
                item = self._items.popleft()
                self._changed.notify_all()
            yield item
            del item  # not kept until the next one is there


def run_beside(belts: tuple[Belt[T], ...], *steps: Callable[[], None]) -> list[threading.Thread]:
    """A thread for each of `steps`; where one fails, all `belts` stop with its error."""

    def guarded(step: Callable[[], None]) -> None:
        try:
            step()
        except BaseException as error:
            for belt in belts:
                belt.stop(error)

    threads = [threading.Thread(target=guarded, args=(step,), daemon=True) for step in steps]
    for thread in threads:
        thread.start()
    return threads
