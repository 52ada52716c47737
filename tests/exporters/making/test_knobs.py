"""Parameters with an alpha of their own: each follows its knob, in PyTorch, in every form of file and on every way."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from endpoint_files import EndpointFiles
from exporting import FloatArray, assert_close, expected, photo, run, session
from networks import Weights, pair
from published import esrgan, near, renamed
from safetensors.torch import load_file, save_file
from torch import nn

import dni_runtime
from dni_deploy.model_report import inspect_model
from dni_exporters import ExportReport, blend, export, write_blend
from dni_exporters.checking.tolerance import tolerance_of
from dni_runtime.alpha import Knob, append_planes
from dni_runtime.metadata import KEY

IMAGE = photo(1, 3, 20, 26)
KNOBS = {"tail": ["2.w*", "2.bias"], "first": "0.bias"}
NAMES = ("alpha", "tail", "first")
ALPHAS = [(0.3, 0.3, 0.3), (1.0, 0.0, 0.0), (0.0, 1.0, 0.25), (0.2, 0.9, 0.6)]


class Files(EndpointFiles):
    """Three endpoints as files, and what PyTorch makes of the first two, each parameter at an alpha of its own."""

    def theta(self, alpha: tuple[float, ...]) -> Weights:
        """The formula as anyone would write it, on purpose without the exporter's code."""
        first, second = self.states[:2]
        found = {}
        for name, tensor in first.items():
            share = alpha[1] if name.startswith("2.") else alpha[2] if name == "0.bias" else alpha[0]
            found[name] = share * tensor + (1 - share) * second[name]
        return found

    def expected(self, alpha: tuple[float, ...], image: FloatArray = IMAGE) -> FloatArray:
        return expected(self.network, self.theta(alpha), image)

    def exported(self, output: Path, **asked: Any) -> ExportReport:
        asked = {"alpha_input": True, "verdict": False, "knobs": KNOBS, **asked}
        return export(self.paths[:2], output, arch=self.network, **asked)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return Files(tmp_path_factory.mktemp("knobs"), 3)


@pytest.fixture(scope="module")
def model(files: Files) -> Path:
    files.exported(files.folder / "m.onnx")
    return files.folder / "m.onnx"


def test_the_network_is_one_whose_parts_matter(files: Files):
    """Or every test below would pass with one alpha for all."""
    pictures = [files.expected(alpha) for alpha in ((0.2, 0.2, 0.2), (0.9, 0.2, 0.2), (0.2, 0.9, 0.2), (0.2, 0.2, 0.9))]
    assert min(float(np.abs(a - b).max()) for i, a in enumerate(pictures) for b in pictures[:i]) > 1e-3


def test_a_knob_is_an_input_of_its_own(files: Files, model: Path):
    plain = session(model)
    assert {i.name: i.shape for i in plain.get_inputs()} == {
        "input": ["N", 3, "H", "W"],
        "alpha": [1],
        "alpha_tail": [1],
        "alpha_first": [1],
    }
    for alpha in ALPHAS:
        feed = dict(zip(("alpha", "alpha_tail", "alpha_first"), np.array(alpha, np.float32)[:, None], strict=True))
        (got,) = plain.run(["output"], {"input": IMAGE, **feed})
        assert_close(got, files.expected(alpha))


NOTES = {
    ("cpu", "auto"): "weights are blended in ONNX Runtime's own layout when alpha changes",
    ("cpu", "pinned"): "alpha is pinned for every call, the first one with a new alpha waits",
    ("openvino", "dynamic"): "weights are blended where OpenVINO reads them when alpha changes",
    ("openvino", "pinned"): "alpha is pinned for every call, the first one with a new alpha waits",
}


