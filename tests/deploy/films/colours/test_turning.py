"""Pictures turned by a display matrix are as the ffmpeg program shows the film."""

from pathlib import Path

import numpy as np
import pytest
from ffmpeg import pictures
from films import film

from dni_deploy.films.colours.turning import is_turn, swaps_sides, turn
from dni_deploy.films.source.probe import look_at

_ONE = 1 << 16


@pytest.mark.parametrize("kind", ["rotated_90", "rotated_180", "rotated_270", "flipped"])
def test_a_picture_is_turned_as_players_do(kind: str) -> None:
    path: Path = film(kind)
    matrix = look_at(path).video.display_matrix
    assert matrix is not None
    assert is_turn(matrix)
    coded, shown = pictures(path)[0], pictures(path, turned=True)[0]

    turned = turn(coded, matrix)

    assert turned.shape == shown.shape
    assert swaps_sides(matrix) == (shown.shape != coded.shape)
    assert turned.flags.c_contiguous
    # Players turn brightness and colours, this test a picture that was converted before: colours differ by filters.
    assert np.abs(turned.astype(int) - shown).mean() < 3
    assert np.abs(turn(coded[::-1], matrix).astype(int) - shown).mean() > 15


@pytest.mark.parametrize(
    ("matrix", "can_be_turned"),
    [
        ((_ONE, 0, 0, 0, _ONE, 0, 0, 0, 1 << 30), True),
        ((0, _ONE, 0, -_ONE, 0, 0, 0, 0, 1 << 30), True),
        ((46341, 46341, 0, -46341, 46341, 0, 0, 0, 1 << 30), False),  # by 45 degrees
        ((2 * _ONE, 0, 0, 0, _ONE, 0, 0, 0, 1 << 30), False),  # wider
    ],
)
def test_only_steps_of_90_degrees_turn_pixels(matrix: tuple[int, ...], can_be_turned: bool) -> None:
    assert is_turn(matrix) is can_be_turned


def test_frames_for_an_encoder_are_turned() -> None:
    """A picture of one channel, which is not square."""
    picture = np.arange(6, dtype=np.uint8).reshape(2, 3)

    turned = turn(picture, (0, _ONE, 0, -_ONE, 0, 0, 0, 0, 1 << 30))

    # A pixel at (x, y) is shown at (-y, x): the left column becomes the top line, from right to left.
    np.testing.assert_array_equal(turned, [[3, 0], [4, 1], [5, 2]])
