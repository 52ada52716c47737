"""`Model.plan`: what `enhance` is going to do, told before."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from enhanced import ALPHA
from onnx_models import METADATA, noise, save
from with_averages import ONE, STAGED, gated, slope

from dni_runtime import InputError, load
from dni_runtime.images.enhance import enhance_images
from dni_runtime.images.plans.lay_out import lay_out
from dni_runtime.images.plans.make_plan import make_plan

CASES = [
    ("rgb", {}, (30, 40)),
    ("rgb", {"tile": 24}, (70, 50)),
    ("rgb", {"tile": 24, "wrap": True}, (70, 50)),
    ("rgb", {"tile": 300, "overlap": 9}, (310, 600)),
    ("double", {}, (1100, 1000)),
    ("half", {"tile": 40}, (75, 90)),
    ("unet", {}, (33, 30)),
    ("unet", {"tile": 48}, (99, 30)),
    ("fixed", {}, (30, 40)),
    ("fixed", {}, (90, 100)),
    ("silent", {"tile": 32}, (70, 50)),
]


@pytest.mark.parametrize(("name", "options", "size"), CASES)
def test_is_what_enhance_does(models, name, options, size, monkeypatch):
    model = models[name]
    plan = model.plan(*size, **options)
    seen, steps = [], []
    run = model._running.run
    monkeypatch.setattr(model._running, "run", lambda x, alpha: seen.append(x) or run(x, alpha))
    # Where a tile lies is told by the image's own values, its rows and columns; 0 where the network is given grey.
    rows, columns = np.mgrid[: size[0], : size[1]].astype(np.float32) / 2**11
    result = model.enhance(
        np.stack([rows, columns, rows], 2), ALPHA, **options, progress=lambda *step: steps.append(step)
    )
    assert (plan.height, plan.width) == result.shape[:2]
    assert steps == [(done + 1, plan.steps) for done in range(plan.steps)]
    tiles = [x[i] for x in seen for i in range(len(x))]
    assert {tile.shape[1:] for tile in tiles} == {(plan.tile_height, plan.tile_width)}
    assert plan.tiles == plan.steps == len(tiles) == len(plan.rows) * len(plan.columns)
    corners = [tuple(np.rint(tile[:2, 0, 0] * 2**11).astype(int)) for tile in tiles]
    expected = [(row, column) for row in plan.rows for column in plan.columns]
    if options.get("wrap"):
        assert plan.rows[0] == plan.columns[0] < 0
        expected = [(row % size[0], column % size[1]) for row, column in expected]
    assert corners == expected
    if plan.tiles == 1:
        assert plan.overlap == (0, 0)
    elif not options.get("wrap"):
        assert plan.rows[-1] + plan.tile_height >= size[0]
        assert plan.columns[-1] + plan.tile_width >= size[1]
        assert plan.overlap[len(plan.rows) == 1] == options.get("overlap", plan.overlap[len(plan.rows) == 1]) > 0


@pytest.mark.parametrize(("kinds", "passes"), [(ONE, 1), (STAGED, 3)])
def test_passes_that_measure_averages_are_steps(tmp_path, kinds, passes):
    steps = []
    with load(save(gated(kinds), tmp_path / "gated.onnx"), "cpu") as model:
        plan = model.plan(100, 120, tile=48)
        model.enhance(slope(100, 120, 3), ALPHA, tile=48, progress=lambda done, total: steps.append(total))
        assert model.plan(100, 120, tile=0).steps == 1
    assert plan.steps == plan.tiles * (1 + passes)
    assert set(steps) == {plan.steps}
    assert len(steps) <= plan.steps


def peak_bytes(image, shape, **options):
    """What NumPy held at most, but for the image and the result, with a network that needs nothing itself."""
    metadata = replace(METADATA, scale=2.0, overlap=8)

    def enlarge(x):
        y = np.empty((*x.shape[:2], 2 * x.shape[2], 2 * x.shape[3]), np.float32)
        y[:] = 0.5
        return y

    tracemalloc.start()
    try:
        (result,) = enhance_images(enlarge, [image], metadata, shape, **options)
        return tracemalloc.get_traced_memory()[1] - result.nbytes
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("shape", [(None, 3, None, None), (1, 3, None, None)])
@pytest.mark.parametrize(
    ("size", "tile"), [((300, 400), 0), ((1500, 300), 300), ((700, 1900), 256), ((600, 1200), 64), ((100, 100), 64)]
)
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_buffers_are_as_large_as_it_says(size, tile, shape, dtype):
    metadata = replace(METADATA, scale=2.0, overlap=8)
    image = (noise(*size, 3) * 255).astype(np.uint8)
    image = image if dtype == np.uint8 else (image / 255).astype(np.float32)
    layout = lay_out(*size, metadata, shape, tile=tile)
    plan = make_plan(*size, layout, metadata, shape, averages=None)
    peak = peak_bytes(image, shape, tile=tile)
    # Beside the buffers: Python's objects for tiles, and the like. An image that is not cut is let go before the result
    # is made, so a part of the buffers is not there at the same time.
    assert 0.75 * plan.buffer_bytes <= peak <= plan.buffer_bytes + 200_000 + 1000 * plan.tiles


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("no scale", "gives no scale"),
        ("many", "the network takes 5 channels, no grey or RGB image"),
        ("pairs", "the model takes batches of 2 only"),
    ],
)
def test_a_network_that_enhances_no_image_has_none(models, name, message):
    with pytest.raises(InputError, match=message):
        models[name].plan(30, 40)


def test_unfit_sizes_and_options(models):
    with pytest.raises(InputError, match="the image is 0x40 pixels; expected at least one pixel"):
        models["rgb"].plan(0, 40)
    with pytest.raises(InputError, match="tile is -1; expected 0 or more"):
        models["rgb"].plan(30, 40, tile=-1)