@pytest.mark.parametrize(("provider", "policy"), NOTES)
def test_all_ways_of_running_are_there_and_equal_pytorch(files: Files, model: Path, provider: str, policy: str):
    if provider == "openvino":
        pytest.importorskip("openvino")
    with dni_runtime.load(model, provider, alpha_policy=policy) as loaded:
        assert loaded.alpha_note == NOTES[provider, policy]
        assert loaded.metadata.alpha_knobs == (Knob("tail", ("2.w*", "2.bias")), Knob("first", ("0.bias",)))
        for alpha in ALPHAS:
            wanted = files.expected(alpha)
            assert_close(loaded(IMAGE, alpha), wanted)
            assert_close(loaded(IMAGE, dict(zip(NAMES, alpha, strict=True))), wanted)
        assert_close(loaded(IMAGE, 0.3), files.expected((0.3, 0.3, 0.3)))
        with pytest.raises(dni_runtime.AlphaError, match="or 3 of them, for alpha, tail, first"):
            loaded(IMAGE, (0.3, 0.4))
        with pytest.raises(dni_runtime.AlphaError, match=r"expected a finite number in 0\.\.1, or 3 of them"):
            loaded(IMAGE, {"alpha": 0.3, "tail": 0.3})


def test_the_sum_of_knobs_is_no_share(files: Files, model: Path):
    with dni_runtime.load(model, "cpu") as loaded:
        assert_close(loaded(IMAGE, (1, 1, 1)), files.expected((1, 1, 1)))


@pytest.mark.parametrize(
    "asked",
    [
        {"dtype": "float16"},
        {"delta": "int8"},
        {"delta": "float16"},
        {"weights": "external"},
        {"weights": "link"},
        {"single_input": "plane"},
        {"alpha_range": (-0.5, 1.5)},
    ],
    ids=str,
)
def test_every_form_of_file_has_knobs(files: Files, asked: dict[str, Any]):
    output = files.folder / "form.onnx"  # beside the endpoints, for links
    files.exported(output, force=True, **asked)
    tolerance = tolerance_of(asked.get("dtype", "float32"), asked.get("delta"))
    with dni_runtime.load(output, "cpu") as loaded:
        for alpha in ALPHAS:
            assert_close(loaded(IMAGE, alpha), files.expected(alpha), tolerance)
    if asked.get("single_input"):
        assert_close(run(output, append_planes(IMAGE, ALPHAS[3])), files.expected(ALPHAS[3]))


def test_a_default_is_one_for_each_knob_and_those_left_out_have_it(files: Files, tmp_path: Path):
    files.exported(tmp_path / "m.onnx", alpha_default={"alpha": 0.3, "tail": 0.8, "first": 0.1})
    (got,) = session(tmp_path / "m.onnx").run(["output"], {"input": IMAGE})
    assert_close(got, files.expected((0.3, 0.8, 0.1)))
    for provider in ("cpu", "openvino"):
        if provider == "openvino":
            pytest.importorskip("openvino")
        with dni_runtime.load(tmp_path / "m.onnx", provider) as loaded:
            assert_close(loaded(IMAGE), files.expected((0.3, 0.8, 0.1)))
            assert_close(loaded(IMAGE, {"tail": 0.2}), files.expected((0.3, 0.2, 0.1)))
            assert_close(loaded(IMAGE, (0.5, 0.2, 1)), files.expected((0.5, 0.2, 1)))


def test_baked_files_and_checkpoints_have_each_parameter_at_its_own_alpha(files: Files, tmp_path: Path):
    alpha = {"alpha": 0.3, "tail": 0.8, "first": 0.1}
    report = files.exported(tmp_path / "m.onnx", alpha_input=False, alphas=[alpha])
    assert report.files[0].alpha == (0.3, 0.8, 0.1)
    assert_close(run(tmp_path / "m.onnx", IMAGE), files.expected((0.3, 0.8, 0.1)))
    with dni_runtime.load(tmp_path / "m.onnx", "cpu") as loaded:
        assert loaded.metadata.alpha_pinned == (0.3, 0.8, 0.1)
        loaded(IMAGE, alpha)
    theta = blend(files.paths[:2], alpha, knobs=KNOBS, arch=files.network)
    write_blend(files.paths[:2], tmp_path / "c.safetensors", (0.3, 0.8, 0.1), knobs=KNOBS, arch=files.network)
    for name, tensor in files.theta((0.3, 0.8, 0.1)).items():
        torch.testing.assert_close(theta[name], tensor, atol=1e-6, rtol=0)
        torch.testing.assert_close(load_file(tmp_path / "c.safetensors")[name], tensor, atol=1e-6, rtol=0)


