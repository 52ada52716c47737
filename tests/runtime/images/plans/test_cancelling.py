"""An image is cancelled by what its `progress` raises."""

import gc
import threading
import weakref

import numpy as np
import pytest
from enhanced import ALPHA
from onnx_models import conv_stack, noise, picture, save
from with_averages import ONE, gated

from dni_runtime import load


class CancelledError(Exception):
    """Of a host's own."""


class Stop:
    """Raises one error at a step, and counts the steps."""

    def __init__(self, at: int) -> None:
        self.at, self.steps, self.error = at, 0, CancelledError("by its user")

    def __call__(self, done: int, total: int) -> None:
        self.steps += 1
        assert done == self.steps <= total
        if done == self.at:
            raise self.error


def assert_cancelled(model, image, alpha, at, **options):
    """The error arrives as it is, at once; nothing is left of the call; the model goes on."""
    expected = model.enhance(image, alpha, **options)
    threads, stop = threading.active_count(), Stop(at)
    own = image.copy()
    held = weakref.ref(own)
    with pytest.raises(CancelledError) as raised:
        model.enhance(own, alpha, **options, progress=stop)
    assert raised.value is stop.error
    assert stop.steps == at
    assert threading.active_count() == threads
    # The traceback holds the frames of the call, and they the image.
    stop.error.__traceback__ = None
    del raised, own
    gc.collect()
    assert held() is None
    np.testing.assert_array_equal(model.enhance(image, alpha, **options), expected)


@pytest.mark.parametrize(("tile", "at"), [(0, 1), (48, 1), (48, 3), (48, 12), (16, 5)])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_between_tiles(models, dtype, tile, at):
    image = noise(100, 150, 3) if dtype == np.float32 else picture(100, 150, 3)
    assert_cancelled(models["double"], image, ALPHA, at, tile=tile)


def test_between_tiles_of_several_strengths(models):
    strengths = np.linspace(0, 1, 150, dtype=np.float32)[None].repeat(100, 0)
    for at in (1, 4):
        assert_cancelled(models["double"], picture(100, 150, 4), strengths, at, tile=48)


@pytest.mark.parametrize("alpha", [ALPHA, np.tile(np.float32([0.2, 0.7]), (100, 75))], ids=["number", "map"])
def test_while_averages_are_measured_and_after(tmp_path, alpha):
    with load(save(gated(ONE), tmp_path / "gated.onnx"), "cpu") as model:
        tiles = model.plan(100, 150, tile=48).tiles
        for at in (1, tiles, tiles + 1, 2 * tiles):
            assert_cancelled(model, picture(100, 150, 3), alpha, at, tile=48)


@pytest.mark.parametrize("error", [KeyboardInterrupt, StopIteration, SystemExit])
def test_whatever_it_raises_comes_out_as_it_is(models, error):
    def progress(done, total):
        raise error("stop")

    for tile in (0, 48):
        with pytest.raises(error, match=r"^stop$"):
            models["rgb"].enhance(picture(100, 150, 3), ALPHA, tile=tile, progress=progress)


@pytest.mark.parametrize("provider", ["cpu", "openvino"])
def test_other_calls_of_the_model_go_on(tmp_path, provider):
    """Threads share a model: one that is cancelled disturbs no other."""
    image = picture(200, 150, 3)
    with load(save(conv_stack(scale=2), tmp_path / "model.onnx"), provider) as model:
        expected = model.enhance(image, ALPHA, tile=48)
        results = []

        def go_on():
            results.extend(model.enhance(image, ALPHA, tile=48) for _ in range(3))

        other = threading.Thread(target=go_on)
        other.start()
        while other.is_alive():
            with pytest.raises(CancelledError):
                model.enhance(image, 1 - ALPHA, tile=48, progress=Stop(3))
        other.join()
    assert len(results) == 3
    for result in results:
        np.testing.assert_array_equal(result, expected)
