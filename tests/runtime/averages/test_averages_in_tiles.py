"""Networks that look at averages over the whole image: in tiles they make of it what they make of the whole."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import numpy.typing as npt
import onnx
import pytest
from enhanced import ALPHA
from hypothesis import given
from hypothesis import strategies as st
from onnx_models import FEATURES, GraphBuilder, conv_stack, finish, save
from with_averages import MANY, ONE, SEEING, STAGED, difference, gated, slope

from dni_runtime import InputError, Model, ModelError, load, pin
from dni_runtime.averages.network import Axis
from dni_runtime.averages.passes import spans
from dni_runtime.images.tiling import cut_axis


@pytest.mark.parametrize("kinds", [ONE, STAGED, MANY], ids=["one", "staged", "many"])
@pytest.mark.parametrize("size", [(96, 160), (70, 130)])
def test_tiles_make_what_the_whole_makes(tmp_path, kinds, size):
    image = slope(*size, 3)
    with load(save(gated(kinds), tmp_path / "gated.onnx"), "cpu") as model:
        whole, tiled = (model.enhance(image, ALPHA, tile=tile) for tile in (0, 48))
    silent = replace(SEEING, view=None)
    with load(save(gated(kinds, metadata=silent), tmp_path / "silent.onnx"), "cpu") as model:
        apart = model.enhance(image, ALPHA, tile=48)
    # Rounding in float32, and for many averages what the last pass would still have changed.
    assert difference(tiled, whole) <= 0.05
    assert difference(apart, whole) > 5


@given(
    tile=st.integers(8, 40),
    overlap=st.integers(0, 3),
    more=st.integers(0, 60),
    stride=st.sampled_from([Fraction(1, 2), Fraction(1), Fraction(2)]),
    base=st.integers(-2, 12),
)
def test_the_parts_of_all_tiles_cover_a_feature_map_once(tile, overlap, more, stride, base):
    cut = cut_axis(2 * (tile + more), 2 * tile, 2 * overlap, 2)
    axis = Axis(0, base, stride)
    length, covered = axis.length(2 * tile), np.zeros(axis.length(2 * (tile + more)), int)
    for start, (first, stop) in zip(cut.starts, spans(cut, axis), strict=True):
        assert 0 <= first < stop <= length
        covered[int(start / stride) + first : int(start / stride) + stop] += 1
    # A map that is smaller than its tile leaves a gap where tiles hardly overlap.
    assert covered.max() == 1
    assert base < 0 or covered.min() == 1


def test_on_openvino(tmp_path):
    pytest.importorskip("openvino")
    image = slope(70, 130, 3)
    with load(save(gated(STAGED), tmp_path / "gated.onnx"), "openvino") as model:
        assert difference(model.enhance(image, ALPHA, tile=48), model.enhance(image, ALPHA, tile=0)) <= 0.05


def test_a_default_of_alpha_is_no_constant(tmp_path):
    model = gated(STAGED, metadata=replace(SEEING, alpha_default=(0.3,)))
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.full(1, 0.3, np.float32), "alpha"))
    image = slope(70, 130, 3)
    with load(save(model, tmp_path / "default.onnx"), "cpu") as loaded:
        for alpha in (None, 0.9):
            tiled, whole = (loaded.enhance(image, alpha, tile=tile) for tile in (48, 0))
            assert difference(tiled, whole) <= 0.05


def test_a_network_that_takes_one_image_at_a_time(tmp_path):
    model = gated(STAGED, scale=2)
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1
    images = [slope(64, 120, 4), slope(64, 120, 3)[:, ::-1] // 3]
    with load(save(model, tmp_path / "single.onnx"), "cpu") as loaded:
        tiled, whole = (loaded.enhance_batch(images, ALPHA, tile=tile) for tile in (48, 0))
    for a, b in zip(tiled, whole, strict=True):
        assert difference(a, b) <= 0.05


@pytest.mark.parametrize("alpha", [0.0, 0.7, 1.0])
def test_every_alpha_has_its_own_averages(tmp_path, alpha):
    image = slope(64, 120, 3)
    with load(save(gated(STAGED), tmp_path / "gated.onnx"), "cpu") as model:
        assert difference(model.enhance(image, alpha, tile=48), model.enhance(image, alpha, tile=0)) <= 0.05
    with load(save(pin(gated(STAGED), alpha), tmp_path / "baked.onnx"), "cpu") as baked:
        assert difference(baked.enhance(image, tile=48), baked.enhance(image, tile=0)) <= 0.05


def test_every_sample_of_a_batch_has_its_own_averages(tmp_path):
    images = [slope(64, 120, 4), slope(64, 120, 3)[:, ::-1] // 3, slope(64, 120)]
    with load(save(gated(STAGED, scale=2), tmp_path / "gated.onnx"), "cpu") as model:
        tiled, whole = (model.enhance_batch(images, ALPHA, tile=tile) for tile in (48, 0))
        # Small tiles run several at a time.
        small = model.enhance(images[1], ALPHA, tile=36)
    for a, b in zip(tiled, whole, strict=True):
        assert difference(a, b) <= 0.05
    assert difference(small, whole[1]) <= 0.05


def test_each_level_of_a_map_has_its_own_averages(tmp_path):
    image = slope(64, 120, 3)
    strengths = np.zeros((64, 120), np.float32)
    strengths[:, 60:] = 1
    with load(save(gated(STAGED), tmp_path / "gated.onnx"), "cpu") as model:
        mixed = model.enhance(image, strengths, tile=48)
        low, high = (model.enhance(image, alpha, tile=0) for alpha in (0.0, 1.0))
    assert difference(mixed[:, :58], low[:, :58]) <= 0.05
    assert difference(mixed[:, 62:], high[:, 62:]) <= 0.05


def test_a_grey_network_takes_colours_one_by_one(tmp_path):
    image = slope(64, 120, 3) // np.array([1, 2, 4], np.uint16)
    with load(save(gated(STAGED, channels=1), tmp_path / "grey.onnx"), "cpu") as model:
        assert difference(model.enhance(image, ALPHA, tile=48), model.enhance(image, ALPHA, tile=0)) <= 0.05


def progress_of(model: Model, image: npt.NDArray[np.uint16], tile: int) -> list[tuple[int, int]]:
    calls: list[tuple[int, int]] = []
    model.enhance(image, ALPHA, tile=tile, progress=lambda done, total: calls.append((done, total)))
    return calls


def test_the_passes_are_told_and_end_where_nothing_changes(tmp_path):
    with load(save(gated(STAGED), tmp_path / "staged.onnx"), "cpu") as model:
        calls = progress_of(model, slope(64, 120, 3), 48)
        alone = progress_of(model, slope(64, 120, 3), 0)
    assert [done for done, _ in calls] == list(range(1, len(calls) + 1))
    tiles = len(calls) // (1 + len(STAGED))
    assert {total for _, total in calls} == {tiles * (1 + len(STAGED))}
    assert alone == [(1, 1)]
    with load(save(gated(MANY, gain=0.2), tmp_path / "many.onnx"), "cpu") as model:
        calls = progress_of(model, slope(64, 120, 3), 48)
    assert calls[-1] == (tiles * (1 + len(MANY)),) * 2
    assert len(calls) < len(MANY) * tiles


def test_a_note_says_what_tiles_do(tmp_path):
    with load(save(gated(), tmp_path / "gated.onnx"), "cpu") as model:
        assert model.plan(64, 120, tile=0).note is None
        assert model.plan(1000, 1000).note is None
        assert model.plan(2000, 1000).note == model.plan(64, 120, tile=48).note
        assert "share the averages over the whole image" in model.plan(64, 120, tile=48).note
        # What an image sees of itself beyond its ends counts.
        assert model.plan(1024, 1024).note is None
        assert model.plan(1024, 1024, wrap=True).note is not None
        with pytest.raises(InputError, match="tile is -1"):
            model.plan(64, 120, tile=-1)
    for view, expected in (("near", None), (None, None), ("whole", "looks at the whole image")):
        metadata = replace(SEEING, view=view)
        with load(save(gated(metadata=metadata), tmp_path / f"{view}.onnx"), "cpu") as model:
            note = model.plan(64, 120, tile=48).note
        assert note is None if expected is None else expected in note


def with_an_average_of_a_square() -> onnx.ModelProto:
    """Its feature map is of one size, whatever the image's is."""
    graph = GraphBuilder(0, None)
    x = graph.conv("input", "first", 3, FEATURES)
    graph.constant("ones", np.ones((1, 1, 4, 4), np.float32))
    graph.node("GlobalAveragePool", ["ones"], "average")
    graph.node("Mul", [x, "average"], "product")
    graph.node("Identity", [graph.conv("product", "last", FEATURES, 3)], "output")
    return finish(graph, 3, ("N", "H", "W"), SEEING, None)


