"""`inspect_model`: models of ours and of other tools."""

import re
import shutil
from dataclasses import replace
from pathlib import Path

import ncnn_forms
import onnx
import pytest
from commands import dni
from exporting import small_pair
from onnx import TensorProto, helper
from onnx_models import conv_stack, save

from dni_deploy.demo import STRONG, WEAK
from dni_deploy.model_report import ModelReport, inspect_model
from dni_exporters import export
from dni_runtime import ModelError
from dni_runtime.ncnn.form import Form

BYTES = 76_035 * 4


def weight_bytes(report: ModelReport) -> int:
    return sum(weight.bytes for weight in report.weights if weight.blended)


def test_an_alpha_input_model(denoiser: Path):
    report = inspect_model(denoiser)
    assert report.inputs == {"input": "float32[N,3,H,W]", "alpha": "float32[1]"}
    assert report.outputs == {"output": "float32[N,3,H,W]"}
    assert report.file_bytes == denoiser.stat().st_size
    assert report.operators["Conv"] == 10
    assert report.operators == dict(sorted(report.operators.items(), key=lambda item: (-item[1], item[0])))
    assert report.external_files == ()
    assert report.metadata is not None and report.metadata.alpha_pinned is None
    assert report.opset == report.metadata.opset
    assert weight_bytes(report) == 2 * BYTES
    first = next(weight for weight in report.weights if weight.name == "body.0.weight")
    assert (first.shape, first.dtype, first.bytes) == ((32, 3, 3, 3), "float32", 2 * 32 * 27 * 4)


def test_the_tables_and_the_json_tell_the_same(denoiser: Path):
    text = dni("inspect", denoiser).assert_ok().out
    for fact in (
        "float32[N,3,H,W]",
        "weak.safetensors (SHA-256 ",
        "0..1, no default",
        "scale 1, float32",
        "body.18.bias",
    ):
        assert fact in text
    data = dni("inspect", denoiser, "--json").assert_ok().json
    assert data["path"] == str(denoiser)
    assert data["metadata"]["endpoints"][0]["file"] == "weak.safetensors"
    assert data["operators"]["Conv"] == 10
    assert sum(weight["bytes"] for weight in data["weights"] if weight["blended"]) == 2 * BYTES


def test_a_baked_model(tmp_path: Path):
    network, endpoints = small_pair()
    export(endpoints, tmp_path / "m.onnx", alphas=[0.25], arch=network)
    report = inspect_model(tmp_path / "m.onnx")
    assert report.inputs.keys() == {"input"}
    assert report.metadata is not None and report.metadata.alpha_pinned == (0.25,)
    assert not any(weight.blended for weight in report.weights)
    assert "baked for 0.25" in dni("inspect", tmp_path / "m.onnx").assert_ok().out


def test_an_alpha_with_a_default_is_still_an_input(tmp_path: Path):
    network, endpoints = small_pair()
    export(endpoints, tmp_path / "m.onnx", alpha_input=True, alpha_default=0.4, arch=network)
    assert inspect_model(tmp_path / "m.onnx").inputs.keys() == {"input", "alpha"}
    assert "0..1, default 0.4" in dni("inspect", tmp_path / "m.onnx").assert_ok().out


def test_external_weights_are_named_and_not_needed(tmp_path: Path):
    network, endpoints = small_pair()
    export(endpoints, tmp_path / "m.onnx", alpha_input=True, weights="external", arch=network)
    before = inspect_model(tmp_path / "m.onnx")
    assert before.external_files == ("m.onnx.data",)
    assert weight_bytes(before) == 2 * sum(tensor.nbytes for tensor in endpoints[0].values())
    assert "m.onnx.data" in dni("inspect", tmp_path / "m.onnx").assert_ok().out
    (tmp_path / "m.onnx.data").unlink()
    assert inspect_model(tmp_path / "m.onnx") == replace(before, missing_files=("m.onnx.data",))
    assert "m.onnx.data (missing)" in dni("inspect", tmp_path / "m.onnx").assert_ok().out


