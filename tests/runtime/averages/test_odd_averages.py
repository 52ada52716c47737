"""Networks with averages of unusual maps: shared between tiles where that is exact, else left as they are."""

import gc
import threading
import weakref
from collections.abc import Callable

import numpy as np
import pytest
from enhanced import ALPHA
from onnx_models import FEATURES, GraphBuilder, finish, save
from with_averages import ONE, SEEING, STAGED, difference, gated, slope

from dni_runtime import ModelError, load

Body = Callable[[GraphBuilder, str], str]


def network(body: Body):
    """A convolution, what `body` makes of it, and another convolution; of any size of image."""
    graph = GraphBuilder(0, None)
    x = body(graph, graph.conv("input", "first", 3, FEATURES))
    graph.node("Identity", [graph.conv(x, "last", FEATURES, 3)], "output")
    return finish(graph, 3, ("N", "H", "W"), SEEING, None)


def times_average(graph: GraphBuilder, x: str, of: str) -> str:
    graph.node("GlobalAveragePool", [of], f"{of}.average")
    graph.constant(f"{of}.gain", np.full(1, 1.5, np.float32))
    return graph.node("Mul", [x, graph.node("Mul", [f"{of}.average", f"{of}.gain"], f"{of}.louder")], f"{of}.times")


def of_every_second(graph: GraphBuilder, x: str) -> str:
    return times_average(graph, x, graph.conv(x, "coarse", FEATURES, FEATURES, stride=2))


def of_every_third(graph: GraphBuilder, x: str) -> str:
    return times_average(graph, x, graph.conv(x, "coarse", FEATURES, FEATURES, stride=3))


def by_half(graph: GraphBuilder, x: str) -> str:
    """Half the size and back, so that a tile's pixels depend on whether it begins at an even one."""
    half = graph.conv(x, "half", FEATURES, FEATURES, stride=2)
    graph.node("ConvTranspose", [half, graph.weight("up", (FEATURES, FEATURES, 2, 2))], "doubled", strides=[2, 2])
    graph.node("Shape", [x], "end", start=2)
    graph.constant("begin", np.array([0, 0]))
    graph.constant("sides", np.array([2, 3]))
    return times_average(graph, graph.node("Slice", ["doubled", "begin", "end", "sides"], "cropped"), half)


def normalized(graph: GraphBuilder, x: str) -> str:
    """By mean and variance, an average of squares of what an average was taken from; twice."""
    graph.constant("axes", np.array([2, 3]))
    graph.constant("epsilon", np.full(1, 1e-5, np.float32))
    for name in "ab":
        graph.node("ReduceMean", [x, "axes"], f"{name}.mean")
        graph.node("Sub", [x, f"{name}.mean"], f"{name}.centred")
        graph.node("Mul", [f"{name}.centred", f"{name}.centred"], f"{name}.squares")
        graph.node("ReduceMean", [f"{name}.squares", "axes"], f"{name}.variance")
        graph.node("Add", [f"{name}.variance", "epsilon"], f"{name}.more")
        graph.node("Sqrt", [f"{name}.more"], f"{name}.deviation")
        x = graph.conv(graph.node("Div", [f"{name}.centred", f"{name}.deviation"], f"{name}.normal"), name, 8, 8)
    return x


def of_weights(graph: GraphBuilder, x: str) -> str:
    """Weights without their mean, over all that an output channel sees."""
    weight = graph.weight("raw", (FEATURES, FEATURES, 3, 3))
    graph.constant("but_first", np.array([1, 2, 3]))
    graph.node("ReduceMean", [weight, "but_first"], "of_weights")
    graph.node("Sub", [weight, "of_weights"], "standard")
    return times_average(graph, x, graph.node("Conv", [x, "standard"], "second", pads=[1, 1, 1, 1]))


@pytest.mark.parametrize("body", [of_every_second, of_every_third, by_half, normalized, of_weights])
@pytest.mark.parametrize("size", [(96, 160), (71, 131)])
def test_sizes_that_are_no_multiple_of_a_feature_map(tmp_path, body, size):
    image = slope(*size, 3)
    with load(save(network(body), tmp_path / "odd.onnx"), "cpu") as model:
        tiled, whole = (model.enhance(image, ALPHA, tile=tile) for tile in (48, 0))
        assert "share the averages" in model.plan(*size, tile=48).note
    assert difference(tiled, whole) <= 0.05


def turned(graph: GraphBuilder, x: str) -> str:
    return times_average(graph, x, graph.node("Transpose", [x], "turned", perm=[0, 1, 3, 2]))


