"""Colours: charts through the conversion and back are what they were."""

from fractions import Fraction

import av
import numpy as np
import pytest

from dni_deploy.films.colours.conversion import Conversion, Wanted
from dni_deploy.films.colours.planes import plane
from dni_deploy.films.film import Video


@pytest.mark.parametrize("pixels", ["yuv444p", "gbrp", "gray", "bgra"])
def test_a_grey_frame_comes_back_as_it_was(pixels: str) -> None:
    """All values of a frame in the middle of the range: grey, which every format holds."""
    frame = av.VideoFrame(48, 32, pixels)
    for number in range(len(frame.planes)):
        plane(frame, number)[...] = 128
    conversion = Conversion(Video(0, "", 48, 32, pixels, Fraction(1, 25)), "uint8", Wanted(pixels, 48, 32))

    back = conversion.to_frame(conversion.to_picture(frame), 7)

    assert (back.format.name, back.pts, back.time_base) == (pixels, 7, Fraction(1, 25))
    for number in range(len(frame.planes)):
        np.testing.assert_array_equal(plane(back, number), plane(frame, number))
