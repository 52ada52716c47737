"""The file that an export writes, as DESIGN.md promises it, and the report on it."""

import hashlib
import json
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from exporting import assert_close, blended, expected, initializers, nodes, photo, run, session, small_pair
from networks import pair
from torch import nn

from dni_exporters import ExportReport, export
from dni_runtime import EndpointError

IMAGE = photo(2, 3, 20, 26)


class Exported:
    def __init__(self, folder: Path) -> None:
        self.network, (self.a, self.b) = small_pair()
        self.b["2.bias"] = self.a["2.bias"].clone()
        self.sources = [folder / "weak.pth", folder / "strong.pth"]
        torch.save({"params_ema": self.a, "params": self.b}, self.sources[0])
        torch.save({"params_ema": self.b, "params": self.a}, self.sources[1])
        self.steps: list[str] = []
        self.path = folder / "new folder" / "model.onnx"
        self.report: ExportReport = export(
            self.sources, self.path, alpha_input=True, arch=self.network, progress=self.steps.append
        )
        self.model = onnx.load(self.path)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    return Exported(tmp_path_factory.mktemp("export"))


def shape_of(value: onnx.ValueInfoProto) -> list[int | str]:
    return [d.dim_param or d.dim_value for d in value.type.tensor_type.shape.dim]


def test_inputs_and_outputs_are_named_typed_and_in_order(exported: Exported):
    graph = exported.model.graph
    assert [(value.name, shape_of(value)) for value in graph.input] == [
        ("input", ["N", 3, "H", "W"]),
        ("alpha", [1]),
    ]
    assert [(value.name, shape_of(value)) for value in graph.output] == [("output", ["N", 3, "H", "W"])]
    for value in (*graph.input, *graph.output):
        assert value.type.tensor_type.elem_type == onnx.TensorProto.FLOAT


def test_sizes_of_the_output_are_told_in_those_of_the_input(tmp_path: Path):
    """PyTorch tells `4*((H//2))` of it, of sizes that the network takes the same."""
    network = nn.Sequential(nn.Conv2d(3, 4, 2, stride=2), nn.Upsample(scale_factor=4), nn.Conv2d(4, 3, 1))
    a, b = ({name: t + n for name, t in network.state_dict().items()} for n in (0, 0.1))
    export([a, b], tmp_path / "model.onnx", alpha_input=True, arch=network, verdict=False)
    (output,) = onnx.load(tmp_path / "model.onnx").graph.output
    assert shape_of(output) == ["N", 3, "2*H", "2*W"]


def test_alpha_has_no_default(exported: Exported):
    assert "alpha" not in initializers(exported.model)
    with pytest.raises(ValueError, match="alpha"):
        session(exported.path).run(None, {"input": IMAGE})


def test_the_metadata_says_all_that_the_runtime_needs(exported: Exported):
    (text,) = [prop.value for prop in exported.model.metadata_props if prop.key == "dni"]
    said = json.loads(text)
    assert said.pop("tool").startswith("dni-deploy")
    assert said == {
        "format": 1,
        "endpoints": [
            {"file": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()} for path in exported.sources
        ],
        "alpha": {"range": [0.0, 1.0], "default": None, "pinned": None, "plane": False},
        "architecture": "Sequential",
        "scale": 1.0,
        "size": {"multiple": 1, "minimum": 1},
        "overlap": 2,
        "view": "near",
        "color": "RGB",
        "range": [0.0, 1.0],
        "dtype": "float32",
        "opset": exported.model.opset_import[0].version,
        "verdict": exported.report.verdict.text,
    }


def test_nothing_of_this_machine_is_in_the_file(exported: Exported):
    data = exported.path.read_bytes()
    for trace in (b"/tmp", b"/home", b"/root", b"site-packages", b"stack_trace", b"pkg.", b"forward", b".py"):
        assert trace not in data
    assert exported.model.doc_string == ""