def folded(graph: GraphBuilder, x: str) -> str:
    """Every channel is a sample of its own."""
    graph.node("Shape", [x], "shape")
    graph.node("Shape", [x], "sides", start=2)
    graph.constant("each", np.array([-1, 1]))
    graph.node("Concat", ["each", "sides"], "apart", axis=0)
    graph.node("Reshape", [x, "apart"], "folded")
    return graph.node("Reshape", [times_average(graph, "folded", "folded"), "shape"], "unfolded")


def of_no_sample(graph: GraphBuilder, x: str) -> str:
    graph.node("Shape", [x], "sides", start=2)
    graph.constant("one_each", np.array([1, 1]))
    graph.node("Concat", ["one_each", "sides"], "plane", axis=0)
    graph.node("ConstantOfShape", ["plane"], "zeros")
    return graph.node("Add", [times_average(graph, x, x), times_average(graph, "zeros", "zeros")], "both")


def of_every_fifth(graph: GraphBuilder, x: str) -> str:
    return times_average(graph, x, graph.conv(x, "coarse", FEATURES, FEATURES, stride=5))


def over_the_batch(graph: GraphBuilder, x: str) -> str:
    graph.node("ReduceMean", [x], "of_all")
    return graph.node("Mul", [times_average(graph, x, x), "of_all"], "by_all")


@pytest.mark.parametrize("body", [turned, folded, of_no_sample, of_every_fifth, over_the_batch])
def test_maps_that_tiles_have_no_part_of_leave_tiles_as_they_are(tmp_path, body):
    images = [slope(71, 131, 3), slope(71, 131, 3, seed=1) // 2]
    model = network(body)
    with load(save(model, tmp_path / "seeing.onnx"), "cpu") as seeing:
        results = seeing.enhance_batch(images, ALPHA, tile=48)
        assert "looks at the whole image" in seeing.plan(71, 131, tile=48).note
    for entry in model.metadata_props:
        entry.value = entry.value.replace('"averages"', '"near"')
    with load(save(model, tmp_path / "near.onnx"), "cpu") as near:
        expected = near.enhance_batch(images, ALPHA, tile=48)
    for a, b in zip(results, expected, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("wrap", [False, True])
def test_a_map_of_many_alphas(tmp_path, wrap):
    images = [slope(64, 120, 4), slope(64, 120)]
    strengths = np.linspace(0, 1, 120, dtype=np.float32)[None].repeat(64, 0)
    with load(save(gated(STAGED, scale=2), tmp_path / "gated.onnx"), "cpu") as model:
        tiled, whole = (model.enhance_batch(images, strengths, tile=tile, levels=3, wrap=wrap) for tile in (48, 0))
    for a, b in zip(tiled, whole, strict=True):
        assert difference(a, b) <= 0.05


def test_threads_share_a_model_while_alpha_moves(tmp_path):
    images = [slope(64, 120, 3, seed=seed) // (seed + 1) for seed in range(4)]
    results = {}
    with load(save(gated(STAGED), tmp_path / "gated.onnx"), "cpu", threads=1) as model:

        def work(index: int) -> None:
            results[index] = [model.enhance(images[index], alpha, tile=48) for alpha in (index / 4, 1 - index / 4)]

        threads = [threading.Thread(target=work, args=(index,)) for index in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for index, image in enumerate(images):
            for alpha, result in zip((index / 4, 1 - index / 4), results[index], strict=True):
                assert difference(result, model.enhance(image, alpha, tile=0)) <= 0.05


@pytest.mark.parametrize("kinds", [ONE, STAGED])
def test_a_model_that_is_closed_while_it_is_measured_ends_there_and_holds_nothing(tmp_path, kinds):
    model = load(save(gated(kinds), tmp_path / "gated.onnx"), "cpu")
    networks = []

    def close(done: int, total: int) -> None:
        if done == 2:
            networks.append(weakref.ref(model._running._open_averages()))
            model.close()

    with pytest.raises(ModelError, match=r"gated\.onnx is closed; load it again"):
        model.enhance(slope(64, 120, 3), ALPHA, tile=48, progress=close)
    gc.collect()
    assert networks[0]() is None


def test_values_beyond_all_measure_are_an_error_and_no_warning(tmp_path):
    image = np.ones((60, 60, 3), np.float32)
    with load(save(gated(STAGED, gain=3e38), tmp_path / "gated.onnx"), "cpu") as model:
        for tile in (0, 48):
            with pytest.raises(ModelError, match="the network's output holds NaN"):
                model.enhance(image, ALPHA, tile=tile)