def test_pinning_a_model_that_is_read_makes_the_same(files: Files, model: Path, tmp_path: Path):
    proto = onnx.load(model)
    onnx.save(dni_runtime.pin(proto, {"alpha": 0.2, "tail": 0.9, "first": 0.6}), tmp_path / "pinned.onnx")
    assert [i.name for i in proto.graph.input] == ["input", "alpha", "alpha_tail", "alpha_first"]
    assert_close(run(tmp_path / "pinned.onnx", IMAGE), files.expected((0.2, 0.9, 0.6)))


def test_knobs_go_along_a_curve_each_to_its_own_place(files: Files, tmp_path: Path):
    a, b, c = files.paths
    asked = {"through": [c], "curve": True, "knobs": {"tail": "2.*"}}
    export([a, b], tmp_path / "m.onnx", arch=files.network, verdict=False, alpha_input=True, **asked)
    first, second, middle = files.states
    theta = {}
    for name, tensor in first.items():
        t = 0.7 if name.startswith("2.") else 0.4
        theta[name] = t * t * tensor + 2 * t * (1 - t) * middle[name] + (1 - t) ** 2 * second[name]
    with dni_runtime.load(tmp_path / "m.onnx", "cpu") as loaded:
        assert loaded.alpha_note == NOTES["cpu", "auto"]
        assert_close(loaded(IMAGE, (0.4, 0.7)), expected(files.network, theta, IMAGE))


def test_a_convolution_and_the_norm_behind_it_may_have_different_alphas(tmp_path: Path):
    network, a, b = pair("batch_norm")
    norms = [name for name in a if name.endswith("running_mean")]
    knobs = {"norm": [f"{name.rpartition('.')[0]}.*" for name in norms]}
    export([a, b], tmp_path / "m.onnx", alpha_input=True, arch=network, verdict=False, knobs=knobs)
    theta = {}
    for name, tensor in a.items():
        share = 0.9 if any(name.rpartition(".")[0] == norm.rpartition(".")[0] for norm in norms) else 0.2
        theta[name] = share * tensor + (1 - share) * b[name] if tensor.is_floating_point() else tensor
    with dni_runtime.load(tmp_path / "m.onnx", "cpu") as loaded:
        assert_close(loaded(IMAGE, {"alpha": 0.2, "norm": 0.9}), expected(network, theta, IMAGE))


class NamedAsInputs(nn.Module):
    """Its own parameters are called as the inputs of a model with the knob `late`, a constant as that of `bias`."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, padding=1)
        self.alpha = nn.Parameter(torch.ones(3, 1, 1))
        self.alpha_late = nn.Parameter(torch.ones(3, 1, 1))
        self.register_buffer("alpha_bias", torch.full((3, 1, 1), 0.5), persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.conv(x) * self.alpha + self.alpha_late * self.alpha_bias
        return result


@pytest.mark.parametrize("asked", [{}, {"delta": "float16"}, {"weights": "link"}], ids=str)
def test_a_network_may_have_parameters_called_as_the_inputs(asked: dict[str, Any], tmp_path: Path):
    torch.manual_seed(0)
    network, ends = NamedAsInputs(), [tmp_path / "a.safetensors", tmp_path / "b.safetensors"]
    a = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    b = {name: tensor + 0.3 * torch.randn_like(tensor) for name, tensor in a.items()}
    for end, state in zip(ends, (a, b), strict=True):
        save_file(state, end)
    knobs = {"late": "alpha*", "bias": "*.bias"}
    export(ends, tmp_path / "m.onnx", alpha_input=True, arch=network, verdict=False, knobs=knobs, **asked)
    shares = {"conv.weight": 0.2, "conv.bias": 0.5, "alpha": 0.9, "alpha_late": 0.9}
    theta = {name: shares[name] * a[name] + (1 - shares[name]) * b[name] for name in a}
    with dni_runtime.load(tmp_path / "m.onnx", "cpu") as loaded:
        wanted = expected(network, theta, IMAGE)
        assert_close(
            loaded(IMAGE, {"alpha": 0.2, "late": 0.9, "bias": 0.5}), wanted, tolerance_of("float32", asked.get("delta"))
        )


def test_a_file_that_lacks_an_input_it_names_is_refused(model: Path, tmp_path: Path):
    proto = onnx.load(model)
    entry = next(prop for prop in proto.metadata_props if prop.key == KEY)
    metadata = json.loads(entry.value)
    metadata["alpha"]["knobs"][0]["name"] = "other"
    entry.value = json.dumps(metadata)
    onnx.save(proto, tmp_path / "m.onnx")
    with pytest.raises(dni_runtime.ModelError, match="names the inputs alpha, alpha_other, alpha_first"):
        dni_runtime.load(tmp_path / "m.onnx", "cpu")
    with pytest.raises(dni_runtime.ModelError, match="names the inputs alpha, alpha_other, alpha_first"):
        dni_runtime.pin(proto, 0.5)


def test_a_knob_goes_by_the_names_of_the_checkpoint_too(tmp_path: Path):
    """What Real-ESRGAN's files call conv_last is model.7 here in the network that spandrel builds."""
    a = esrgan()
    b = near(a)
    for name, state in (("a", a), ("b", b)):
        save_file(renamed(state), tmp_path / f"{name}.safetensors")
    ends = [tmp_path / "a.safetensors", tmp_path / "b.safetensors"]
    asked: dict[str, Any] = {"alpha_input": True, "verdict": False, "verify": False}
    export(ends, tmp_path / "theirs.onnx", knobs={"tail": "conv_last*"}, **asked)
    export(ends, tmp_path / "ours.onnx", knobs={"tail": "model.7.*"}, **asked)
    with dni_runtime.load(tmp_path / "theirs.onnx", "cpu") as theirs, dni_runtime.load(tmp_path / "ours.onnx") as ours:
        np.testing.assert_array_equal(theirs(IMAGE, (0.2, 0.9)), ours(IMAGE, (0.2, 0.9)))
        assert not np.array_equal(theirs(IMAGE, (0.2, 0.9)), theirs(IMAGE, 0.2))
    theta = blend(ends, (0.2, 0.9), knobs={"tail": "conv_last*"})
    torch.testing.assert_close(theta["conv_last.weight"], 0.9 * a["model.7.weight"] + 0.1 * b["model.7.weight"])