def test_linked_weights_are_the_endpoints(tmp_path: Path):
    a, b = (Path(shutil.copy(path, tmp_path)) for path in (WEAK, STRONG))
    export([a, b], tmp_path / "m.onnx", alpha_input=True, weights="link")
    report = inspect_model(tmp_path / "m.onnx")
    assert report.external_files == ("strong.safetensors", "weak.safetensors")
    assert weight_bytes(report) == 2 * BYTES
    assert report.file_bytes < BYTES / 10


def test_a_model_of_another_tool(tmp_path: Path):
    """Without metadata, with names in lower case that would be taken for markup."""
    path = save(conv_stack(metadata=None, shape=("batch", "height", "width")), tmp_path / "other[v2].onnx")
    report = inspect_model(path)
    assert report.metadata is None
    assert report.inputs["input"] == "float32[batch,3,height,width]"
    text = dni("inspect", path).assert_ok().out
    assert "float32[batch,3,height,width]" in text
    assert "other[v2].onnx" in text
    assert "another tool: no dni metadata" in text
    assert dni("inspect", path, "--json").assert_ok().json["metadata"] is None


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (None, "any height and width"),
        (ncnn_forms.form(period=4), "heights and widths that are multiples of 4"),
        ("{}", "cannot be read: "),
    ],
)
def test_a_form_for_ncnn(given: Form | str | None, told: str, tmp_path: Path):
    path = save(ncnn_forms.with_form(given=given), tmp_path / "model.onnx")
    assert told in (inspect_model(path).ncnn_form or "")
    assert told in " ".join(dni("inspect", path).assert_ok().out.split())
    assert told in dni("inspect", path, "--json").assert_ok().json["ncnn_form"]


def test_a_model_without_a_form_for_ncnn(denoiser: Path):
    assert inspect_model(denoiser).ncnn_form is None
    assert "ncnn" not in dni("inspect", denoiser).assert_ok().out


def test_inputs_that_are_no_tensors_or_have_no_sizes(tmp_path: Path):
    tensor = helper.make_tensor_type_proto(TensorProto.FLOAT, None)
    graph = helper.make_graph(
        [helper.make_node("SequenceConstruct", ["x", "x"], ["sequence"])],
        "network",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, None)],
        [helper.make_value_info("sequence", helper.make_sequence_type_proto(tensor))],
    )
    path = save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), tmp_path / "m.onnx"
    )
    report = inspect_model(path)
    assert (report.inputs, report.outputs) == ({"x": "float32[...]"}, {"sequence": "sequence"})
    dni("inspect", path).assert_ok()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty; expected an .onnx file: copy or export it again"),
        (b"\x08\x07", "is not an ONNX file, or only a part of one: copy or export it again (it holds no graph)"),
        (b"not a model", "is not an ONNX file, or only a part of one"),
        (None, "does not exist; expected an .onnx file"),
    ],
)
def test_files_that_are_no_models(tmp_path: Path, content: bytes | None, message: str):
    path = tmp_path / "m.onnx"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ModelError, match=re.escape(message)):
        inspect_model(path)
    dni("inspect", path).assert_error(f"m.onnx {message}")


def test_a_part_of_a_model_and_a_folder(denoiser: Path, tmp_path: Path):
    (tmp_path / "part.onnx").write_bytes(denoiser.read_bytes()[:10_000])
    dni("inspect", tmp_path / "part.onnx").assert_error("is not an ONNX file, or only a part of one")
    dni("inspect", tmp_path).assert_error("is a folder; expected an .onnx file")


def test_metadata_of_a_later_format_is_named(tmp_path: Path):
    model = conv_stack()
    model.metadata_props[0].value = model.metadata_props[0].value.replace('"format": 1', '"format": 2')
    onnx.save(model, tmp_path / "m.onnx")
    dni("inspect", tmp_path / "m.onnx").assert_error("has format 2, this version of dni-deploy reads format 1")
