"""provider="fastest" with a model that has a form for ncnn: it takes part, wins, and takes no size that it has not."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import ncnn_forms
import pytest
from alpha_policies import ALPHAS, X, assert_same, reference
from onnx_models import METADATA, conv_stack, noise, save

from dni_runtime import load
from dni_runtime.fastest import deciding
from dni_runtime.fastest.race import Times
from dni_runtime.metadata import AVERAGES
from dni_runtime.ncnn.form import Form

SECONDS = {"cpu": 0.03, "openvino": 0.02, "ncnn": 0.01}


@pytest.fixture(autouse=True)
def races(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Who took part; ncnn wins all of them."""
    found: list[list[str]] = []

    def race(ways: Mapping[str, Callable[[], object]]) -> Times:
        for run in ways.values():
            run()
        found.append([*ways])
        return Times({name: SECONDS[name] for name in ways}, calm=True)

    monkeypatch.setenv("DNI_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(deciding, "race", race)
    return found


def test_the_graphs_answers(tmp_path: Path, races: list[list[str]]):
    path = save(ncnn_forms.with_form(), tmp_path / "model.onnx")
    with load(path, "fastest") as model:
        for alpha in (*ALPHAS, *ALPHAS[::-1]):
            assert_same(model(X, alpha), reference(conv_stack(), alpha))
        assert "ncnn (10.0 ms; " in model.alpha_note
        assert set(model._runner._engines._runners) == {"ncnn"}  # type: ignore[union-attr]
    assert {"cpu", "ncnn"} <= set(races[0])


def test_a_size_without_a_graph_is_run_by_another(
    tmp_path: Path, races: list[list[str]], monkeypatch: pytest.MonkeyPatch
):
    graph_for = Form.graph_for
    monkeypatch.setattr(Form, "graph_for", lambda form, h, w: None if h % 2 or w % 2 else graph_for(form, h, w))
    path, odd = save(ncnn_forms.with_form(), tmp_path / "model.onnx"), noise(2, 3, 17, 23)
    with load(path, "fastest") as model:
        for x in (X, odd, X, odd):
            assert_same(model(x, 0.3), reference(conv_stack(), 0.3, x))
        assert "not ncnn: it takes no images of 17x23" in model.alpha_note
    assert ["ncnn" in names for names in races] == [True, True, False, False]


def test_averages_over_an_image_in_tiles_are_onnx_runtimes(tmp_path: Path, races: list[list[str]]):
    proto = ncnn_forms.with_form(conv_stack(metadata=replace(METADATA, view=AVERAGES)))
    path, told = save(proto, tmp_path / "model.onnx"), "images in tiles are run by ONNX Runtime"
    for provider, there in (("fastest", True), ("ncnn", True), ("cpu", False)):
        with load(path, provider) as model:
            assert (told in model.provider_note) == there
    with load(path, "fastest") as model:
        assert (
            model.alpha_note == "each size of image runs on the engine that is found to be fastest with its first image"
        )
