"""Networks that take square images alone, and tiles of those that take large sizes alone."""

from dataclasses import replace

import numpy as np
import pytest
from onnx_models import METADATA, picture

from dni_runtime import InputError
from dni_runtime.images.enhance import enhance_images

SQUARE = replace(METADATA, size_multiple=16, size_minimum=16, size_square=True, overlap=None)


def enhanced(image, metadata, **options) -> tuple[np.ndarray, list[tuple[int, int]]]:
    """What a network that gives back what it takes makes of `image`, and the sizes that it was given."""
    given = []

    def run(x):
        given.append(x.shape[2:])
        return x + np.float32(0)

    return enhance_images(run, [image], metadata, (1, 3, None, None), **options)[0], given


@pytest.mark.parametrize(
    ("size", "tile", "run"),
    [
        ((53, 71), None, (80, 80)),
        ((71, 53), 0, (80, 80)),
        ((16, 16), None, (16, 16)),
        ((1, 40), None, (48, 48)),
        ((53, 71), 32, (32, 32)),
        ((20, 300), 64, (64, 64)),
        ((53, 71), 512, (80, 80)),
        ((500, 1500), None, (512, 512)),  # as a whole it would be 1504 x 1504 pixels
    ],
)
def test_a_whole_image_is_padded_to_a_square_and_tiles_are_square(size, tile, run):
    image = picture(*size, 3)
    result, given = enhanced(image, SQUARE, tile=tile)
    np.testing.assert_array_equal(result, image)
    assert set(given) == {run}


def test_the_padding_is_what_lies_below_and_right_of_the_image_mirrored():
    seen = []

    def run(x):
        seen.append(x)
        return x + np.float32(0)

    image = picture(9, 14, 3)
    enhance_images(run, [image], SQUARE, (1, 3, None, None))
    expected = np.pad(image, ((0, 7), (0, 2), (0, 0)), "reflect").transpose(2, 0, 1)[None] / np.float32(255)
    np.testing.assert_array_equal(seen[0], expected)


def test_a_seamless_tile_of_square_images():
    image = picture(48, 32, 3)
    result, given = enhanced(image, replace(SQUARE, overlap=16), wrap=True)
    np.testing.assert_array_equal(result, image)
    assert given == [(80, 80)]


def test_too_long_an_image_to_be_padded_to_a_square_is_refused():
    with pytest.raises(InputError, match="10x6000 pixels would be padded to 6000x6000, as the model takes no smaller"):
        enhanced(picture(10, 6000, 3), SQUARE, tile=0)


@pytest.mark.parametrize(("multiple", "tile"), [(1, 64), (1, 16), (8, 16), (32, 64), (64, 128), (128, 256)])
def test_a_guessed_overlap_gives_way_to_small_tiles_whose_ends_are_thrown_away(multiple, tile):
    image = picture(3 * tile, 2 * tile + 5, 3)
    sizes = set()

    def run(x):
        sizes.add(x.shape[2:])
        x[:, :, [0, 1, -2, -1]] = x[:, :, :, [0, 1, -2, -1]] = 7
        return x

    metadata = replace(METADATA, size_multiple=multiple, overlap=None)
    result = enhance_images(run, [image], metadata, (1, 3, None, None), tile=tile)[0].astype(int)
    assert sizes == {(tile, tile)}
    assert abs(result - image)[2:-2, 2:-5].max() <= 1  # of a fade's float32


def test_a_tile_that_shares_nothing_with_its_neighbour_is_refused():
    metadata = replace(METADATA, size_multiple=64, overlap=None)
    with pytest.raises(InputError, match=r"tile 64 is the smallest .* expected a tile of at least 128 pixels, or over"):
        enhanced(picture(100, 64, 3), metadata, tile=20)
    assert set(enhanced(picture(100, 64, 3), metadata, tile=64, overlap=0)[1]) == {(64, 64)}
    assert enhanced(picture(60, 64, 3), metadata, tile=64)[1] == [(64, 64)]


def test_a_reach_that_is_known_does_not_give_way():
    metadata = replace(METADATA, size_multiple=8, overlap=32)
    with pytest.raises(InputError, match="tile 64 is too small for overlap 32; expected a tile of at least 72"):
        enhanced(picture(100, 100, 3), metadata, tile=64)


@pytest.mark.parametrize(
    ("multiple", "tile", "count"),
    [(64, 512, 16), (128, 512, 16), (256, 1024, 4), (512, 1024, 4)],
)
def test_automatic_tiles_of_large_multiples_run_little_twice(multiple, tile, count):
    metadata = replace(METADATA, size_multiple=multiple, size_minimum=multiple, overlap=None)
    _, given = enhanced(np.zeros((1500, 1500, 3), np.uint8), metadata)
    assert (set(given), len(given)) == ({(tile, tile)}, count)
