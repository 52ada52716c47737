"""What a network does with image sizes, found out by running it: multiple, minimum, scale; `reach` has the rest."""

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

from .architecture import Architecture
from .randomness import check_repeats
from .reach import Reach, find_reach, round_up

Array = NDArray[np.float32]

MULTIPLES = (1, 2, 4, 8, 16, 32, 64)


@dataclass(frozen=True, slots=True)
class ImageContract:
    """The images that a network takes and gives.

    input_shape:   (N, C, H, W) to trace with; H and W differ, and N is 2 where N is to be dynamic,
                   because torch.export takes sizes that are 0, 1 or alike for constants.
    size_multiple, size_minimum: of input height and width in pixels.
    out_channels:  C of the output.
    scale:         output height / input height; None where the output is no multiple of the input.
    overlap, view: as in the model's metadata.
    """

    input_shape: tuple[int, int, int, int]
    size_multiple: int
    size_minimum: int
    out_channels: int
    scale: float | None
    overlap: int | None
    view: str | None = None


def probe(
    architecture: Architecture, input_shape: tuple[int, int, int, int] | None = None, *, static: bool = False
) -> ImageContract:
    """Run the network on small images and see what it needs; `input_shape` overrules what was found.

    Raises ArchitectureError where the network takes no image of that shape, gives back something other
    than one image, or another one each time.
    """
    network = architecture.network
    channels = input_shape[1] if input_shape else architecture.channels or _find_channels(network)
    if static and input_shape:
        multiple, minimum = 1, 1
        shape = input_shape
    else:
        multiple = architecture.size_multiple or _find_multiple(network, channels)
        minimum = architecture.size_minimum or _find_minimum(network, channels, multiple)
        height = round_up(max(minimum, 16), multiple)
        shape = input_shape or (1, channels, height, height + multiple)
        if not static:
            shape = (max(2, shape[0]), *shape[1:])
    output = _run(network, shape)
    if output is None:
        raise ArchitectureError(
            f"the network {architecture.name} takes no input of shape {shape} (float32, N,C,H,W): "
            f"{_error(network, shape)}; give one that it takes: --input-shape N,C,H,W"
        )
    check_repeats(architecture.name, network, output, lambda: _run(network, shape))
    larger = (shape[0], channels, shape[2] + 2 * multiple, shape[3] + multiple)
    if not static and _run(network, larger) is None:
        raise ArchitectureError(
            f"the network {architecture.name} takes an input of shape {shape}, but none of {larger}: "
            f"{_error(network, larger)}; fix its size: --static --input-shape N,C,H,W"
        )
    reach = Reach(None, None) if static else find_reach(lambda x: forward(network, x), channels, multiple, minimum)
    return ImageContract(
        input_shape=shape,
        size_multiple=multiple,
        size_minimum=minimum,
        out_channels=output.shape[1],
        scale=_scale(network, shape, output, multiple),
        overlap=reach.overlap,
        view=reach.view or (WHOLE if architecture.whole else None),
    )


def _find_channels(network: nn.Module) -> int:
    """3 (RGB), 1 (grey) or 4: the first that the network takes; 3 where none works."""
    return next((c for c in (3, 1, 4) if _run(network, (1, c, 64, 64)) is not None), 3)


def _find_multiple(network: nn.Module, channels: int) -> int:
    """The smallest power of two up to 64 at whose odd multiples the output is a fixed multiple of the input.

    Where there is none (convolutions without padding), the smallest that the network takes at all.
    """
    runs = None
    for multiple in MULTIPLES:
        side = multiple * (16 // multiple + 1 | 1)
        shape = (1, channels, side, side + 2 * multiple)
        if (output := _run(network, shape)) is None:
            continue
        runs = runs or multiple
        if _scale(network, shape, output, multiple) is not None:
            return multiple
    return runs or 1


def _find_minimum(network: nn.Module, channels: int, multiple: int) -> int:
    """The smallest side among 1, 2, 4, ... multiples that works."""
    side = multiple
    while side < 16 and _run(network, (1, channels, side, side)) is None:
        side *= 2
    return side


def _scale(network: nn.Module, shape: tuple[int, ...], output: Tensor, multiple: int) -> float | None:
    """Output size / input size, if it is the same for both axes and at a second size."""
    _, channels, height, width = shape
    scale = output.shape[2] / height
    second = _run(network, (1, channels, height + 2 * multiple, width + multiple))
    sizes = [(output, height, width)]
    if second is not None:
        sizes.append((second, height + 2 * multiple, width + multiple))
    proportional = all(tuple(o.shape[2:]) == (scale * h, scale * w) for o, h, w in sizes)
    return scale if proportional else None


def _run(network: nn.Module, shape: tuple[int, ...]) -> Tensor | None:
    return forward(network, torch.zeros(shape))


def forward(network: Callable[[Tensor], object], x: Tensor) -> Tensor | None:
    """The network's output for `x`, which stays as it is; None where it fails or gives no image batch."""
    try:
        with quiet_inference():
            output = network(x.clone())  # some work in place
    except Exception:  # a network may refuse a size in any way it likes
        return None
    if not isinstance(output, torch.Tensor) or output.dim() != 4 or output.numel() == 0:
        return None
    return output


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
    kind = f"shape {tuple(output.shape)}" if isinstance(output, torch.Tensor) else type(output).__name__
    return f"its output is of {kind}, expected one image of shape (N,C,H,W)"


@contextmanager
def quiet_inference() -> Iterator[None]:
    """Run a network without gradients and without the warnings that its code may raise.

    On one thread: the images are small, and threads that wait for each other on a busy machine were
    measured to take 40 times as long.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.inference_mode(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        torch.set_num_threads(threads)