def test_the_file_is_valid_and_forbidden_operators_are_not_in_it(exported: Exported):
    onnx.checker.check_model(exported.model, full_check=True)
    for operator in ("MatMul", "Gemm", "Split", "If", "Loop"):
        assert not nodes(exported.model, operator)
    assert {entry.domain for entry in exported.model.opset_import} == {""}


def test_tensors_equal_in_all_endpoints_are_stored_once(exported: Exported):
    stored = initializers(exported.model)
    assert "2.bias" in stored
    assert sorted(name for name in stored if "@" in name) == [
        "0.bias@A",
        "0.bias@B",
        "0.weight@A",
        "0.weight@B",
        "2.weight@A",
        "2.weight@B",
        "alpha@one",
    ]


@pytest.mark.parametrize("alpha", [0.0, 0.35, 1.0])
def test_a_is_the_share_of_the_first_endpoint(exported: Exported, alpha: float):
    wanted = expected(exported.network, blended(exported.a, exported.b, alpha), IMAGE)
    assert_close(run(exported.path, IMAGE, alpha), wanted)


def test_only_the_model_is_left_in_its_folder(exported: Exported):
    assert [path.name for path in exported.path.parent.iterdir()] == ["model.onnx"]


def test_the_report_says_what_was_made_and_measured(exported: Exported):
    report = exported.report
    (file,) = report.files
    assert (file.path, file.alpha, file.bytes) == (exported.path, None, exported.path.stat().st_size)
    assert {parity.alpha for parity in file.parity} >= {(0.0,), (0.5,), (1.0,)}
    assert len(file.parity) >= 4
    assert all(parity.error <= parity.bound for parity in file.parity)
    assert report.endpoints == ("weak.pth", "strong.pth")
    assert report.parameters == sum(tensor.numel() for tensor in exported.a.values())
    assert (report.architecture, report.scale, report.dtype) == ("Sequential", 1.0, "float32")
    assert (report.size_multiple, report.size_minimum, report.overlap) == (1, 1, 2)
    assert report.notes == ("weights taken from params_ema of every endpoint",)
    assert report.warnings == ()
    assert 0.8 < report.lineage.overall_cosine < 1


def test_every_step_is_announced_and_timed(exported: Exported):
    of_photographs = [step for step in exported.steps if step.startswith("judge the blend: ")]
    assert of_photographs[:2] == ["judge the blend: astronaut (1 of 6)", "judge the blend: camera (2 of 6)"]
    assert [step for step in exported.steps if ": " not in step] == list(exported.report.seconds)
    assert exported.steps[0] == "read endpoints"
    assert {"trace network", "verify", "publish"} <= set(exported.steps)
    assert all(seconds >= 0 for seconds in exported.report.seconds.values())


def test_the_report_is_plain_data_for_json(exported: Exported):
    data = json.loads(json.dumps(exported.report.to_dict()))
    assert data["files"][0]["path"] == str(exported.path)
    assert data["files"][0]["parity"][0].keys() == {"alpha", "error", "bound"}
    assert data["lineage"]["overall_cosine"] == exported.report.lineage.overall_cosine


def test_the_summary_names_the_file_its_size_and_its_error(exported: Exported):
    first, second, third = exported.report.summary().splitlines()
    assert first == "Sequential, 443 parameters, scale 1, float32"
    assert second.startswith(f"{exported.path}  0.0")
    assert " MB  alpha-input  equals PyTorch within " in second
    assert second.endswith(" (bound 1e-05) at 4 alphas")
    assert third == exported.report.verdict.text


def test_unrelated_endpoints_are_exported_with_a_warning(tmp_path: Path):
    network, (a, _) = small_pair()
    torch.manual_seed(99)
    b = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 3, 3)).state_dict()
    report = export([a, b], tmp_path / "model.onnx", alpha_input=True, arch=network)
    assert len(report.warnings) == 1
    assert "the endpoints look unrelated" in report.warnings[0]


