"""Which alphas: several baked files, three endpoints, ranges, defaults."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from exporting import assert_close, blended, expected, initializers, photo, run, session, small_pair
from networks import Weights

import dni_runtime
from dni_exporters import export
from dni_exporters.making import traced
from dni_exporters.tracing import skeleton
from dni_runtime import AlphaError, ExportError

IMAGE = photo(2, 3, 20, 26)


@pytest.fixture
def traces(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """A list that grows with every call of torch.onnx.export, which goes on to do its work."""
    calls: list[object] = []
    genuine = torch.onnx.export

    def counted(*args: object, **options: object) -> object:
        calls.append(args)
        return genuine(*args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(torch.onnx, "export", counted)
    monkeypatch.setattr(traced, "trace", skeleton.trace)  # no copy of what another test has traced
    return calls


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_several_alphas_make_a_folder_from_one_trace(tmp_path: Path, traces: list[object]):
    network, (a, b) = small_pair()
    alphas = [1, 0.25, np.float32(0.5), 0.0, 0.25]
    report = export([a, b], tmp_path / "baked", alphas=alphas, arch=network)
    assert len(traces) == 1
    assert names(tmp_path / "baked") == [
        "alpha-0.00.onnx",
        "alpha-0.25.onnx",
        "alpha-0.50.onnx",
        "alpha-1.00.onnx",
    ]
    assert [file.alpha for file in report.files] == [(1.0,), (0.25,), (0.5,), (0.0,)]  # the order asked for
    for file in report.files:
        assert file.alpha is not None
        assert [parity.alpha for parity in file.parity] == [file.alpha]
        assert_close(run(file.path, IMAGE), expected(network, blended(a, b, file.alpha[0]), IMAGE))
        metadata = dni_runtime.read_metadata(onnx.load(file.path))
        assert metadata is not None
        assert metadata.alpha_pinned == file.alpha
    assert len(report.summary().splitlines()) == 6
    assert "  alpha 0.25  equals PyTorch within " in report.summary()


def test_names_of_near_alphas_differ_and_sort(tmp_path: Path):
    network, endpoints = small_pair()
    export(endpoints, tmp_path, alphas=[0.1, 0.1000001, 0.2, 0.15], arch=network, verify=False)
    assert names(tmp_path) == [
        "alpha-0.1000000.onnx",
        "alpha-0.1000001.onnx",
        "alpha-0.1500000.onnx",
        "alpha-0.2000000.onnx",
    ]


def test_one_alpha_makes_a_file_or_one_in_a_folder(tmp_path: Path):
    network, endpoints = small_pair()
    export(endpoints, tmp_path / "model.onnx", alphas=[0.3], arch=network, verify=False)
    export(endpoints, tmp_path, alphas=[0.3], arch=network, verify=False)
    assert names(tmp_path) == ["alpha-0.3.onnx", "model.onnx"]


def three_way(endpoints: list[Weights], x: float, y: float) -> Weights:
    a, b, c = endpoints
    return {name: x * a[name] + y * b[name] + (1 - x - y) * c[name] for name in a}


def test_three_endpoints_take_two_shares(tmp_path: Path):
    network, endpoints = small_pair(3)
    path = tmp_path / "model.onnx"
    report = export(endpoints, path, alpha_input=True, arch=network)
    alpha = onnx.load(path).graph.input[1]
    assert [d.dim_value for d in alpha.type.tensor_type.shape.dim] == [2]
    assert len(report.files[0].parity) >= 5  # each end, the middle, one more
    with dni_runtime.load(path, "cpu") as model:
        for shares in ((1.0, 0.0), (0.0, 1.0), (0.0, 0.0), (0.2, 0.5)):
            wanted = expected(network, three_way(endpoints, *shares), IMAGE)
            assert_close(run(path, IMAGE, shares), wanted)
            assert_close(model(IMAGE, shares), wanted)
        with pytest.raises(AlphaError, match="expected 2 finite numbers"):
            model(IMAGE, 0.5)


def test_three_endpoints_are_baked(tmp_path: Path):
    network, endpoints = small_pair(3)
    export(endpoints, tmp_path / "baked", alphas=[(0.2, 0.5), (1, 0)], arch=network)
    assert names(tmp_path / "baked") == ["alpha-0.2_0.5.onnx", "alpha-1.0_0.0.onnx"]
    for shares, name in (((0.2, 0.5), "alpha-0.2_0.5.onnx"), ((1.0, 0.0), "alpha-1.0_0.0.onnx")):
        wanted = expected(network, three_way(endpoints, *shares), IMAGE)
        assert_close(run(tmp_path / "baked" / name, IMAGE), wanted)


def test_a_wider_range_extrapolates_and_is_verified_at_its_ends(tmp_path: Path):
    network, (a, b) = small_pair()
    path = tmp_path / "model.onnx"
    report = export([a, b], path, alpha_input=True, alpha_range=(-0.5, 2), arch=network)
    assert {(-0.5,), (2.0,)} <= {parity.alpha for parity in report.files[0].parity}
    with dni_runtime.load(path, "cpu") as model:
        for alpha in (-0.5, 1.7):
            assert_close(model(IMAGE, alpha), expected(network, blended(a, b, alpha), IMAGE))
        with pytest.raises(AlphaError, match=r"alpha 2\.1 is out of range; expected a finite number in -0\.5\.\.2"):
            model(IMAGE, 2.1)


def test_a_default_is_an_initializer_of_the_inputs_name(tmp_path: Path):
    network, (a, b) = small_pair()
    path = tmp_path / "model.onnx"
    export([a, b], path, alpha_input=True, alpha_default=0.25, arch=network)
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    assert [value.name for value in model.graph.input] == ["input", "alpha"]
    assert initializers(model)["alpha"].tolist() == [0.25]
    assert [value.name for value in session(path).get_overridable_initializers()] == ["alpha"]
    assert_close(run(path, IMAGE), expected(network, blended(a, b, 0.25), IMAGE))
    assert_close(run(path, IMAGE, 0.8), expected(network, blended(a, b, 0.8), IMAGE))
    with dni_runtime.load(path, "cpu") as loaded:
        assert loaded.metadata.alpha_default == (0.25,)
        assert_close(loaded(IMAGE), expected(network, blended(a, b, 0.25), IMAGE))


def refusal(kind: type[Exception], folder: Path, **options: object) -> str:
    network, endpoints = small_pair()
    with pytest.raises(kind) as caught:
        export(endpoints, folder / "model.onnx", arch=network, **options)  # type: ignore[arg-type]
    assert list(folder.iterdir()) == []
    return str(caught.value)


@pytest.mark.parametrize("alpha", [1.5, -0.1, float("nan"), float("inf"), "much", (0.2, 0.3), None])
def test_alphas_that_are_none_are_refused(tmp_path: Path, alpha: object):
    assert "expected a finite number in 0..1" in refusal(AlphaError, tmp_path, alphas=[alpha])


def test_a_default_is_for_models_that_take_alpha(tmp_path: Path):
    message = refusal(ExportError, tmp_path, alphas=[0.5], alpha_default=0.5)
    assert "a baked model has no alpha to leave out" in message


def test_a_default_out_of_range_is_refused(tmp_path: Path):
    assert "alpha 2 is out of range" in refusal(AlphaError, tmp_path, alpha_input=True, alpha_default=2)


@pytest.mark.parametrize("bounds", [(1.0, 0.0), (0.5, 0.5), (float("nan"), 1.0)])
def test_a_range_begins_with_the_smaller_number(tmp_path: Path, bounds: tuple[float, float]):
    message = refusal(ExportError, tmp_path, alpha_input=True, alpha_range=bounds)
    assert "expected the smaller number first" in message


@pytest.mark.parametrize("options", [{}, {"alphas": []}, {"alpha_input": True, "alphas": [0.5]}])
def test_one_kind_of_model_has_to_be_chosen(tmp_path: Path, options: dict):
    message = refusal(ExportError, tmp_path, **options)
    assert "say which model to make" in message
    assert "alpha_input=True" in message
    assert "not both" in message


def test_several_alphas_in_one_file_are_refused(tmp_path: Path):
    message = refusal(ExportError, tmp_path, alphas=[0, 1])
    assert "2 alphas make as many files, " in message
    assert message.endswith(f"give a folder: -o {tmp_path / 'model'}")
