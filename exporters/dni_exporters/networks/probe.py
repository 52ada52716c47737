"""What a network does with image sizes, found out by running it: multiple, minimum, scale; `reach` has the rest."""

import math
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from dni_runtime import ArchitectureError
from dni_runtime.metadata import WHOLE
from dni_runtime.sizes import Sizes

from .architecture import Architecture
from .randomness import check_repeats
from .reach import Reach, find_reach

Array = NDArray[np.float32]

# The largest multiple of which images of two are shown to a network.
_MOST_TWICE = 128

# Sides that networks are tried at: pix2pix with eight steps down (arXiv 1611.07004) takes no image of less than 256.
_SIDES = (16, 32, 64, 128, 256, 512)


@dataclass(frozen=True, slots=True)
class ImageContract:
    """The images that a network takes and gives.

    input_shape:   (N, C, H, W) to trace with; H and W differ unless the network takes square images alone, and N is 2
                   where N is to be dynamic, because torch.export takes sizes that are 0, 1 or alike for constants; for
                   the same reason they are two multiples or more, of which one may be a pixel inside the network (of
                   very large ones one, as images of two take long).
    size_multiple, size_minimum: of input height and width in pixels.
    out_channels:  C of the output.
    scale:         output height / input height; None where the output is no multiple of the input.
    overlap, view, grid: as in the model's metadata.
    size_square:   whether input height and width have to be alike.
    static:        whether images of `input_shape` are all that a file is to take.
    """

    input_shape: tuple[int, int, int, int]
    size_multiple: int
    size_minimum: int
    out_channels: int
    scale: float | None
    overlap: int | None
    view: str | None = None
    grid: int = 1
    size_square: bool = False
    static: bool = False

    @property
    def sizes(self) -> Sizes:
        """What input height and width have to be."""
        if self.static:
            side = max(self.input_shape[2:])
            return Sizes(side, side, self.input_shape[2] == self.input_shape[3])
        return Sizes(self.size_multiple, self.size_minimum, self.size_square)


def probe(
    architecture: Architecture, input_shape: tuple[int, int, int, int] | None = None, *, static: bool = False
) -> ImageContract:
    """Run the network on small images and see what it needs; `input_shape` overrules what was found.

    Raises ArchitectureError where the network takes no image of that shape, gives back something other
    than one image, or another one each time.
    """
    network = architecture.network
    if architecture.only is not None:
        input_shape, static = input_shape or architecture.only, True
    channels = input_shape[1] if input_shape else architecture.channels or _find_channels(network)
    if static and input_shape:
        sizes, shape = Sizes(), input_shape
    else:
        sizes = _sizes(architecture, channels, input_shape)
        least = 2 * sizes.multiple if not static and sizes.multiple <= _MOST_TWICE else sizes.multiple
        shape = input_shape or (1, channels, *sizes.wide(max(_SIDES[0], least)))
        _check_given(architecture.name, shape, sizes)
        if not static and _run(network, two := (max(2, shape[0]), *shape[1:])) is not None:
            shape = two  # some take one image at a time
    output = _run(network, shape)
    if output is None:
        raise ArchitectureError(
            f"the network {architecture.name} takes no input of shape {shape} (float32, N,C,H,W): "
            f"{_error(network, shape)}; give one that it takes: --input-shape N,C,H,W"
        )
    check_repeats(architecture.name, network, output, lambda: _run(network, shape))
    larger = (1, channels, shape[2] + (1 if sizes.square else 2) * sizes.multiple, shape[3] + sizes.multiple)
    second = None if static else _run(network, larger)
    if not static and second is None:
        raise ArchitectureError(
            f"the network {architecture.name} takes an input of shape {shape}, but none of {larger}: "
            f"{_error(network, larger)}; fix its size: --static --input-shape N,C,H,W"
        )
    reach = Reach(None, None) if static else find_reach(lambda x: forward(network, x), channels, sizes)
    return ImageContract(
        input_shape=shape,
        size_multiple=sizes.multiple,
        size_minimum=sizes.minimum,
        out_channels=output.shape[1],
        scale=_scale((shape, output), *([] if second is None else [(larger, second)])),
        overlap=reach.overlap,
        view=reach.view or (WHOLE if architecture.whole else None),
        size_square=sizes.square,
        static=static,
        grid=reach.grid,
    )


def _check_given(name: str, shape: tuple[int, int, int, int], sizes: Sizes) -> None:
    """Raise ArchitectureError for a shape beside the sizes that a file is to take: spandrel pads images to some."""
    if sizes.fit(*shape[2:]) != tuple(shape[2:]):
        raise ArchitectureError(
            f"the network {name} is for images of other sizes than that of --input-shape {','.join(map(str, shape))}: "
            f"{sizes}; give such a height and width, or --static for a file of that size alone"
        )


