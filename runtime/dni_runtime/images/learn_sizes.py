"""What a network does with image sizes whose file does not say it: found out by running it on small images."""

from collections.abc import Callable

import numpy as np

from dni_runtime.errors import ModelError
from dni_runtime.metadata import LIMIT_SCALE
from dni_runtime.sizes import Sizes

from .plans.plan_tiles import Shape
from .strengths.regions import FloatArray

_SIDE = 64
_MULTIPLES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)


def learn_sizes(run: Callable[[FloatArray], FloatArray], shape: Shape) -> tuple[float | None, Sizes]:
    """The scale of a network, and what heights and widths have to be.

    `shape`: the sizes that its input is fixed to. The multiple is the smallest power of two up to 512 at which the
    output is the same multiple of the input along both axes, which differ, or where it takes none of these are alike;
    where there is none, the smallest that the network takes at all, and the scale is None. Most networks take any size,
    which is one run.

    Raises ModelError, as `run` does, where the network takes none of these images.
    """
    batch, channels, fixed_height, fixed_width = shape
    problem: ModelError | None = None
    for square in (False,) if fixed_height or fixed_width else (False, True):
        taken: Sizes | None = None
        for multiple in _MULTIPLES:
            side = multiple * (_SIDE // multiple + 1 | 1)  # an odd multiple, so of no larger power of two
            height, width = fixed_height or side, fixed_width or (side if square else side + 2 * multiple)
            try:
                y = run(np.zeros((batch or 1, channels or 3, height, width), np.float32))
            except ModelError as error:
                problem = problem or error
            else:
                taken = taken or Sizes(multiple, square=square)
                scale = y.shape[2] / height
                if y.shape[3] == scale * width and 1 / LIMIT_SCALE <= scale <= LIMIT_SCALE:
                    return scale, Sizes(multiple, square=square)
            if fixed_height and fixed_width:
                break
        if taken is not None:
            return None, taken
    assert problem is not None  # of every run
    raise problem