def test_weights_are_no_argument_against_photographs(tmp_path: Path):
    """Two networks drawn at random that add next to nothing to the image: what lies between them is as good."""
    from spandrel.architectures.Compact import Compact

    torch.manual_seed(5)
    network, other = (Compact(num_feat=8, num_conv=2, upscale=2) for _ in range(2))
    report = export([network.state_dict(), other.state_dict()], tmp_path / "model.onnx", alpha_input=True, arch=network)
    assert report.verdict and report.verdict.blends
    assert report.lineage.looks_unrelated and report.warnings == ()
    report = export(
        [network.state_dict(), other.state_dict()], tmp_path / "b.onnx", alpha_input=True, arch=network, verdict=False
    )
    assert report.verdict is None and "look unrelated" in report.warnings[0]


def test_a_network_that_is_the_same_in_both_endpoints(tmp_path: Path):
    network, a, _ = pair("batch_norm")
    export([a, a], tmp_path / "model.onnx", alpha_input=True, arch=network)
    assert [value.name for value in onnx.load(tmp_path / "model.onnx").graph.input] == ["input", "alpha"]
    assert_close(run(tmp_path / "model.onnx", IMAGE, 0.3), expected(network, a, IMAGE))
    export([a, a], tmp_path / "baked.onnx", alphas=[0.3], arch=network)
    assert_close(run(tmp_path / "baked.onnx", IMAGE), expected(network, a, IMAGE))


def test_endpoints_in_float16_make_a_float32_model(tmp_path: Path):
    network, endpoints = small_pair()
    halves = [{name: tensor.half() for name, tensor in weights.items()} for weights in endpoints]
    export(halves, tmp_path / "model.onnx", alpha_input=True, arch=network)
    a, b = ({name: tensor.float() for name, tensor in weights.items()} for weights in halves)
    assert_close(run(tmp_path / "model.onnx", IMAGE, 0.3), expected(network, blended(a, b, 0.3), IMAGE))
    assert {tensor.dtype for tensor in initializers(onnx.load(tmp_path / "model.onnx")).values()} == {
        np.dtype(np.float32)
    }


def test_the_endpoints_given_are_not_changed(tmp_path: Path):
    network, endpoints = small_pair()
    before = [{name: tensor.clone() for name, tensor in weights.items()} for weights in endpoints]
    export(endpoints, tmp_path / "model.onnx", alpha_input=True, arch=network)
    for weights, old in zip(endpoints, before, strict=True):
        assert all(torch.equal(weights[name], old[name]) for name in old)


def test_the_network_given_is_not_changed(tmp_path: Path):
    network, endpoints = small_pair()
    network.train()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    export(endpoints, tmp_path / "model.onnx", alpha_input=True, arch=network)
    assert network.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())


def test_the_least_related_of_several_endpoints_is_warned_of(tmp_path: Path):
    network, (a, b) = small_pair()
    generator = torch.Generator().manual_seed(9)
    stranger = {name: torch.randn(tensor.shape, generator=generator) * 0.1 for name, tensor in a.items()}
    report = export([a, stranger, b], tmp_path / "model.onnx", alpha_input=True, arch=network)
    assert any("look unrelated" in warning for warning in report.warnings)


def test_spandrel_networks_need_no_arch(tmp_path: Path):
    from spandrel.architectures.Compact import Compact

    torch.manual_seed(0)
    network = Compact(num_feat=8, num_conv=2, upscale=2)
    a = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    b = {name: tensor + 0.03 * torch.randn(tensor.shape) for name, tensor in a.items()}
    report = export([a, b], tmp_path / "model.onnx", alpha_input=True)
    assert (report.architecture, report.scale, report.overlap) == ("RealESRGAN Compact", 2.0, 4)
    assert_close(run(tmp_path / "model.onnx", IMAGE, 0.3), expected(network, blended(a, b, 0.3), IMAGE))


class OnePicture(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Conv2d(3, 3, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.ones(1, 3, 4, 4)


def test_a_network_that_gives_one_picture_whatever_it_is_shown_is_refused(tmp_path: Path):
    with pytest.raises(EndpointError, match="gives one picture, whatever its image and weights are"):
        export([OnePicture().state_dict()] * 2, tmp_path / "m.onnx", alpha_input=True, arch=OnePicture(), verdict=False)
