"""Files of other tools, which say nothing: what sizes they take is found by running them."""

from collections.abc import Callable

import numpy as np
import pytest
from enhanced import ALPHA, assert_same_picture
from onnx_models import conv_stack, picture, save, unet

from dni_runtime import ModelError, load
from dni_runtime.images.learn_sizes import learn_sizes
from dni_runtime.sizes import Sizes


def network(takes: Callable[[int], bool], makes: Callable[[int], int]) -> tuple[Callable, list[tuple[int, ...]]]:
    """A network that takes sides that `takes` says, and gives back sides that `makes` says; and what it was given."""
    given: list[tuple[int, ...]] = []

    def run(x):
        given.append(x.shape)
        if not all(map(takes, x.shape[2:])):
            raise ModelError(f"no {x.shape[2]}x{x.shape[3]}")
        return np.zeros((*x.shape[:2], *map(makes, x.shape[2:])), np.float32)

    return run, given


FREE = (None, 3, None, None)


@pytest.mark.parametrize("multiple", [1, 2, 4, 8, 16, 32, 64, 128, 256, 512])
@pytest.mark.parametrize("scale", [1, 2, 0.5])
def test_the_multiple_is_the_smallest_that_the_network_takes(multiple, scale):
    run, given = network(lambda side: side % multiple == 0, lambda side: int(side * scale))
    expected = max(multiple, 2) if scale == 0.5 else multiple
    assert learn_sizes(run, FREE) == (scale, Sizes(expected))
    assert len(given) == expected.bit_length()


def test_a_network_that_gives_less_than_it_takes_needs_a_multiple():
    run, _ = network(lambda side: True, lambda side: side // 8 * 8)
    assert learn_sizes(run, FREE) == (1.0, Sizes(8))


def test_one_that_cuts_its_edges_off_has_no_scale():
    run, _ = network(lambda side: side % 4 == 0, lambda side: side - 4)
    assert learn_sizes(run, FREE) == (None, Sizes(4))


@pytest.mark.parametrize("multiple", [1, 16, 128])
def test_one_that_takes_no_image_but_a_square_one(multiple):
    def run(x):
        if x.shape[2] != x.shape[3] or x.shape[2] % multiple:
            raise ModelError("no square")
        return x.repeat(2, 2).repeat(2, 3)

    assert learn_sizes(run, FREE) == (2.0, Sizes(multiple, square=True))


def test_fixed_sizes_are_run_once_as_they_are():
    run, given = network(lambda side: side in (48, 80), lambda side: 2 * side)
    assert learn_sizes(run, (2, 1, 48, 80)) == (2.0, Sizes())
    assert given == [(2, 1, 48, 80)]


def test_one_that_takes_none_says_what_it_said_of_the_first():
    run, _ = network(lambda side: False, lambda side: side)
    with pytest.raises(ModelError, match="no 65x67"):
        learn_sizes(run, FREE)


def test_an_image_of_any_size_runs_on_another_tools_unet(tmp_path):
    silent = unet()
    del silent.metadata_props[:]
    image = picture(43, 50, 3)
    with (
        load(save(silent, tmp_path / "silent.onnx"), "cpu") as model,
        load(save(unet(), tmp_path / "u.onnx"), "cpu") as ours,
    ):
        assert_same_picture(model.enhance(image, ALPHA), ours.enhance(image, ALPHA))
        assert (model.metadata.scale, model.metadata.size_multiple) == (1.0, 4)
        assert model.enhance(picture(200, 90, 3), ALPHA, tile=96).shape == (200, 90, 3)


def test_half_size_of_an_odd_image(tmp_path):
    with load(save(conv_stack(scale=0.5, metadata=None), tmp_path / "half.onnx"), "cpu") as model:
        assert model.enhance(picture(21, 30, 3), ALPHA).shape == (11, 15, 3)
