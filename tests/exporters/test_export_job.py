"""What an export is asked to be: one list of arguments, and what is refused of them before PyTorch is imported."""

import dataclasses
import inspect
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from forked import forked

import dni_deploy
from dni_deploy.demo import STRONG, WEAK
from dni_exporters.job import ExportJob
from dni_runtime import DniError

# Argument 1: calls, each a function's name, positional arguments and keywords.
CALLS = """
import json, sys
import dni_deploy, dni_exporters, dni_runtime
for name, arguments, keywords in json.loads(sys.argv[1]):
    try:
        getattr(dni_exporters, name)(*arguments, **keywords)
        print("was not refused")
    except dni_runtime.DniError as error:
        print(type(error).__name__, *error.args)
print(*(name for name in ("torch", "onnx_ir", "onnxscript", "safetensors", "spandrel") if name in sys.modules))
"""


def test_the_keywords_and_what_they_are_kept_in_are_one_list():
    keywords = {name: each.annotation for name, each in inspect.signature(dni_deploy.export).parameters.items()}
    assert keywords == {field.name: field.type for field in dataclasses.fields(ExportJob)}


def test_every_keyword_is_explained():
    text = inspect.getdoc(dni_deploy.export)
    assert text is not None
    for name in inspect.signature(dni_deploy.export).parameters:
        assert f"\n{name}:" in text, name


