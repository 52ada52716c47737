"""What PyTorch computes, at any alpha, on small images: the judge of everything that is written."""

import threading
from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from dni_exporters.graphs.blend import theta
from dni_exporters.graphs.formula import ONE_ALPHA, Formula
from dni_exporters.networks.original import Original
from dni_exporters.networks.probe import Array, ImageContract, forward, run_on
from dni_exporters.sources import StateDict
from dni_exporters.tracing.turns import NO_TURNS, Size, Turns

from .ties import in_order

# Of a multiple: images of two and four times as much take long.
_LARGE = 64


class Reference:
    """PyTorch as the judge: the network with blended weights loaded into it, on small images.

    turns: of the trace; an image from behind each of them is among those that are looked at.

    shape: (N, C, H, W) of the image that the network was traced with.

    Threads may share it and take turns.
    """

    def __init__(
        self,
        original: Original,
        endpoints: Sequence[StateDict],
        formula: Formula,
        contract: ImageContract,
        turns: Turns = NO_TURNS,
    ) -> None:
        self.original = replace(original, run=in_order(original.run))
        self.endpoints = endpoints
        self.formula = formula
        self.shape = contract.input_shape
        channels = contract.input_shape[1]

        def takes(size: Size) -> bool:
            batch, height, width = size
            output = forward(original.run, torch.zeros((batch, channels, height, width)))
            return output is not None and bool(output.isfinite().all())  # a deviation of one pixel is not

        further = turns.beyond(contract.input_shape, contract.size_multiple, contract.size_minimum, takes)
        self.images = probe_images(contract, further=further)
        self._lock = threading.RLock()
        self._outputs: dict[tuple[float, ...], list[Array]] = {}

    def _load(self, alpha: Sequence[float]) -> None:
        """Load theta(alpha) into the network, whose weights matter as long as the lock is held."""
        self.original.load(theta(self.endpoints, tuple(alpha), self.formula))

    def outputs(self, alpha: Sequence[float]) -> list[Array]:
        """The network's output at `alpha` for every probe image, float32 (N,C,H,W); computed once."""
        with self._lock:
            if tuple(alpha) not in self._outputs:
                self._outputs[tuple(alpha)] = self._run(alpha)
            return self._outputs[tuple(alpha)]

    def output(self, alpha: Sequence[float], image: Array) -> Array:
        """As `outputs`, for another image. Raises whatever the network's code does where it takes none such."""
        with self._lock:
            self._load(alpha)
            return run_on(self.original.run, image)

    def _run(self, alpha: Sequence[float]) -> list[Array]:
        self._load(alpha)
        return [run_on(self.original.run, image) for image in self.images]

    def first_beyond(self, limit: float, alpha: Sequence[float]) -> str | None:
        """The first module whose output has an element above `limit`, in the order of computation."""
        found: list[str] = []

        def look(name: str, output: Tensor) -> None:
            if not bool((output.abs() <= limit).all()):
                found.append(name or type(self.original.module).__name__)

        with self._lock, self._watching(look):
            self._run(alpha)
        return found[0] if found else None

    def layer_outputs(self, alpha: Sequence[float], image: Array, names: Container[str]) -> dict[str, Array]:
        """What those of the modules `names` that give a tensor compute for `image`, by name, in float32."""
        found: dict[str, Array] = {}

        def look(name: str, output: Tensor) -> None:
            if name in names:
                found[name] = output.float().numpy().copy()  # what follows may work in place

        with self._lock:
            self._load(alpha)
            with self._watching(look):
                run_on(self.original.run, image)
        return found

    @contextmanager
    def _watching(self, look: Callable[[str, Tensor], None]) -> Iterator[None]:
        """Call `look` with the name of every module and the tensor that it gives."""

        def hook(name: str) -> Callable[[nn.Module, Any, Any], None]:
            return lambda _module, _inputs, output: look(name, output) if isinstance(output, Tensor) else None

        hooks = [module.register_forward_hook(hook(name)) for name, module in self.original.module.named_modules()]
        try:
            yield
        finally:
            for each in hooks:
                each.remove()


def probe_images(contract: ImageContract, *, further: Sequence[Size] = ()) -> list[Array]:
    """Images of two sizes, float32 (N,C,H,W) in 0..1, with slopes, edges and noise; one where sizes are fixed.

    further: other sizes to make images of.
    """
    batch, channels, height, width = contract.input_shape
    shapes = [(batch, channels, height, width)]
    if not contract.static:
        # The second size: smaller and wider, odd multiples where the network takes them. Of large ones it is taller.
        step, side = contract.size_multiple, contract.sizes.side(8)
        second = (side + step, side + 3 * step) if step < _LARGE else (side + step, side)
        if contract.size_square:
            second = (side, side) if side < height else (side + step,) * 2
        shapes = [(1, channels, height, width), (batch, channels, *second)]
    shapes += [(n, channels, h, w) for n, h, w in further if (n, channels, h, w) not in shapes]
    rng = np.random.default_rng(0)
    return [picture(rng, *shape) for shape in shapes]


def picture(rng: np.random.Generator, n: int, c: int, h: int, w: int) -> Array:
    """An image, float32 (n, c, h, w) in 0..1, with slopes, edges and noise."""
    y, x = np.mgrid[0:h, 0:w] / max(h, w)
    smooth = 0.25 + 0.4 * x + 0.3 * (np.hypot(x - 0.4, y - 0.5) < 0.25)
    noisy = smooth + 0.1 * rng.standard_normal((n, c, h, w)) + np.linspace(-0.1, 0.1, c)[:, None, None]
    image: Array = noisy.clip(0, 1).astype(np.float32)
    return image


def probe_alphas(
    endpoint_count: int, alpha_range: tuple[float, float], formula: Formula = ONE_ALPHA
) -> list[tuple[float, ...]]:
    """Every endpoint alone, their even mixture, and one uneven one; the range's ends where it is wider than 0..1.

    Along a path every knot, and of every piece the middle and one more place. With knobs all of them at each of these,
    and then each at another, of which no two are alike in all of these.
    """
    if formula.knobs:
        places = [place for (place,) in probe_alphas(endpoint_count, alpha_range, replace(formula, knobs=()))]
        turned = ([places[(first + number) % len(places)] for number in range(formula.count)] for first in range(3))
        rising = np.linspace(min(places), max(places), formula.count).tolist()
        return [*((place,) * formula.count for place in places), *map(tuple, turned), tuple(rising)]
    if (path := formula.path) is not None:
        between = (a + part * (b - a) for a, b in pairwise(path.knots) for part in (0.5, 0.3))
        return [(place,) for place in (*path.knots, *between)]
    count = endpoint_count - 1
    corners = [tuple(float(i == k) for i in range(count)) for k in range(endpoint_count)]
    alphas = [*corners, (1 / endpoint_count,) * count, tuple(0.3 / (i + 1) for i in range(count))]
    low, high = alpha_range
    if count == 1:
        alphas += [(low,), (high,)]
        alphas = [a for a in alphas if low <= a[0] <= high]
    return list(dict.fromkeys(alphas))
