"""Tiles of a large image: what is held in memory, what is run at once, how errors end it."""

import threading
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from onnx_models import METADATA, conv_stack, picture, save

from dni_runtime import ModelError, load
from dni_runtime.images.enhance import enhance_images

ALPHA = 0.4


@pytest.fixture(scope="module")
def double(tmp_path_factory):
    with load(save(conv_stack(scale=2), tmp_path_factory.mktemp("double") / "model.onnx"), "cpu") as model:
        yield model


def enlarge(x, scale=2):
    """A network of reach 0, as an array function."""
    return np.repeat(np.repeat(x, scale, axis=2), scale, axis=3)


def peak_beyond_images(image, **options):
    """Bytes that NumPy and Python held at most, but for the image and the result."""
    metadata = replace(METADATA, scale=2.0, overlap=0)
    tracemalloc.start()
    try:
        (result,) = enhance_images(enlarge, [image], metadata, (None, 3, None, None), **options)
        return tracemalloc.get_traced_memory()[1] - result.nbytes
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("tile", [32, 300])  # many in a batch; one
def test_memory_is_bounded_by_the_tile_not_by_the_image(tile):
    batch = 4 * 3 * max(tile, 256) ** 2
    # Two batches before and two after the network, which has 4 times the pixels, and one of each in the making;
    # seams of 16 pixels over the widest image; 150 bytes of Python objects for each of up to 4000 small tiles.
    limit = 3 * batch + 3 * 4 * batch + 4 * 3 * (2 * 16) * (2 * 2800) + 4000 * 150
    for height, width in ((700, 700), (2800, 700), (700, 2800)):
        assert peak_beyond_images(np.full((height, width, 3), 7, np.uint8), tile=tile) < limit
    # The limit is no wide one: the smallest of the three images is too large for it in one piece.
    assert peak_beyond_images(np.full((700, 700, 3), 7, np.uint8), tile=0) > 1.5 * limit


@pytest.mark.parametrize("tile", [8, 24, 40])
def test_batches_equal_single_tiles(double, tmp_path, tile):
    image = picture(100, 90, 4, dtype=np.uint16)
    proto = conv_stack(scale=2, shape=(1, "H", "W"))
    with load(save(proto, tmp_path / "single.onnx"), "cpu") as single:
        options = {"tile": tile, "overlap": 2}
        np.testing.assert_array_equal(double.enhance(image, ALPHA, **options), single.enhance(image, ALPHA, **options))


def test_small_tiles_run_as_batches_where_the_model_allows():
    def batches(shape, tile):
        lengths = []

        def run(x):
            lengths.append(len(x))
            return x

        image = picture(600, 600, 3)
        enhance_images(run, [image], METADATA, shape, tile=tile, overlap=0)
        return max(lengths)

    assert batches((None, 3, None, None), 64) == 16  # 256 x 256 pixels
    assert batches((None, 3, None, None), 200) == 1
    assert batches((1, 3, None, None), 64) == 1


def test_the_result_is_always_the_same(double):
    image = picture(300, 200, 3, dtype=np.uint16)
    results = [double.enhance(image, ALPHA, tile=48, overlap=0) for _ in range(10)]
    assert all(np.array_equal(result, results[0]) for result in results)


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
@pytest.mark.parametrize("source", ["run", "progress"])
@pytest.mark.parametrize(("tile", "at"), [(0, 1), (100, 1), (100, 5), (100, 9)])
def test_errors_come_out_as_they_are_and_end_everything(error, source, tile, at):
    threads = threading.active_count()
    ran, reported = [], []

    def count(calls, name):
        calls.append(name)
        if name == source and len(calls) == at:
            raise error(source)

    def run(x):
        count(ran, "run")
        return x

    def progress(done, total):
        assert total == (9 if tile else 1)
        count(reported, "progress")

    with pytest.raises(error, match=source):
        enhance_images(
            run, [picture(250, 250, 3)], METADATA, (1, 3, None, None), tile=tile, overlap=0, progress=progress
        )
    assert len(ran) == at
    assert threading.active_count() == threads


def test_nan_in_any_tile_ends_the_run():
    ran = []

    def run(x):
        ran.append(len(ran))
        if len(ran) == 3:
            x[0, 0, 50, 50] = np.nan
        return x

    with pytest.raises(ModelError, match="holds NaN"):
        enhance_images(run, [picture(700, 700, 3)], METADATA, (1, 3, None, None), tile=100, overlap=0)
    assert len(ran) == 4  # the one that ran while the third was written
