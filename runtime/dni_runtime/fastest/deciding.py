"""Find out which engine is fastest for images of one size, among those that give the file's own results for it."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from dni_runtime.alpha import Key
from dni_runtime.metadata import Metadata
from dni_runtime.onnx_files.explaining import first_line
from dni_runtime.opening.checking import check_same
from dni_runtime.opening.runners import Runner, Tensor
from dni_runtime.opening.small_image import middle_alphas
from dni_runtime.signature import Signature

from .choices import Choice, Shape
from .engines import Engines, settle
from .race import race

# A race is run with images so large that a call takes no longer; larger ones are decided about with these.
_CALL_S = 0.15
_LEAST_SIDE = 64
# For a session pinned to an alpha, which every engine makes in seconds.
_PATIENCE_S = 60.0


@dataclass(slots=True)
class Deciding:
    """Races of one model's engines.

    open_plain: opens the graph as it is in the file, on ONNX Runtime, for its results.
    holds:      whether calls are to be fast that have an alpha in common, or none.
    moves:      whether those with ever new alphas are; one of both is true.
    """

    engines: Engines
    open_plain: Callable[[], Runner]
    signature: Signature
    metadata: Metadata
    half: bool
    holds: bool
    moves: bool
    _seconds_per_pixel: float | None = field(default=None, init=False)

    def decide(self, shape: Shape) -> Choice:
        """Which engine is fastest for batches of about `shape`. Raises what the engine that is always there raises."""
        height, width = shape[2:]
        refused = {
            name: f"it takes no images of {height}x{width}"
            for name, takes in self.engines.takes.items()
            if not takes(height, width)
        }
        shape = self._measured(shape)
        x = self._noise(shape)
        runners = self._equal(x, refused)
        alpha, draw = self._alpha(0), np.random.default_rng(0)

        def run_another(runner: Runner) -> None:
            # Never the same: engines keep the weights of alphas that come back.
            runner.run(x, self._alpha(draw.uniform(0.1, 0.9)))

        races = []
        if self.holds:
            races.append(race({name: partial(runner.run, x, alpha) for name, runner in runners.items()}))
        if self.moves:
            races.append(race({name: partial(run_another, runner) for name, runner in runners.items()}))
        held, moving = races[0], races[-1]
        return Choice(shape, held.seconds, moving.seconds, refused, held.calm and moving.calm)

    def _equal(self, x: Tensor, refused: dict[str, str]) -> dict[str, Runner]:
        """The engines that give the results of the graph in the file, the first alpha held, but for the `refused`.

        Adds to `refused` why others do not.
        """
        first, second = self._alpha(0), self._alpha(0.5)
        always = self.engines.names[0]
        runners: dict[str, Runner] = {}
        expected: dict[Key | None, Tensor] = {}
        for name in self.engines.names:
            if name in refused:
                continue
            if (runner := self.engines.get(name)) is None:
                refused[name] = self.engines.refused[name]
                continue
            try:
                if name != always and not expected:
                    plain = self.open_plain()
                    expected = {alpha: plain.run(x, alpha) for alpha in (first, second)}
                    plain.close()
                for alpha in (second, first, second, first):
                    if alpha == first:
                        settle(runner, first, _PATIENCE_S)
                    y = runner.run(x, alpha)
                    if expected:
                        check_same(y, expected[alpha], half=self.half)
            except Exception as error:  # an engine that fails with such images takes no part
                if name == always:
                    raise
                refused[name] = first_line(error)
            else:
                runners[name] = runner
        return runners

    def _measured(self, shape: Shape) -> Shape:
        """The shape itself; of one whose calls would take too long, a smaller one in its place."""
        count, channels, height, width = shape
        most = max(1, int(_CALL_S / self._pace(channels)))
        if any(self.signature.shape[2:]) or math.prod((count, height, width)) <= most:
            return shape
        if height * width <= most and self.signature.shape[0] is None:
            return (most // (height * width), channels, height, width)
        first, fits = self.metadata.sizes.side(max(_LEAST_SIDE, 2 ** int(math.log2(most) / 2))), self.engines.fit
        sides = range(first, first + _LEAST_SIDE * self.metadata.size_multiple, self.metadata.size_multiple)
        side = next((side for side in sides if fits(side, side) == fits(height, width)), first)
        return (self.signature.shape[0] or 1, channels, side, side)

    def _pace(self, channels: int) -> float:
        """Seconds for a pixel, of the engine that is always there."""
        if self._seconds_per_pixel is None:
            side = self.metadata.sizes.side(_LEAST_SIDE)
            usual = (1, channels, side, side)
            x = self._noise(tuple(size or other for size, other in zip(self.signature.shape, usual, strict=True)))
            runner = self.engines.get(self.engines.names[0])
            assert runner is not None
            times = []
            for _ in range(3):
                start = time.perf_counter()
                runner.run(x, self._alpha(0))
                times.append(time.perf_counter() - start)
            self._seconds_per_pixel = min(times[1:]) / (x.shape[0] * x.shape[2] * x.shape[3])
        return self._seconds_per_pixel

    def _alpha(self, part: float) -> Key | None:
        """That which the model is checked with first (0), or the `part` of the way from there to the smallest."""
        first, low = middle_alphas(self.signature, self.metadata)[0], self.metadata.alpha_range[0]
        return None if first is None else tuple(value + part * (low - value) for value in first)

    def _noise(self, shape: Shape) -> Tensor:
        low, high = self.metadata.value_range
        return np.random.default_rng(0).uniform(low, high, shape).astype(self.signature.dtype)
