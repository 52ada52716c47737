"""Frames over a Ray cluster: Ray Data hands out their numbers, workers that hold the model make them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from dni_deploy.photographs.choose import Chosen
from dni_deploy.photographs.enhance_files import Make
from dni_deploy.photographs.making.overlapped import Done, Report
from dni_deploy.photographs.making.steps import Steps
from dni_deploy.photographs.places import make_folder
from dni_deploy.photographs.planned import EnhancedFile, Planned
from dni_runtime import DniError, ModelError

from .cluster import LOCAL, connected, import_ray_for
from .finished import FOLDER, Job, Noted, model_digest
from .nodes import check_nodes, plan_workers, with_threads

# How often a frame may take its worker down with it (too large for the memory, for example) before it counts as failed.
_ATTEMPTS = 3
_REMEDY = "What was finished is kept: start again to go on"


def make_on_ray(address: str, job: Job, tell: Callable[[str], None]) -> Make:
    """Frames over the Ray cluster at `address`, see `connected`; `tell` is told what is being done.

    Every worker holds the model and takes one frame after another; only numbers and error texts travel. A worker
    that dies is replaced and its frame made again. The folders and the model have to be shared by all nodes, with
    the same version of dni-deploy, which is checked first.

    Raises DniError where Ray is not installed; what it returns, where the cluster cannot be used or gives up.
    """
    ray = import_ray_for(address)

    def make(frames: Sequence[Planned], report: Report, done: Done) -> None:
        everywhere = [Planned(f.input.absolute(), f.output.absolute(), f.alpha) for f in frames]
        make_folder(job.folder / FOLDER)
        tell("starting Ray" if address == LOCAL else f"connecting to Ray at {address}")
        with connected(ray, address):
            workers = plan_workers(ray, job)
            job_there = with_threads(job, workers)
            tell(f"checking {len(workers.nodes)} Ray node(s)")
            check_nodes(ray, workers, job_there, everywhere)
            count = min(workers.count, len(frames))
            tell(f"running on {count} Ray worker(s) of {workers.threads} thread(s), {len(workers.nodes)} node(s)")
            attempts = ray.remote(num_cpus=0, max_restarts=-1, max_task_retries=-1)(_counter()).remote()
            rows = _dataset(ray, len(frames)).map_batches(
                _Worker,
                fn_constructor_args=(job_there, everywhere, attempts),
                batch_size=1,
                # One frame at a time: those that wait at a worker that dies would count as tried.
                compute=ray.data.ActorPoolStrategy(
                    min_size=1, initial_size=count, max_size=count, max_tasks_in_flight_per_actor=1
                ),
                num_cpus=workers.threads,
                num_gpus=workers.gpus,
            )
            lost = set(range(len(frames)))
            try:
                for row in rows.iter_rows():
                    index = int(row["index"])
                    lost.remove(index)
                    done(index, _result(frames[index], everywhere[index], row))
                    report(len(frames) - len(lost), frames[index].input)
            except ray.exceptions.RayError as error:
                raise DniError(f"Ray gave up: {_cause(error)}. {_REMEDY}") from None
            if lost:
                raise DniError(f"Ray lost {len(lost)} of {len(frames)} frames ({frames[min(lost)].input}). {_REMEDY}")

    return make


class _Worker:
    """A process with the model, on any node."""

    def __init__(self, job: Job, frames: Sequence[Planned], attempts: Any) -> None:
        if model_digest(job.made_with.model) != job.model_sha256:
            raise ModelError(f"{job.made_with.model} was changed while it was in use")
        self._steps = Steps(job.made_with.load(), job.made_with, Noted(job), job.overwrite)
        self._frames, self._attempts = frames, attempts

    def __call__(self, batch: dict[str, npt.NDArray[np.int64]]) -> dict[str, list[Any]]:
        indices = [int(index) for index in batch["item"]]
        results = [self._make(index) for index in indices]
        return {
            "index": indices,
            "seconds": [result.seconds for result in results],
            # "" for none: a column of nothing but None has no type. Names of files need not be valid text.
            "error": [(result.error or "").encode(errors="backslashreplace").decode() for result in results],
            # What "auto" chose and all else, as text for the same reason.
            "chosen": [json.dumps([result.alpha, result.level]) for result in results],
            "said": [json.dumps([result.kept, result.notes]) for result in results],
        }

    def _make(self, index: int) -> EnhancedFile:
        import ray

        frame = self._frames[index]
        attempt = ray.get(self._attempts.begin.remote(index))
        if attempt <= _ATTEMPTS:
            return self._steps.make(frame)
        problem = f"the worker died {_ATTEMPTS} times while it made this frame (out of memory?)"
        return frame.result(error=problem)


def _counter() -> type:
    """A class that Ray sends as code: the process that counts need not import what the workers do."""

    class Attempts:
        """Counts, for all workers, how often each frame was begun."""

        def __init__(self) -> None:
            self._counts: dict[int, int] = {}

        def begin(self, index: int) -> int:
            self._counts[index] = self._counts.get(index, 0) + 1
            return self._counts[index]

    return Attempts


def _dataset(ray: ModuleType, count: int) -> Any:
    """The numbers of the frames, each a block of its own, which is what Ray Data hands out and repeats."""
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    context.execution_no_progress_timeout_s = -1  # a cluster may be busy for hours
    return ray.data.from_items(list(range(count)), override_num_blocks=count)


def _result(frame: Planned, there: Planned, row: dict[str, Any]) -> EnhancedFile:
    error = row["error"] or None
    if error is not None:  # the paths as they were given
        error = error.replace(str(there.input), str(frame.input)).replace(str(there.output), str(frame.output))
    alpha, level = (None if each is None else tuple(each) for each in json.loads(row["chosen"]))
    kept, notes = json.loads(row["said"])
    return frame.result(float(row["seconds"]), error, chosen=Chosen(alpha, level), kept=kept, notes=tuple(notes))


def _cause(error: BaseException) -> str:
    """The last line of Ray's report, which is that of the error in the worker."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
