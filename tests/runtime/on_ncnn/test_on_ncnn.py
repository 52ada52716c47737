"""Models in ncnn: the graph's own answers for every alpha, in threads, and after the model is gone."""

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import ncnn_forms
import numpy as np
import onnx
import pytest
from alpha_policies import ALPHAS, X, assert_same, reference
from onnx_models import METADATA, conv_stack, noise, picture, save, save_ort

from dni_runtime import InputError, ModelError, ProviderError, load, pin
from dni_runtime.ncnn.form import Form
from dni_runtime.ncnn.net import Pools
from dni_runtime.ncnn.nets import Nets
from dni_runtime.ncnn.weights import prepare_form
from dni_runtime.providers import choosing
from dni_runtime.sizes import Sizes

SIZES = [(16, 24), (5, 7), (33, 18)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return save(ncnn_forms.with_form(), tmp_path / "model.onnx")


@pytest.mark.parametrize("policy", ["auto", "dynamic", "pinned"])
def test_the_graphs_answers(path: Path, policy: str):
    with load(path, "ncnn", alpha_policy=policy) as model:
        assert model.provider == "ncnn"
        assert "ncnn's order" in model.alpha_note
        for height, width in SIZES:
            x = noise(2, 3, height, width)
            for alpha in (*ALPHAS, *ALPHAS[::-1]):
                assert_same(model(x, alpha), reference(conv_stack(), alpha, x))


@pytest.mark.parametrize("threads", [1, 3])
def test_threads_with_alphas_of_their_own(path: Path, threads: int):
    wanted = {alpha: reference(conv_stack(), alpha) for alpha in ALPHAS}
    failures: list[BaseException] = []
    with load(path, "ncnn", threads=threads, pin_cache_mib=0) as model:

        def ask(first: int) -> None:
            try:
                for turn in range(20):
                    alpha = ALPHAS[(first + turn) % len(ALPHAS)]
                    assert_same(model(X, alpha), wanted[alpha])
            except BaseException as error:
                failures.append(error)

        asking = [threading.Thread(target=ask, args=[n]) for n in range(4)]
        for thread in asking:
            thread.start()
        for thread in asking:
            thread.join()
    assert failures == []


def test_results_outlive_the_model_and_images_stay_as_they_are(path: Path):
    x = X.copy()
    with load(path, "ncnn") as model:
        kept = [model(x, alpha) for alpha in ALPHAS]
    del model
    assert np.array_equal(x, X)
    for alpha, y in zip(ALPHAS, kept, strict=True):
        assert_same(y, reference(conv_stack(), alpha))
        y += 1  # it is the caller's


def test_a_layer_that_works_in_place_leaves_the_image_alone(tmp_path: Path):
    """ncnn clips what it is given: a caller's own array, were it not copied."""
    graph = onnx.helper.make_node("Relu", ["input"], ["clipped"])
    model = conv_stack()
    model.graph.node.insert(0, graph)
    convolution = next(node for node in model.graph.node if node.op_type == "Conv")
    convolution.input[0] = "clipped"
    text = (
        ncnn_forms.stack()
        .replace("3 3\n", "4 4\n", 1)
        .replace("Convolution  convrelu 1 1 in0 1", "ReLU relu 1 1 in0 0\nConvolution  convrelu 1 1 0 1")
    )
    path = save(ncnn_forms.with_form(model, ncnn_forms.form({(0, 0): text})), tmp_path / "model.onnx")
    x = noise(1, 3, 8, 8) - 0.5
    before = x.copy()
    with load(path, "ncnn") as loaded:
        assert_same(loaded(x, 0.3), reference(model, 0.3, x))
    assert np.array_equal(x, before)


def test_weights_beside_the_model_and_folders(tmp_path: Path):
    path = save(ncnn_forms.with_form(), tmp_path / "model.onnx", external=True)
    with load(path, "ncnn") as model:
        assert_same(model(X, 0.31), reference(conv_stack(), 0.31))


def test_a_baked_model(tmp_path: Path):
    path = save(ncnn_forms.with_form(conv_stack(alpha=0.3)), tmp_path / "model.onnx")
    with load(path, "ncnn") as model:
        assert_same(model(X), reference(conv_stack(), 0.3))
        assert model.alpha_note == "the model has no alpha input"


def test_a_pinned_model_has_no_form_that_is_not_its_own(tmp_path: Path):
    path = save(pin(ncnn_forms.with_form(), 0.3), tmp_path / "model.onnx")
    with pytest.raises(ModelError, match="has no form for ncnn; export it with --ncnn-form"):
        load(path, "ncnn")
    with load(path, "cpu") as model:
        assert_same(model(X), reference(conv_stack(), 0.3))


def test_whole_images(path: Path):
    photo = picture(40, 61, 3)
    with load(path, "ncnn") as ours, load(path, "cpu") as plain:
        got, wanted = (model.enhance(photo, 0.4, tile=32).astype(int) for model in (ours, plain))
    assert np.abs(got - wanted).max() <= 1


def test_sizes_that_a_form_is_not_for(tmp_path: Path):
    given = ncnn_forms.form({(0, 0): ncnn_forms.stack()}, period=4)
    path = save(ncnn_forms.with_form(given=given), tmp_path / "model.onnx")
    with load(path, "ncnn") as model:
        assert_same(model(X, 0.5), reference(conv_stack(), 0.5))
        with pytest.raises(
            InputError,
            match=r"height and width 16x22; .* for heights and widths that are multiples of 4\. Pad x, use enhance",
        ):
            model(noise(1, 3, 16, 22), 0.5)


@pytest.mark.parametrize(("size", "tile"), [((16, 22), None), ((1, 3), None), ((61, 70), 32)])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_images_of_other_sizes_are_padded(tmp_path: Path, size: tuple[int, int], tile: int | None, dtype: type):
    """As those of a network that takes such sizes alone are, whatever runs it."""
    given = ncnn_forms.form({(0, 0): ncnn_forms.stack()}, period=4)
    path = save(ncnn_forms.with_form(given=given), tmp_path / "model.onnx")
    photo = picture(*size, 3)
    photo = photo if dtype == np.uint8 else (photo / 255).astype(np.float32)
    fours = save(conv_stack(metadata=replace(METADATA, size_multiple=4)), tmp_path / "fours.onnx")
    with load(path, "ncnn") as ours, load(fours, "cpu") as plain:
        assert ours.plan(*size, tile=tile) == plain.plan(*size, tile=tile)
        assert ours.metadata.size_multiple == 1
        got, wanted = (model.enhance(photo, 0.4, tile=tile).astype(float) for model in (ours, plain))
    np.testing.assert_allclose(got, wanted, atol=1 if dtype == np.uint8 else 1e-5)


@pytest.mark.parametrize(
    ("sizes", "period", "graphs", "multiple"),
    [
        (Sizes(), 1, [(0, 0)], 1),
        (Sizes(), 4, [(0, 0)], 4),
        (Sizes(), 2, [(0, 0), (0, 1), (1, 0), (1, 1)], 1),
        (Sizes(), 2, [(0, 0), (1, 1)], 2),
        (Sizes(square=True), 2, [(0, 0), (1, 1)], 1),
        (Sizes(multiple=4), 4, [(0, 0)], 1),
        (Sizes(multiple=2), 4, [(0, 0), (0, 2), (2, 0), (2, 2)], 1),
        (Sizes(multiple=2), 8, [(0, 0), (2, 2)], 8),
        (Sizes(), 4, [(1, 1)], 1),
    ],
)
def test_what_a_form_has_no_graph_for_is_padded(sizes, period, graphs, multiple):
    text = ncnn_forms.stack()
    assert ncnn_forms.form(dict.fromkeys(graphs, text), period=period).multiple_for(sizes) == multiple


def test_nets_are_kept_while_there_is_room(tmp_path: Path):
    """An alpha that moves for good takes the place of the one before; one that comes back stays."""
    given = ncnn_forms.form()
    model = conv_stack()
    prepared = prepare_form(model, tmp_path, given)
    nets = Nets(given, ncnn_forms.stack(), prepared, pools=Pools(), threads=1, limit_bytes=2**20)
    first = nets.get((0.25,))
    assert nets.get((0.25,)) is first
    for alpha in (0.1, 0.2, 0.3):
        nets.get((alpha,))
    again = nets.get((0.25,))
    assert again is not first  # it was on trial, and others came
    for alpha in (0.4, 0.6):
        nets.get((alpha,))
    assert nets.get((0.25,)) is again
    tight = Nets(given, ncnn_forms.stack(), prepared, pools=Pools(), threads=1, limit_bytes=0)
    for alpha in (0.1, 0.2, 0.1, 0.2, 0.1):
        last = tight.get((alpha,))
    assert tight.get((0.1,)) is last
    assert tight.get((0.2,)) is not last


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda form: replace(form, parts=(replace(form.parts[0], start=1), *form.parts[1:])), "takes more of 'first"),
        (lambda form: replace(form, parts=(replace(form.parts[0], weight="no"), *form.parts[1:])), "a value 'no'"),
        (
            lambda form: replace(form, parts=(replace(form.parts[0], steps=((3, 1), (72, 3))), *form.parts[1:])),
            r"off by \d",
        ),
        (lambda form: replace(form, graphs={(0, 0): ncnn_forms.stack(first=ncnn_forms.FIRST[:-1] + "0")}), "off by"),
    ],
)
def test_a_form_that_is_not_the_models(change: Callable[[Form], Form], message: str, tmp_path: Path):
    path = save(ncnn_forms.with_form(given=change(ncnn_forms.form())), tmp_path / "model.onnx")
    with pytest.raises(ModelError, match=f"{message}.*; export the model again, or run it with another provider"):
        load(path, "ncnn")
    with load(path, "cpu") as model:  # nobody else looks at it
        assert_same(model(X, 0.3), reference(conv_stack(), 0.3))


def test_models_without_a_form(tmp_path: Path):
    for path in (save(conv_stack(), tmp_path / "m.onnx"), save_ort(conv_stack(), tmp_path / "m.ort")):
        with pytest.raises(ModelError, match="has no form for ncnn; export it with --ncnn-form, or run it"):
            load(path, "ncnn")


def test_options_are_refused(path: Path):
    with pytest.raises(InputError, match="ncnn takes none: leave them out"):
        load(path, "ncnn", provider_options={"use_fp16": "1"})


def test_where_ncnn_is_not_installed(path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(choosing, "find_spec", lambda name: None)
    with pytest.raises(ProviderError, match=r'ncnn is not available: .* pip install "dni-deploy\[ncnn\]"'):
        load(path, "ncnn")


def test_of_a_model_with_fixed_sizes(tmp_path: Path):
    model = conv_stack(shape=(1, 16, 24))
    path = save(ncnn_forms.with_form(model), tmp_path / "model.onnx")
    with load(path, "ncnn") as loaded:
        assert_same(loaded(X[:1], 0.3), reference(model, 0.3, X[:1]))
        with pytest.raises(InputError, match="the model takes 16 only"):
            loaded(noise(1, 3, 18, 24), 0.3)
