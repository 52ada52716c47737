"""How far a network sees: how large a part of the image a pixel of its output depends on."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from dni_runtime.metadata import AVERAGES, NEAR, WHOLE
from dni_runtime.sizes import Sizes, round_up

Forward = Callable[[Tensor], Tensor | None]

# The widest reach in pixels that is worth an overlap between tiles; beyond it a feathered seam has to do.
LONGEST_REACH = 48
# Whatever sees farther than this sees farther than a tile. RRDBNet, of 345 layers, does not.
_FAR_PIXELS = 512
# Windows of attention are of 7 to 16 pixels, as a rule; other layers lie on powers of two.
_GRID_STEPS = (1, 2, 4, 7, 8, 12, 16, 24, 32)
# Beyond both overlaps: more than any of them.
_WINDOW_PIXELS = 64
# Sums in another order; windows that lie elsewhere make more, if little in networks that are not trained.
_ROUNDING = 3e-6

_ANOTHER = "so in tiles it makes another picture; --tile 0 runs an image as a whole where there is the memory"
VIEW_NOTES = {
    AVERAGES: (
        "the network looks at averages over the whole image; an image that is cut into tiles takes a few passes over "
        "all of them, and comes out as the whole would"
    ),
    WHOLE: (
        "the network looks at the whole image, so in tiles it makes another one; --tile 0 runs an image as a whole "
        "where there is the memory"
    ),
}
"""What a user should know of a view; nothing of NEAR."""
_ELSEWHERE = (
    "the network looks at {}the whole image: a program that cuts images into tiles shows it one after the other, and "
    "colours may change from tile to tile; larger tiles are fewer"
)


def view_notes(view: str | None, overlap: int | None, *, advised: bool, elsewhere: bool = False) -> list[str]:
    """What a user should know of how far a network sees.

    advised:   whether spandrel advises against tiles.
    elsewhere: whether the file is for other people's programs, whose tiles share nothing.
    """
    if elsewhere and view in VIEW_NOTES:
        return [_ELSEWHERE.format("averages over " if view == AVERAGES else "")]
    if view == AVERAGES and overlap is None:
        return [
            "the network looks at averages over the whole image, which tiles share, but in other ways, too, it sees "
            f"farther than tiles overlap, {_ANOTHER}"
        ]
    if view in VIEW_NOTES:
        return [VIEW_NOTES[view]]
    if not advised or overlap is not None:  # of tiles that overlap as far as it sees comes what the whole gives
        return []
    return [f"spandrel advises against tiles for this network: it sees farther than tiles overlap, {_ANOTHER}"]


@dataclass(frozen=True, slots=True)
class Reach:
    """How far an output pixel sees, as in the model's metadata.

    overlap: in input pixels, a multiple of the network's; None where it is longer than LONGEST_REACH, where what a tile
             gives depends on the pixel that it begins with, or nothing was learnt. What averages over the whole image
             see does not count.
    view:    NEAR, AVERAGES or WHOLE; None where nothing was learnt.
    grid:    what tiles have to begin at multiples of, beside the network's own multiple.
    """

    overlap: int | None
    view: str | None
    grid: int = 1


def find_reach(forward: Forward, channels: int, sizes: Sizes) -> Reach:
    """Find it out by running the network; `forward` gives its output, None where it fails."""
    multiple = sizes.multiple

    def near() -> float | None:
        return _follow(forward, channels, sizes, 8, LONGEST_REACH)

    def is_far() -> bool | None:
        if sizes.square:
            return None  # a square so long takes minutes
        # As low as it can be, since it is long.
        reach = _follow(forward, channels, sizes, 1, _FAR_PIXELS)
        return None if reach is None else reach > _FAR_PIXELS

    def on_grid(reach: float, view: str) -> Reach:
        for grid in (multiple * step for step in _GRID_STEPS):
            # From elsewhere in a window a pixel may be seen farther, by less than a window.
            overlap = round_up(math.ceil(reach) + (grid if grid > multiple else 0), multiple)
            if _is_cut_well(forward, channels, sizes, overlap, grid):
                return Reach(overlap, view, grid)
        return Reach(None, view)

    reach = near()
    if reach is None:
        return Reach(None, None)
    if reach <= LONGEST_REACH:
        return on_grid(reach, NEAR)
    with _AveragesHeld():  # type: ignore[no-untyped-call]
        reach = near()
        if reach is not None and reach <= LONGEST_REACH:
            return on_grid(reach, AVERAGES)
    if not (far := is_far()):
        return Reach(None, None if far is None else NEAR)
    with _AveragesHeld():  # type: ignore[no-untyped-call]
        return Reach(None, AVERAGES if is_far() is False else WHOLE)


def _follow(forward: Forward, channels: int, sizes: Sizes, height: int, radius: int) -> float | None:
    """How far an input pixel is seen in the output, by following a NaN, which survives every sum and product.

    More than `radius` where it is seen everywhere; None where nothing was learnt. A strip is enough and cheap, since
    networks reach equally far in height and width; those of square images take no strip.
    """
    multiple = sizes.multiple
    radius = round_up(radius + 1, multiple)
    strip = torch.zeros(1, channels, *sizes.fit(height, 2 * radius + multiple))
    radius = (strip.shape[3] - multiple) // 2 // multiple * multiple  # more where the network takes no shorter one
    strip[..., radius : radius + multiple] = torch.nan
    output = forward(strip)
    if output is None or output.shape[3] == 0:
        return None
    scale = output.shape[3] / strip.shape[3]
    seen = output.isnan().any(dim=0).any(dim=0).any(dim=0).nonzero().flatten()
    if len(seen) == 0:
        return None  # the network hides NaN (a comparison, a clamp of its own): nothing was learnt
    first, last = float(seen[0]) / scale, float(seen[-1] + 1) / scale
    return max(radius - first, last - (radius + multiple), 0)


def _is_cut_well(forward: Forward, channels: int, sizes: Sizes, overlap: int, grid: int) -> bool:
    """Whether a part of an image that begins `grid` pixels later gives what the whole does, `overlap` from its ends on.

    Windows of attention lie on a grid from the image's first pixel on, and so do the pixels that a stride takes: of a
    tile that begins elsewhere comes another picture, however much it overlaps. Where it ends is all the same.
    """
    width = max(2 * overlap, sizes.side(8)) + _WINDOW_PIXELS + grid + sizes.multiple
    image = torch.rand(1, channels, *sizes.fit(8, width), generator=torch.Generator().manual_seed(0))
    cut = slice(grid, -sizes.multiple)
    whole, part = forward(image), forward(image[..., cut if sizes.square else slice(None), cut])
    if whole is None or part is None or whole.shape[3] <= part.shape[3]:
        return False
    scale = whole.shape[3] / image.shape[3]
    lost = math.ceil(overlap * scale)
    within = slice(lost, part.shape[3] - lost)
    begun = round(grid * scale)
    around = slice(begun + lost, begun + part.shape[3] - lost)
    inner = whole[..., around if sizes.square else slice(None), around]
    same = part[..., within if sizes.square else slice(None), within]
    if inner.shape != same.shape or not inner.numel():
        return False
    return float((inner - same).abs().max()) <= _ROUNDING * max(1.0, float(whole.abs().max()))


class _AveragesHeld(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """While it is active, averages over all pixels of an image are 0: what is seen then is seen without them."""

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        return torch.zeros_like(result) if _is_average(func, args) else result


def _is_average(func: Any, args: Sequence[Any]) -> bool:
    if func in (torch.ops.aten.adaptive_avg_pool2d.default, torch.ops.aten._adaptive_avg_pool2d.default):
        return list(args[1]) == [1, 1]
    if func is torch.ops.aten.mean.dim:
        x, axes = args[:2]
        return x.dim() == 4 and {2, 3} <= {axis % 4 for axis in axes or range(4)}
    return False
