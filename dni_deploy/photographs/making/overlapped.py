"""Reading, the network and writing at the same time, in bounded memory.

The network runs in the thread that calls; the image of the next input is read meanwhile, and results are written by a
few threads behind: to compress a PNG takes longer than a graphics card needs to make it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import groupby
from pathlib import Path

from dni_deploy.photographs.planned import EnhancedFile, Planned

from .steps import Made, Read, Steps

Report = Callable[[float, Path], None]
"""Called with (how many of the results have been through the network, in fractions while tiles run; the input)."""
Done = Callable[[int, EnhancedFile], None]
"""Called with the number of a result and what came of it, from one thread at a time, in any order."""

# Of images beside the input and the result that the network is at: results that wait to be written, and one input that
# has been read already. An image alone may have more; decoders and encoders have copies beside it.
LIMIT_BYTES = 2**28
_WRITERS = 4


def make_overlapped(steps: Steps, planned: Sequence[Planned], report: Report, done: Done) -> None:
    """Make all of `planned`; those of one input have to lie beside each other.

    Where it is interrupted, what is being written is finished, and nothing else is begun.
    """
    rows = [list(row) for _, row in groupby(enumerate(planned), key=lambda each: each[1].input)]
    with ThreadPoolExecutor(1) as reader, _Writers(steps.write, done) as writers:
        ahead: Future[Read] | None = None
        for number, row in enumerate(rows):
            if ahead is None:
                writers.make_room()
                ahead = reader.submit(steps.read, row[0][1].input)
            now, ahead = ahead, None
            if number + 1 < len(rows) and _size_bytes(now) + writers.held_bytes <= LIMIT_BYTES:
                ahead = reader.submit(steps.read, rows[number + 1][0][1].input)
            for index, plan in row:
                writers.make_room()

                def tiles(made: int, of: int, index: int = index, file: Path = plan.input) -> None:
                    report(index + made / of, file)

                writers.add(index, steps.enhance(plan, now.result, tiles))
                report(index + 1, plan.input)
            del now  # the last image is not kept until all is written


class _Writers:
    """Threads that write results, as long as those that wait have few bytes."""

    def __init__(self, write: Callable[[Made], EnhancedFile], done: Done) -> None:
        self._write, self._done = write, done
        self._pool = ThreadPoolExecutor(_WRITERS)
        self._waiting: dict[Future[None], int] = {}
        self._telling, self._stopped = threading.Lock(), threading.Event()

    def __enter__(self) -> _Writers:
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        self._pool.shutdown(cancel_futures=kind is not None)
        if kind is None:
            self._collect(self._waiting)

    @property
    def held_bytes(self) -> int:
        return sum(self._waiting.values())

    def make_room(self) -> None:
        """Wait until one more may be made. Raises what whoever was told of results raised."""
        self._collect(future for future in self._waiting if future.done())
        while self.held_bytes > LIMIT_BYTES or len(self._waiting) >= 2 * _WRITERS:
            self._collect(wait(self._waiting, return_when=FIRST_COMPLETED).done)

    def add(self, index: int, made: Made) -> None:
        self._waiting[self._pool.submit(self._finish, index, made)] = made.size_bytes

    def _finish(self, index: int, made: Made) -> None:
        if self._stopped.is_set():
            return
        try:
            result = self._write(made)
            with self._telling:
                self._done(index, result)
        except BaseException:
            self._stopped.set()
            raise

    def _collect(self, futures: Iterable[Future[None]]) -> None:
        for future in list(futures):
            del self._waiting[future]
            future.result()


def _size_bytes(read: Future[Read]) -> int:
    """Of the image, once it is there; 0 where it could not be read."""
    return 0 if read.exception() is not None else read.result().size_bytes