def test_a_file_whose_averages_are_none_runs_in_tiles_as_ever(tmp_path):
    image = slope(64, 120, 3)
    models = {"square": with_an_average_of_a_square(), "none": conv_stack(metadata=SEEING)}
    for name, model in models.items():
        with load(save(model, tmp_path / f"{name}.onnx"), "cpu") as loaded:
            assert difference(loaded.enhance(image, ALPHA, tile=48), loaded.enhance(image, ALPHA, tile=0)) <= 0.05
            assert "looks at the whole image" in loaded.plan(64, 120, tile=48).note


def test_a_closed_model_and_a_changed_file(tmp_path):
    image, path = slope(64, 120, 3), save(gated(STAGED), tmp_path / "gated.onnx")
    with load(path, "cpu") as model:
        before = model.enhance(image, ALPHA, tile=48)
        save(gated(ONE), path)
        assert difference(model.enhance(image, ALPHA, tile=48), before) == 0
    with pytest.raises(ModelError, match=r"gated.onnx is closed; load it again"):
        model.enhance(image, ALPHA, tile=48)
    path = save(gated(STAGED), tmp_path / "other.onnx")
    with load(path, "cpu") as model:
        save(gated(ONE), path)
        with pytest.raises(ModelError, match="was changed or removed after it was loaded; load it again"):
            model.enhance(image, ALPHA, tile=48)
