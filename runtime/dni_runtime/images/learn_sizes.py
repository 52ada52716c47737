"""What a network does with image sizes whose file does not say it: found out by running it on small images."""

from collections.abc import Callable

import numpy as np

from dni_runtime.errors import ModelError
from dni_runtime.metadata import LIMIT_SCALE

from .plan_tiles import Shape
from .strengths.regions import FloatArray

# Every multiple of the network's that is a power of two up to 64 is met by one of the sizes 64 + multiple.
_SIDE = 64
_MULTIPLES = (1, 2, 4, 8, 16, 32, 64)


def learn_sizes(run: Callable[[FloatArray], FloatArray], shape: Shape) -> tuple[float | None, int]:
    """The scale of a network, and the multiple that heights and widths have to be of.

    `shape`: the sizes that its input is fixed to. The multiple is the smallest power of two up to 64 at which the
    output is the same multiple of the input along both axes, which differ; where there is none, the smallest that the
    network takes at all, and the scale is None. Most networks take any size, which is one run.

    Raises ModelError, as `run` does, where the network takes none of these images.
    """
    batch, channels, fixed_height, fixed_width = shape
    problem: ModelError | None = None
    taken: int | None = None
    for multiple in _MULTIPLES:
        height, width = fixed_height or _SIDE + multiple, fixed_width or _SIDE + 3 * multiple
        try:
            y = run(np.zeros((batch or 1, channels or 3, height, width), np.float32))
        except ModelError as error:
            problem = problem or error
        else:
            taken = taken or multiple
            scale = y.shape[2] / height
            if y.shape[3] == scale * width and 1 / LIMIT_SCALE <= scale <= LIMIT_SCALE:
                return scale, multiple
        if fixed_height and fixed_width:
            break
    if taken is None and problem is not None:
        raise problem
    return None, taken or 1
