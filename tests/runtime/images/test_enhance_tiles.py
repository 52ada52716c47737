"""Images that are run in tiles: equal to the whole, and as few tiles as it takes."""

import math
from dataclasses import replace

import numpy as np
import pytest
from enhanced import ALPHA, assert_same_picture, reference
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx_models import METADATA, conv_stack, picture, save

from dni_runtime import InputError, load
from dni_runtime.images.enhance import enhance_images


@given(
    name=st.sampled_from(["rgb", "double", "half", "unet", "fixed", "grey double"]),
    height=st.integers(1, 120),
    width=st.integers(1, 120),
    tile=st.integers(16, 64),
    spare=st.integers(0, 8),
)
@settings(max_examples=60)
def test_tiled_equals_untiled(models, name, height, width, tile, spare):
    model = models[name]
    overlap = model.metadata.overlap + spare
    image = picture(height, width, 3, dtype=np.uint16)
    if name == "fixed":
        tiled, whole = model.enhance(image, ALPHA, overlap=min(overlap, 12)), models["rgb"]
    else:
        tiled, whole = model.enhance(image, ALPHA, tile=tile + 2 * overlap, overlap=overlap), model
    # Padding differs where the tile is larger than the image, and reaches what lies within the overlap of it.
    margin = math.ceil(overlap * model.metadata.scale) if name == "fixed" else 0
    untiled = whole.enhance(image, ALPHA, tile=0)
    rows, columns = (slice(0, max(0, side - margin)) for side in tiled.shape[:2])
    # float32 sums in another order, at 16 bits
    assert tiled.shape == untiled.shape
    part, whole_part = tiled[rows, columns].astype(int), untiled[rows, columns].astype(int)
    assert part.size == 0 or abs(part - whole_part).max() <= 1


def count_tiles(model, image, **options):
    calls = []
    model.enhance(image, ALPHA, progress=lambda done, total: calls.append((done, total)), **options)
    assert [done for done, _ in calls] == list(range(1, len(calls) + 1))
    assert {total for _, total in calls} == {len(calls)}
    return len(calls)


def test_images_are_tiled_above_a_megapixel(models):
    assert count_tiles(models["rgb"], picture(1024, 1024)) == 1
    assert count_tiles(models["rgb"], picture(1024, 1025)) == 9
    assert count_tiles(models["rgb"], picture(1024, 1025), tile=0) == 1
    assert count_tiles(models["rgb"], picture(64, 64), tile=64) == 1
    assert count_tiles(models["rgb"], picture(65, 64), tile=64) == 2


@pytest.mark.parametrize(("size", "tile"), [((3, 5), None), ((3, 5), 4), ((100, 5), 4)])
def test_nothing_smaller_than_the_minimum_is_run(size, tile):
    shapes = []

    def run(x):
        shapes.append(x.shape[2:])
        return x

    metadata = replace(METADATA, size_multiple=4, size_minimum=24, overlap=8)
    image = picture(*size, 3)
    np.testing.assert_array_equal(enhance_images(run, [image], metadata, (1, 3, None, None), tile=tile)[0], image)
    assert set(shapes) == {(24, 24)}


def test_small_fixed_models_of_unknown_reach_can_be_tiled(tmp_path):
    proto = conv_stack(shape=(1, 24, 24), metadata=replace(METADATA, overlap=None))
    with load(save(proto, tmp_path / "model.onnx"), "cpu") as model:
        assert count_tiles(model, picture(60, 24, 3)) > 1
        with pytest.raises(InputError, match="tile 24 is too small for overlap 12"):
            model.enhance(picture(60, 24, 3), ALPHA, overlap=12)


def test_fixed_models_tile_by_their_own_size(models):
    assert count_tiles(models["fixed"], picture(40, 56, 3)) == 1
    assert count_tiles(models["fixed"], picture(41, 56, 3)) == 2


def test_opacity_adds_no_tiles(models):
    options = {"tile": 60, "overlap": 4}
    assert count_tiles(models["double"], picture(100, 40, 4), **options) == count_tiles(
        models["double"], picture(100, 40, 3), **options
    )


def test_too_small_a_tile(models):
    with pytest.raises(InputError, match="tile 20 is too small for overlap 16; expected a tile of at least 36"):
        models["unet"].enhance(picture(64, 64, 3), ALPHA, tile=20)


@pytest.mark.parametrize("name", ["tile", "overlap"])
def test_negative_sizes(models, name):
    with pytest.raises(InputError, match=f"{name} is -1; expected 0 or more"):
        models["rgb"].enhance(picture(8, 8, 3), ALPHA, **{name: -1})


def test_a_model_of_another_tool_reveals_its_scale(models):
    image = picture(24, 32, 3)
    assert_same_picture(models["silent"].enhance(image, ALPHA), reference(models["silent"], image))


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (200, 2)])
def test_images_smaller_than_the_overlap(models, size):
    image = picture(*size, 3)
    tiled = models["unet"].enhance(image, ALPHA, tile=80, overlap=32)
    assert_same_picture(tiled, models["unet"].enhance(image, ALPHA, tile=0))
