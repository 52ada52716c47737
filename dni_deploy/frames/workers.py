"""Work in numbered pieces over a Ray cluster: Ray Data hands out the numbers, workers that hold the model make them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from types import ModuleType
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from dni_runtime import DniError

from .nodes import Workers

MakePiece: TypeAlias = Callable[[int], Any]
"""Makes the piece of a number, and gives what JSON can hold: only numbers and texts travel."""

# How often a piece may take its worker down with it (too large for the memory, for example) before it counts as failed.
ATTEMPTS = 3


def make_on_workers(
    ray: ModuleType,
    workers: Workers,
    begin: Callable[..., MakePiece],
    arguments: tuple[Any, ...],
    names: Sequence[object],
    remedy: str,
) -> Iterator[tuple[int, Any]]:
    """Have a piece of work made for each of `names`; the number and the result of each, in the order they are done in.

    begin, arguments: called once on every worker, before its first piece. A worker that dies is replaced and its piece
                      made again; None is the result of one with which ATTEMPTS workers died.
    names, remedy:    for errors.

    Raises DniError where the cluster gives up.
    """
    count = min(workers.count, len(names))
    attempts = ray.remote(num_cpus=0, max_restarts=-1, max_task_retries=-1)(_counter()).remote()
    rows = _dataset(ray, len(names)).map_batches(
        _Worker,
        fn_constructor_args=(begin, arguments, attempts),
        batch_size=1,
        # One at a time: those that wait at a worker that dies would count as tried.
        compute=ray.data.ActorPoolStrategy(
            min_size=1, initial_size=count, max_size=count, max_tasks_in_flight_per_actor=1
        ),
        num_cpus=workers.threads,
        num_gpus=workers.gpus,
    )
    lost = set(range(len(names)))
    try:
        for row in rows.iter_rows():
            index = int(row["index"])
            lost.remove(index)
            yield index, json.loads(row["result"])
    except ray.exceptions.RayError as error:
        raise DniError(f"Ray gave up: {_cause(error)}. {remedy}") from None
    if lost:
        raise DniError(f"Ray lost {len(lost)} of {len(names)} results ({names[min(lost)]}). {remedy}")


class _Worker:
    """A process with the model, on any node."""

    def __init__(self, begin: Callable[..., MakePiece], arguments: tuple[Any, ...], attempts: Any) -> None:
        self._make_piece, self._attempts = begin(*arguments), attempts

    def __call__(self, batch: dict[str, npt.NDArray[np.int64]]) -> dict[str, list[Any]]:
        indices = [int(index) for index in batch["item"]]
        # As text: a column of values of several types has none. JSON takes names of files that are no valid text, too.
        return {"index": indices, "result": [json.dumps(self._make(index)) for index in indices]}

    def _make(self, index: int) -> Any:
        import ray

        attempt = ray.get(self._attempts.begin.remote(index))
        return self._make_piece(index) if attempt <= ATTEMPTS else None


def _counter() -> type:
    """A class that Ray sends as code: the process that counts need not import what the workers do."""

    class Attempts:
        """Counts, for all workers, how often each piece was begun."""

        def __init__(self) -> None:
            self._counts: dict[int, int] = {}

        def begin(self, index: int) -> int:
            self._counts[index] = self._counts.get(index, 0) + 1
            return self._counts[index]

    return Attempts


def _dataset(ray: ModuleType, count: int) -> Any:
    """The numbers of the pieces, each a block of its own, which is what Ray Data hands out and repeats."""
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    context.execution_no_progress_timeout_s = -1  # a cluster may be busy for hours
    return ray.data.from_items(list(range(count)), override_num_blocks=count)


def _cause(error: BaseException) -> str:
    """The last line of Ray's report, which is that of the error in the worker."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
