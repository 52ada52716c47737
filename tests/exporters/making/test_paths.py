"""Models whose alpha is a place on a curve or path equal PyTorch at knots, beside them and between, in every form."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from endpoint_files import EndpointFiles
from exporting import FloatArray, assert_close, expected, initializers, photo, run, session
from networks import Weights, pair
from safetensors.torch import load_file

import dni_runtime
from dni_exporters import ExportReport, blend, export, write_blend
from dni_exporters.checking.tolerance import tolerance_of
from dni_runtime.alpha import append_planes
from dni_runtime.shares import Path as AlphaPath

IMAGE = photo(1, 3, 20, 26)


class Files(EndpointFiles):
    """Four endpoints as files, A to D, and what PyTorch makes of them on a path."""

    def expected(self, order: str, path: AlphaPath, alpha: float, image: FloatArray = IMAGE) -> FloatArray:
        """Bernstein polynomials as anyone would write them, on purpose without the exporter's code."""
        states = [self.states["abcd".index(letter)] for letter in order]
        return expected(self.network, on_path(states, path, alpha), image)


def on_path(states: list[Weights], path: AlphaPath, alpha: float) -> Weights:
    start = 0
    for i, middles in enumerate(path.middles):
        upper, lower = path.knots[i], path.knots[i + 1]
        t = (alpha - lower) / (upper - lower)
        if -1e-6 <= t <= 1 + 1e-6:
            points = states[start : start + middles + 2]
            while len(points) > 1:  # de Casteljau
                points = [{k: t * p[k] + (1 - t) * q[k] for k in p} for p, q in pairwise(points)]
            return points[0]
        start += 1 + middles
    raise AssertionError(alpha)


def places(path: AlphaPath) -> list[float]:
    """Knots, the float32 next to them, and what lies between."""
    found = []
    low, high = path.range
    for knot in np.array(path.knots, np.float32):
        found += [float(np.nextafter(knot, np.float32(x))) for x in (low, high)] + [float(knot)]
    found += [b + part * (a - b) for a, b in pairwise(path.knots) for part in (0.9, 0.31)]
    return [place for place in found if low <= place <= high]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return Files(tmp_path_factory.mktemp("paths"), 4)


WAYS = [
    ("acb", {"through": "c", "curve": True}, AlphaPath((1.0, 0.0), (1,))),
    ("acdb", {"through": "cd", "curve": True, "at": (75, 15)}, AlphaPath((75.0, 15.0), (2,))),
    ("abcd", {"path": True, "at": (0, 0.3, 1, 1.7)}, AlphaPath((0.0, 0.3, 1.0, 1.7), (0, 0, 0))),
]


def exported(files: Files, order: str, asked: dict[str, Any], output: Path, **more: Any) -> ExportReport:
    keywords = {**asked, "through": [files.paths["abcd".index(c)] for c in asked.get("through", "")]}
    knots = [files.paths["abcd".index(c)] for c in sorted(set(order) - set(asked.get("through", "")))]
    return export(knots, output, arch=files.network, verdict=False, **keywords, **more)


NOTES = {
    "auto": "weights are blended in ONNX Runtime's own layout when alpha changes",
    "pinned": "alpha is pinned for every call, the first one with a new alpha waits",
}


@pytest.mark.parametrize(("order", "asked", "path"), WAYS, ids=[way[0] for way in WAYS])
def test_a_model_equals_pytorch_along_its_path(tmp_path: Path, files: Files, order, asked, path):
    report = exported(files, order, asked, tmp_path / "m.onnx", alpha_input=True)
    assert report.path == path
    assert [name[0] for name in report.endpoints] == [*order]
    plain = session(tmp_path / "m.onnx")
    for alpha in places(path):
        (got,) = plain.run(["output"], {"input": IMAGE, "alpha": np.array([alpha], np.float32)})
        assert_close(got, files.expected(order, path, alpha))
    for policy, note in NOTES.items():
        with dni_runtime.load(tmp_path / "m.onnx", "cpu", alpha_policy=policy) as model:
            assert (model.metadata.alpha_path, model.metadata.alpha_range) == (path, path.range)
            assert model.alpha_note == note
            for alpha in places(path):
                assert_close(model(IMAGE, alpha), files.expected(order, path, alpha))


def test_at_a_knot_the_weights_are_the_endpoints_own(tmp_path: Path, files: Files):
    order, asked, path = WAYS[2]
    exported(files, order, asked, tmp_path / "folder", alphas=list(path.knots))
    for knot, state in zip(path.knots, files.states, strict=True):
        held = initializers(onnx.load(tmp_path / "folder" / f"alpha-{knot:.1f}.onnx"))
        assert all(np.array_equal(held[name], tensor.numpy()) for name, tensor in state.items())
    for knot, state in zip(path.knots, files.states, strict=True):
        theta = blend(files.paths, knot, path=True, at=path.knots, arch=files.network)
        assert all(theta[name].equal(tensor) for name, tensor in state.items())


@pytest.mark.parametrize(
    "asked",
    [
        {"dtype": "float16"},
        {"delta": "int8"},
        {"delta": "float16"},
        {"weights": "external"},
        {"weights": "link"},
        {"single_input": "plane"},
        {"alpha_default": 40},
    ],
    ids=str,
)
def test_every_form_of_file_follows_the_path(files: Files, asked: dict[str, Any]):
    order, way, path = WAYS[1]
    output = files.folder / "form.onnx"  # beside the endpoints, for links
    exported(files, order, way, output, alpha_input=True, force=True, **asked)
    tolerance = tolerance_of(asked.get("dtype", "float32"), asked.get("delta"))
    with dni_runtime.load(output, "cpu") as model:
        for alpha in places(path):
            assert_close(model(IMAGE, alpha), files.expected(order, path, alpha), tolerance)
    if asked.get("single_input"):
        planes = run(output, append_planes(IMAGE, [40.0]))
        assert_close(planes, files.expected(order, path, 40.0))


def test_baked_files_and_checkpoints_between_follow_the_path(tmp_path: Path, files: Files):
    order, asked, path = WAYS[0]
    report = exported(files, order, asked, tmp_path / "m.onnx", alphas=[0.3], single_input="baked")
    assert report.files[0].alpha == (0.3,)
    assert_close(run(tmp_path / "m.onnx", IMAGE), files.expected(order, path, 0.3))
    a, b, c = files.paths[:3]
    write_blend([a, b], tmp_path / "between.safetensors", 0.3, through=[c], curve=True, arch=files.network)
    wanted = on_path([files.states[i] for i in (0, 2, 1)], path, 0.3)
    for name, tensor in load_file(tmp_path / "between.safetensors").items():
        torch.testing.assert_close(tensor, wanted[name], atol=1e-6, rtol=0)


def test_batch_norm_is_folded_at_every_place_of_a_curve(tmp_path: Path):
    network, a, b = pair("batch_norm")
    c = {name: (a[name] + b[name]) / 2 * 1.1 if t.is_floating_point() else t for name, t in a.items()}
    export([a, b], tmp_path / "m.onnx", through=[c], curve=True, alpha_input=True, arch=network, verdict=False)
    with dni_runtime.load(tmp_path / "m.onnx", "cpu") as model:
        for alpha in (0.0, 0.3, 0.9, 1.0):
            floats = {k: t for k, t in a.items() if t.is_floating_point()}
            states = [{k: s[k] for k in floats} for s in (a, c, b)]
            theta = {**a, **on_path(states, AlphaPath((1.0, 0.0), (1,)), alpha)}
            assert_close(model(IMAGE, alpha), expected(network, theta, IMAGE))
