"""Processes in which everything is imported; each tries one input after another, every way in a process of its own."""

import hashlib
import multiprocessing
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import partial
from pathlib import Path

from attempt import Action, Answer, Attempt, Limits, attempt
from case import Case, Place
from outcome import EXECUTED, RIGHT, TRACEBACK, WRITTEN, Outcome

# By kind of input: what users do with it, in this order.
Ways = dict[str, dict[str, Action]]

_PER_TASK = 8
# Packing a bomb takes a while.
_MAKING = Limits(120.0, 6000.0)
_LIMITS = Limits()


class _Worker:
    """What a worker process keeps; set up once."""

    ways: Ways
    place: Place
    readable: Sequence[Path]
    limits: Limits


def try_all(
    cases: Sequence[Case],
    ways: Ways,
    scratch: Path,
    readable: Sequence[Path],
    jobs: int = 1,
    limits: Limits = _LIMITS,
) -> Iterator[list[Outcome]]:
    """Every case in all ways of its kind; the outcomes of some cases at a time, in the order in which they are done."""
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(jobs, context, _set_up, (ways, scratch, readable, limits))
    parts = [cases[at : at + _PER_TASK] for at in range(0, len(cases), _PER_TASK)]
    with pool:
        for done in as_completed([pool.submit(_try_part, part) for part in parts]):
            yield done.result()


def _set_up(ways: Ways, scratch: Path, readable: Sequence[Path], limits: Limits) -> None:
    _Worker.ways, _Worker.readable, _Worker.limits = ways, readable, limits
    _Worker.place = Place(scratch / f"worker{os.getpid()}")
    import_all(ways)


def import_all(kinds: Iterable[str]) -> None:
    """What the commands import, so that a forked process begins at once. Nothing is computed: that starts threads."""
    import PIL.Image

    import dni_deploy.cli
    import dni_deploy.runs

    PIL.Image.init()
    if "model" in kinds:
        import onnxruntime  # noqa: F401

        import dni_deploy.model_report
        import dni_deploy.ship.triton.repository
        import dni_deploy.ship.web.site  # noqa: F401
    if "checkpoint" in kinds:
        import dni_exporters.checking.compare
        import dni_exporters.making.blended_checkpoint  # noqa: F401


def _try_part(cases: Sequence[Case]) -> list[Outcome]:
    return [outcome for case in cases for outcome in _try(case)]


def _try(case: Case) -> Iterator[Outcome]:
    place = _Worker.place
    place.lay_out()
    made = attempt(partial(_make, case=case), place, place.inputs, limits=_MAKING)
    # That files appear is what it is for; anything else is a fault of this benchmark.
    if made.answer.result not in (RIGHT, WRITTEN):
        yield Outcome(case.kind, case.family, case.name, "making it", TRACEBACK, made.answer.detail)
        return
    file = Path((place.root / "made").read_text("utf-8", "surrogateescape"))
    (place.root / "made").unlink()
    sha256 = _digest(file)
    for way, action in _Worker.ways[case.kind].items():
        place.clear_outputs()
        tried: Attempt = attempt(action, place, file, _Worker.readable, _Worker.limits)
        yield Outcome(case.kind, case.family, case.name, way, tried.answer.result, _without(place, tried.answer.detail),
                      sha256, tried.seconds, tried.peak_mb)  # fmt: skip
        if tried.answer.result in (EXECUTED, WRITTEN):
            place.lay_out()  # the input itself may be changed
            attempt(partial(_make, case=case), place, place.inputs, limits=_MAKING)
            (place.root / "made").unlink(missing_ok=True)
    place.clear()


def _without(place: Place, text: str) -> str:
    """Where on this machine it happened is of use to nobody."""
    return text.replace(f"{place.inputs}/", "").replace(f"{place.case}/", "").replace(str(place.root), "")


def _make(place: Place, _: Path, case: Case) -> Answer:
    """Not in the worker itself: making a tensor starts threads, and what has threads is not forked."""
    file = case.make(place)
    for action in _Worker.ways[case.kind].values():
        for beside in getattr(getattr(action, "__self__", None), "beside", ()):
            shutil.copyfile(beside, place.inputs / beside.name)
    (place.root / "made").write_text(str(file), "utf-8", "surrogateescape")
    return Answer(RIGHT)


def _digest(file: Path) -> str:
    if not file.is_file() or not file.resolve().is_relative_to(file.parent):
        return ""
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError:
        return ""