FORMS = {
    "plain": {},
    "delta": {"delta": "int8"},
    "half": {"dtype": "float16"},
    "plane": {"single_input": "plane"},
    "default": {"alpha_default": (0.3, 0.8, 0.1)},
    "curve": {"curve": True},
}


@pytest.mark.parametrize("form", FORMS)
def test_inspect_says_which_alpha_blends_a_weight(files: Files, tmp_path: Path, form: str):
    through = {"through": files.paths[2:]} if form == "curve" else {}
    files.exported(tmp_path / "m.onnx", **FORMS[form], **through)
    report = inspect_model(tmp_path / "m.onnx")
    blended = {weight.name: weight.knob for weight in report.weights if weight.blended}
    assert blended == {
        name: "tail" if name.startswith("2.") else "first" if name == "0.bias" else "alpha" for name in files.states[0]
    }
    assert {weight.knob for weight in report.weights if not weight.blended} <= {None}
    assert set(report.inputs) == {"input", *(() if form == "plane" else ("alpha", "alpha_tail", "alpha_first"))}


def test_inspect_says_nothing_of_knobs_where_there_are_none(files: Files, tmp_path: Path):
    files.exported(tmp_path / "m.onnx", knobs=None)
    assert {weight.knob for weight in inspect_model(tmp_path / "m.onnx").weights} == {None}


class WithAnIdleOne(nn.Sequential):
    def __init__(self) -> None:
        super().__init__(nn.Conv2d(3, 3, 1))
        self.idle = nn.Parameter(torch.ones(2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self[0](x)


def test_a_knob_that_only_the_graph_shows_to_be_idle_is_refused_before_photographs_are_tried(tmp_path: Path):
    network, steps = WithAnIdleOne(), list[str]()
    a = network.state_dict()
    b = {name: tensor + 0.1 for name, tensor in a.items()}
    asked: dict[str, Any] = {"arch": network, "alpha_input": True, "progress": steps.append}
    with pytest.raises(
        dni_runtime.EndpointError, match="--knob rest is for parameters alone that the network does not"
    ):
        export([a, b], tmp_path / "m.onnx", knobs={"rest": "idle"}, **asked)
    assert steps[-1] == "attach blend" and not any(step.startswith("judge") for step in steps)
    export([a, b], tmp_path / "m.onnx", **asked)
    assert any(step.startswith("judge") for step in steps)
