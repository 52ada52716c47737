"""The loop: learn, look at what was held out, keep the best, and know when to end."""

import math
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
from torch import Tensor

from dni_exporters.verdict.verdict import Figures, worst

from .course import Bounds, Course, Look
from .judge import Judge
from .learner import Learner, Recipe
from .state import State

_SAVE_EVERY_S = 60.0
# Times the rate, where a network of small weights is lost at the one that suits most, and where a good start would be.
_SLOWER = 0.25

Tell = Callable[[str], None]


class Fit:
    """A fit under way; `best` are the learnt points of the best look."""

    def __init__(self, learner: Learner, judge: Judge, recipe: Recipe, tell: Tell | None) -> None:
        self._learner, self._judge, self._recipe, self._tell = learner, judge, recipe, tell
        self.course, self.best = Course(), learner.learnt.detach().clone()
        self._saved_at = time.monotonic()

    def begin(self, figures: Sequence[Figures], start: Tensor | None = None) -> None:
        """Take what was seen of the held-out crops before anything was learnt; begin with `start` if there is one."""
        self.course.looks.append(_seen(figures, self.course))
        if start is not None:
            self._learner.retreat(start)
            self.course.slower = _SLOWER

    def restore(self, state: State) -> None:
        """Go on from `state`."""
        self.course = state.course
        self.best.copy_(state.tensors["best"])
        self._learner.restore(state.tensors)

    def state(self, made_of: dict[str, Any]) -> State:
        """What to go on from."""
        return State(made_of, self.course, {**self._learner.state(), "best": self.best})

    def run(self, bounds: Bounds, stop: Callable[[], bool], path: Path, made_of: dict[str, Any]) -> str:
        """Learn until it is over; returns why. Asked to stop, it writes its state and raises KeyboardInterrupt."""
        course, lap = self.course, time.monotonic()
        while (done := course.done(bounds)) < 1:
            if course.step and stop():
                self.state(made_of).write(path)
                raise KeyboardInterrupt
            loss = self._learner.step(course.step, self._recipe.rate_at(done) * course.slower)
            course.step += 1
            # With the look at what was held out, if there was one since the last step.
            now = time.monotonic()
            course.seconds += now - lap
            lap = now
            self._say(done)
            if course.step % self._recipe.judge_every == 0:
                self._look()
                course.hurry(bounds)
                self._save_now_and_then(path, made_of)
            if course.is_lost or not math.isfinite(loss):
                self._learner.retreat(self.best)
                course.slower, course.began = course.slower * _SLOWER, len(course.looks) - 1
        if course.looks[-1].step != course.step:
            self._look()
        if course.ends_at < 1:
            return "it gained no more"
        return "all steps were done" if bounds.steps == course.step else "the time was over"

    def _look(self) -> None:
        """Look at the held-out crops, and keep what is better than all before."""
        learnt = self._learner.smooth
        figures = self._judge.look(lambda alpha: self._learner.task.put(alpha, learnt))
        self.course.looks.append(_seen(figures, self.course))
        if self.course.best is self.course.looks[-1]:
            self.best.copy_(learnt)

    def _say(self, done: float) -> None:
        if self._tell is not None:
            first, last = self.course.looks[0], self.course.looks[-1]
            self._tell(
                f"step {self.course.step}, {done:.0%} done; held out: {last.least_db:.1f} dB to the mix or more, "
                f"colour shift {last.colour_shift:.1f} (before: {first.least_db:.1f} dB, {first.colour_shift:.1f})"
            )

    def _save_now_and_then(self, path: Path, made_of: dict[str, Any]) -> None:
        """A machine may be switched off."""
        if time.monotonic() - self._saved_at > _SAVE_EVERY_S:
            self.state(made_of).write(path)
            self._saved_at = time.monotonic()


def _seen(figures: Sequence[Figures], course: Course) -> Look:
    least = worst(figures)
    return Look(
        step=course.step,
        seconds=course.seconds,
        to_mix_db=float(np.mean([each.to_mix_db for each in figures])),
        least_db=min(each.to_mix_db for each in least),
        colour_shift=max(each.colour_shift for each in least),
    )


@contextmanager
def asked_to_stop() -> Iterator[Callable[[], bool]]:
    """Ctrl-C ends a fit after the step that runs, so that its state is one to go on from.

    Gives a function that tells whether somebody pressed Ctrl-C; who presses it twice does not wait.
    """
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():  # only there do signals arrive
        yield asked.is_set
        return

    def note(number: int, frame: FrameType | None) -> None:
        asked.set()
        signal.signal(signal.SIGINT, before)

    before = signal.getsignal(signal.SIGINT)
    if callable(before):  # not where it is ignored, as behind a shell's &
        signal.signal(signal.SIGINT, note)
    try:
        yield asked.is_set
    finally:
        if callable(before):
            signal.signal(signal.SIGINT, before)
