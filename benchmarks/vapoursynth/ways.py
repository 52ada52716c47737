"""Everyone who enhances the film: a loop in Python, our filter, and vs-mlrt with a baked file and with a plane file."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from clips import FloatArray, endless, mlrt, pixels, strengths, take
from names import ALPHA, BAKED, LOOP, MOVING, OURS, PLANE, Kind, named
from timing import Take

import dni_runtime

# Of a plain session of another build of ONNX Runtime, on values of 0..1.
TOLERANCE = 1e-4


def moving(n: int) -> float:
    """Alpha at frame n: another one at every frame, all over the range; none comes back."""
    return n * 0.6180339887 % 1


class Ways:
    """The ways of one network.

    The loop and our filter share one loaded model: two of the same file were up to 5 % apart, by where in memory they
    happened to lie.
    """

    def __init__(self, files: dict[str, Path], frames: Sequence[FloatArray], kinds: Sequence[Kind]) -> None:
        self._files, self._frames, self._film = files, frames, endless(frames)
        self.model = dni_runtime.load(files["model"], "cpu")
        self._clips: dict[tuple[str, str, int], Any] = {}
        self.take: dict[str, Take] = {named(*kind): self._taker(*kind) for kind in kinds}

    def check(self) -> dict[str, float]:
        """How far everyone's pictures are from those of `enhance`: ours not at all, vs-mlrt's within TOLERANCE."""
        found: dict[str, float] = {}
        for (way, alpha, streams), clip in self._clips.items():
            for n in range(2):
                wanted = self.model.enhance(
                    self._frames[n % len(self._frames)], moving(n) if alpha == MOVING else ALPHA
                )
                with clip.get_frame(n) as frame:
                    apart = float(np.abs(np.clip(pixels(frame), 0, 1) - wanted).max())
                if not apart <= (0 if way == OURS else TOLERANCE):
                    raise AssertionError(f"{way}, alpha {alpha}, {streams} streams: frame {n} is {apart:.1e} away")
                found[way] = max(apart, found.get(way, 0.0))
        return found

    def _taker(self, way: str, alpha: str, streams: int, requests: int) -> Take:
        if way == LOOP:
            return self._loop(alpha)
        key = way, alpha, streams
        if key not in self._clips:
            self._clips[key] = {OURS: self._ours, BAKED: self._baked, PLANE: self._plane}[way](alpha, streams)
        clip = self._clips[key]
        return lambda start, count: take(clip, start, count, requests)

    def _loop(self, alpha: str) -> Take:
        model, frames = self.model, self._frames

        def run(start: int, count: int) -> float:
            for n in range(start, start + count):
                model.enhance(frames[n % len(frames)], moving(n) if alpha == MOVING else ALPHA)
            return time.perf_counter()

        return run

    def _ours(self, alpha: str, streams: int) -> Any:
        from dni_runtime.vapoursynth import enhance

        strength = moving if alpha == MOVING else ALPHA
        return enhance(self._film, self.model, strength, num_streams=streams)

    def _baked(self, alpha: str, streams: int) -> Any:
        return mlrt([self._film], self._files["baked"], num_streams=streams)

    def _plane(self, alpha: str, streams: int) -> Any:
        # From the first frame again after 64, which costs the same: vs-mlrt keeps no weights.
        alphas = [moving(n) for n in range(64)] if alpha == MOVING else [ALPHA]
        return mlrt([self._film, strengths(alphas, self._film)], self._files["plane"], num_streams=streams)