def test_what_is_asked_where_nothing_is_said():
    defaults = {
        name: each.default
        for name, each in inspect.signature(dni_deploy.export).parameters.items()
        if each.kind is inspect.Parameter.KEYWORD_ONLY
    }
    assert defaults == {
        "tool": None,
        "format": None,
        "alpha_input": False,
        "alphas": None,
        "through": (),
        "curve": False,
        "path": False,
        "at": None,
        "knobs": None,
        "arch": "auto",
        "arch_args": None,
        "value_range": (0.0, 1.0),
        "alpha_range": (0.0, 1.0),
        "alpha_default": None,
        "input_shape": None,
        "static": False,
        "opset": None,
        "ir_version": None,
        "dtype": "float32",
        "delta": None,
        "single_input": None,
        "weights": "embed",
        "ncnn_form": False,
        "atol": None,
        "verify": True,
        "verdict": True,
        "force": False,
        "progress": None,
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Files that are no checkpoints, and outputs that exist."""
    (tmp_path / "empty.pth").touch()
    (tmp_path / "page.pth").write_text("<!DOCTYPE html>")
    (tmp_path / "there.onnx").write_text("precious")
    (tmp_path / "there.pth").write_text("precious")
    (tmp_path / "there.bin").write_text("precious")
    return tmp_path


def refusals(folder: Path) -> list[tuple[str, str, list[Any], dict[str, Any]]]:
    pair = [str(WEAK), str(STRONG)]
    new, wanted = str(folder / "m.onnx"), {"alpha_input": True}
    linked = {**wanted, "weights": "link"}
    exports: list[tuple[str, list[Any], str, dict[str, Any]]] = [
        ("CheckpointError none.pth does not exist", [pair[0], "none.pth"], new, wanted),
        ("CheckpointError none.pth does not exist", ["none.pth", pair[1]], new, wanted),
        (f"CheckpointError {folder} is a folder", [pair[0], str(folder)], new, wanted),
        (f"CheckpointError {folder / 'empty.pth'} is empty", [pair[0], str(folder / "empty.pth")], new, wanted),
        (f"CheckpointError {folder / 'page.pth'} is a web page", [pair[0], str(folder / "page.pth")], new, wanted),
        ("EndpointError 1 endpoint given", pair[:1], new, wanted),
        ("EndpointError 27 checkpoints given; expected 26 at most", [*pair, *pair[:1] * 25], new, wanted),
        ("EndpointError 27 checkpoints given", pair * 13, new, {**wanted, "path": True, "through": pair[:1]}),
        (f"OutputError {folder / 'there.onnx'} exists already", pair, str(folder / "there.onnx"), wanted),
        ("OutputError nothing can be written into the folder", pair, str(folder / "there.onnx" / "m.onnx"), wanted),
        ("ExportError the output m.pb has no .onnx suffix", pair, "m.pb", wanted),
        ("ExportError 2 alphas make as many files", pair, new, {"alphas": [0, 1]}),
        ("ExportError say which model to make", pair, new, {}),
        ("ExportError say which model to make", pair, new, {"alpha_input": True, "alphas": [1]}),
        ("ExportError the alpha range is 1..0", pair, new, {**wanted, "alpha_range": [1, 0]}),
        ("AlphaError alpha 1.2 is out of range", pair, new, {"alphas": [1.2]}),
        ("AlphaError alpha 1.2 is out of range", pair, new, {**wanted, "alpha_default": 1.2}),
        ("ExportError --alpha-default is for --alpha-input", pair, new, {"alphas": [1], "alpha_default": 1}),
        ("ExportError --weights link is for --alpha-input", pair, new, {"alphas": [1], "weights": "link"}),
        ("ExportError --delta is for --alpha-input", pair, new, {"alphas": [1], "delta": "int8"}),
        (
            "ExportError --weights link does not go with --delta",
            pair,
            new,
            {**wanted, "delta": "int8", "weights": "link"},
        ),
        ("ExportError --single-input baked is for --alpha X", pair, new, {**wanted, "single_input": "baked"}),
        ("ExportError --weights link needs .safetensors endpoints, endpoint 1 is none", [{}, {}], new, linked),
        ("ExportError --weights link: ", pair, new, linked),
        ("ArchitectureError --arch-arg is for a network given as code", pair, new, {**wanted, "arch_args": {"a": 1}}),
        ("ArchitectureError --range 0 255 is for a network", pair, new, {**wanted, "value_range": [0, 255]}),
        ("ArchitectureError the value range is 1..0", pair, new, {**wanted, "value_range": [1, 0]}),
        ("ArchitectureError --arch: there is no file net.py", pair, new, {**wanted, "arch": "net.py:Net"}),
        ("EndpointError --curve with 2 endpoints and 0 middles", pair, new, {**wanted, "curve": True}),
        ("CheckpointError none.pth does not exist", pair, new, {**wanted, "curve": True, "through": ["none.pth"]}),
        ("EndpointError through is one checkpoint", pair, new, {**wanted, "curve": True, "through": pair[0]}),
        ("EndpointError --at makes knots at", pair, new, {**wanted, "path": True, "at": [1, 1]}),
        ("EndpointError --alpha-range does not go", pair, new, {**wanted, "path": True, "alpha_range": [0, 2]}),
        (
            "AlphaError alpha 5 is out of range; expected a finite number in 0..4: the path",
            pair,
            new,
            {"alphas": [5], "path": True, "at": [0, 4]},
        ),
        ("ExportError dtype is 'int8'", pair, new, {**wanted, "dtype": "int8"}),
        ("ExportError atol is -1", pair, new, {**wanted, "atol": -1}),
        ("ExportError format is 'onxx'; expected one of onnx, ncnn", pair, new, {**wanted, "format": "onxx"}),
        ("ExportError --format ncnn does not go with --alpha-input", pair, "m.param", {**wanted, "format": "ncnn"}),
        (
            "ExportError the output m.param has no .onnx suffix; expected a name such as m.onnx; .param is "
            "--format ncnn",
            pair,
            "m.param",
            {"alphas": [1]},
        ),
        (
            "ExportError the output m.onnx has no .param suffix; expected a name such as m.param; .onnx is "
            "--format onnx",
            pair,
            "m.onnx",
            {"alphas": [1], "format": "ncnn"},
        ),
        (
            f"OutputError {folder / 'there.bin'} exists already",
            pair,
            str(folder / "there.param"),
            {"alphas": [1], "format": "ncnn"},
        ),
        *(
            (
                f"ExportError --format ncnn does not go with --{option}",
                pair,
                "m.param",
                {"alphas": [1], "format": "ncnn", **settings},
            )
            for option, settings in {
                "weights external": {"weights": "external"},
                "single-input baked": {"single_input": "baked"},
                "opset": {"opset": 18},
                "ncnn-form": {"ncnn_form": True},
                "static": {"static": True},
            }.items()
        ),
    ]
    blends = [
        ("CheckpointError none.pth does not exist", [[pair[0], "none.pth"], str(folder / "c.pth"), 0.5]),
        ("EndpointError 1 endpoint given", [pair[:1], str(folder / "c.pth"), 0.5]),
        (f"OutputError {folder / 'there.pth'} exists already", [pair, str(folder / "there.pth"), 0.5]),
        ("OutputError the output c.doc has an unknown suffix", [pair, "c.doc", 0.5]),
        ("AlphaError alpha 1.2 is out of range", [pair, str(folder / "c.pth"), 1.2]),
    ]
    return [
        *((message, "export", [endpoints, output], keywords) for message, endpoints, output, keywords in exports),
        *((message, "write_blend", arguments, {}) for message, arguments in blends),
        ("AlphaError alpha 5 is out of", "write_blend", [pair, "d.pth", 5], {"path": True, "at": [0, 4]}),
        ("EndpointError --through gives", "blend", [pair, 0.5], {"through": [pair[0]]}),
        ("EndpointError through is one checkpoint", "blend", [pair, 0.5], {"through": pair[0], "curve": True}),
        ("CheckpointError none.pth does not exist", "blend", [[pair[0], "none.pth"], 0.5], {}),
        ("CheckpointError none.pth does not exist", "inspect_endpoints", [pair[0], "none.pth"], {}),
    ]


def test_what_needs_no_pytorch_is_refused_before_it_is_imported(folder: Path):
    before = sorted(folder.iterdir())
    cases = refusals(folder)
    result = forked(CALLS, json.dumps([case[1:] for case in cases]), cwd=folder).assert_ok()
    *lines, loaded = result.out.split("\n")[:-1]
    for (message, *_), line in zip(cases, lines, strict=True):
        assert line.startswith(message)
    assert loaded == ""
    assert sorted(folder.iterdir()) == before
    assert (folder / "there.onnx").read_text() == (folder / "there.pth").read_text() == "precious"


def test_the_check_above_can_fail(folder: Path):
    """A network that is not known is found out with PyTorch."""
    call = ("export", [[str(WEAK), str(STRONG)], "m.onnx"], {"alpha_input": True, "arch": "Nothing"})
    message, loaded = forked(CALLS, json.dumps([call]), cwd=folder).assert_ok().out.splitlines()
    assert message.startswith("ArchitectureError --arch 'Nothing' is no network that spandrel knows")
    assert "torch" in loaded.split()


@pytest.mark.parametrize("alphas", [(step / 2 for step in range(3)), np.linspace(0, 1, 3)], ids=["generator", "array"])
def test_alphas_may_be_whatever_can_be_gone_through_once(alphas: Any):
    """An array is neither true nor false, and a generator is empty the second time."""
    given = {name: each.default for name, each in inspect.signature(dni_deploy.export).parameters.items()}
    job = ExportJob(**{**given, "endpoints": [STRONG, WEAK], "output": "models", "alphas": alphas})
    for _ in range(2):
        assert job.pinned == ((0.0,), (0.5,), (1.0,))
        assert [path.name for path in job.outputs] == ["alpha-0.0.onnx", "alpha-0.5.onnx", "alpha-1.0.onnx"]


@pytest.mark.parametrize(
    "shape",
    [(1, 3, 16), (1, 3, -4, 16), (0, 3, 16, 16), (1, 3, 16.0, 16), "1,3,16,16", (1, 3, 2**20, 2**20)],
    ids=str,
)
def test_a_shape_that_is_none_is_refused(shape: Any):
    given = {name: each.default for name, each in inspect.signature(dni_deploy.export).parameters.items()}
    asked = {"endpoints": [STRONG, WEAK], "output": "m.onnx", "alpha_input": True, "input_shape": shape}
    with pytest.raises(DniError, match=r"input_shape is .*; expected N, C, H and W, whole numbers from 1 on"):
        ExportJob(**{**given, **asked})