def _find_channels(network: nn.Module) -> int:
    """3 (RGB), 1 (grey) or 4: the first that the network takes; 3 where none works."""
    tried = ((side, channels) for side in (64, *_SIDES[-2:]) for channels in (3, 1, 4))
    return next((c for side, c in tried if _run(network, (1, c, side, side)) is not None), 3)


def _sizes(architecture: Architecture, channels: int, given: tuple[int, ...] | None) -> Sizes:
    """What is known of heights and widths, or is found out where nothing is or that is too little."""
    network, known = architecture.network, architecture.sizes
    if known and _run(network, given or (1, channels, *known.wide(_SIDES[0]))) is not None:
        return known
    found = _find_sizes(network, channels, given)
    if not known or found == Sizes():
        return known or found
    multiple = math.lcm(known.multiple, found.multiple)
    return Sizes(multiple, max(known.minimum, found.minimum), known.square or found.square)


def _find_sizes(network: nn.Module, channels: int, given: tuple[int, ...] | None) -> Sizes:
    """What heights and widths the network takes, found at the `given` shape (N, C, H, W), else at small squares."""
    bases = [given[2:]] if given else [(side, side) for side in _SIDES]
    for height, width in bases:
        shape = (1, channels, height, width)
        if (output := _run(network, shape)) is None:
            continue
        multiple = _find_multiple(network, shape, output)
        if multiple is None:
            break  # it takes one size alone
        side = multiple
        while side < min(height, width) and _run(network, (1, channels, side, side)) is None:
            side *= 2
        is_square = height == width and _run(network, (1, channels, height, width + multiple)) is None
        return Sizes(multiple, min(side, height, width), is_square)
    return Sizes()


def _find_multiple(network: nn.Module, shape: tuple[int, ...], output: Tensor) -> int | None:
    """The smallest part of `shape` by which an image may be larger, and the output is then, too, as the scale says.

    Where there is none of which it is (convolutions without padding), the smallest that the network takes at all, None
    where it takes none. As `shape` is a multiple of all of them, it is enough to try each once.
    """
    runs = None
    common = math.gcd(*shape[2:])
    for part in (part for part in range(1, common + 1) if common % part == 0):
        larger = (*shape[:2], shape[2] + part, shape[3] + part)
        if (second := _run(network, larger)) is not None:
            runs = runs or part
            if _scale((shape, output), (larger, second)) is not None:
                return part
    return runs


def _scale(*runs: tuple[tuple[int, ...], Tensor]) -> float | None:
    """Output size / input size of runs, each an input's shape and its output; None where it is not one number."""
    scale = runs[0][1].shape[2] / runs[0][0][2]
    is_one = all(output.shape[axis] == scale * shape[axis] for shape, output in runs for axis in (2, 3))
    return scale if is_one else None


def _run(network: nn.Module, shape: tuple[int, ...]) -> Tensor | None:
    return forward(network, torch.zeros(shape))


def forward(network: Callable[[Tensor], object], x: Tensor) -> Tensor | None:
    """The network's output for `x`, which stays as it is; None where it fails or gives no image batch."""
    try:
        with quiet_inference():
            output = network(x.clone())  # some work in place
    except Exception:  # a network may refuse a size in any way it likes
        return None
    if not isinstance(output, torch.Tensor) or output.dim() != 4 or output.numel() == 0 or not _is_real(output):
        return None
    return output


def _is_real(output: Tensor) -> bool:
    """Whether pixels are numbers that a picture can have."""
    return output.dtype is not torch.bool and not output.is_complex()


def run_on(network: Callable[[Tensor], Tensor], image: Array) -> Array:
    """The network's output for `image`, float32 (N, C, H, W), which stays as it is: some work in place."""
    with quiet_inference():
        output: Array = network(torch.tensor(image)).float().numpy()
    return output


def _error(network: nn.Module, shape: tuple[int, ...]) -> str:
    try:
        with quiet_inference():
            output = network(torch.zeros(shape))
    except Exception as error:
        return (str(error).splitlines() or [type(error).__name__])[0]
    kind = type(output).__name__
    if isinstance(output, Tensor):
        kind = f"shape {tuple(output.shape)}" if _is_real(output) else str(output.dtype)
    return f"its output is of {kind}, expected one image of shape (N,C,H,W)"


@contextmanager
def quiet_inference() -> Iterator[None]:
    """Run a network without gradients and without the warnings that its code may raise.

    On one thread: the images are small, and threads that wait for each other on a busy machine were
    measured to take 40 times as long. Not in inference mode: a network that fuses its weights as it runs would keep
    tensors of that mode, which PyTorch does not trace.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        torch.set_num_threads(threads)
