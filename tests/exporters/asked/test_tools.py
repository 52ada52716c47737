"""`--for TOOL` and `--ir-version`: what they set, what they contradict, and what is in the files that are written."""

import inspect
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from commands import dni
from exporting import assert_close, blended, expected, photo, run, small_pair

import dni_exporters
from dni_deploy.demo import STRONG, WEAK
from dni_exporters import export
from dni_exporters.asked.tools import TOOLS, listed
from dni_exporters.job import ExportJob
from dni_runtime import ExportError

ONE_ALPHA = {"alphas": [0.3]}
ANY_ALPHA = {"alpha_input": True}


def job(**asked: Any) -> ExportJob:
    given = {name: each.default for name, each in inspect.signature(dni_exporters.export).parameters.items()}
    output = "m.param" if asked.get("tool") in ("upscayl", "realesrgan-ncnn-vulkan", "android") else "m.onnx"
    return ExportJob(**{**given, "endpoints": [WEAK, STRONG], "output": output, **asked})


@pytest.mark.parametrize(
    ("tool", "asked", "wanted"),
    [
        ("chainner", ONE_ALPHA, {"single_input": "baked", "ir_version": 8, "wanted_opset": 18, "baked": True}),
        ("chainner", ANY_ALPHA, {"single_input": "plane", "ir_version": 8, "wanted_opset": 18, "plane": True}),
        ("vs-mlrt", ONE_ALPHA, {"single_input": "baked", "ir_version": None, "wanted_opset": 18}),
        ("vs-mlrt", ANY_ALPHA, {"single_input": "plane", "ir_version": None, "wanted_opset": 18}),
        ("vapoursynth", {}, {"alpha_input": True, "single_input": None, "wanted_opset": None}),
        ("comfyui", ANY_ALPHA, {"alpha_input": True, "single_input": None}),
        ("comfyui", ONE_ALPHA, {"alpha_input": False, "baked": True}),
        ("upscayl", ONE_ALPHA, {"format": "ncnn", "is_for_ncnn": True}),
        ("realesrgan-ncnn-vulkan", ONE_ALPHA, {"format": "ncnn"}),
        ("android", ONE_ALPHA, {"format": "ncnn"}),
        (
            "chainner",
            {**ANY_ALPHA, "single_input": "plane", "opset": 17},
            {"single_input": "plane", "wanted_opset": 17},
        ),
        ("upscayl", {**ONE_ALPHA, "format": "ncnn"}, {"format": "ncnn"}),
    ],
)
def test_what_a_tool_sets(tool: str, asked: dict[str, Any], wanted: dict[str, Any]):
    made = job(tool=tool, **asked)
    assert {name: getattr(made, name) for name in wanted} == wanted


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (
            {"tool": "chainer", **ANY_ALPHA},
            r"--for 'chainer': there is no such tool; expected one of chainner, comfyui",
        ),
        ({"tool": "upscayl", **ANY_ALPHA}, r"--for upscayl needs --alpha X, or several: it reads files whose weights"),
        ({"tool": "android"}, r"--for android needs --alpha X"),
        ({"tool": "chainner"}, r"say which model to make"),
        ({"tool": "vapoursynth", **ANY_ALPHA, **ONE_ALPHA}, r"say which model to make"),
        (
            {"tool": "chainner", **ONE_ALPHA, "single_input": "plane"},
            r"--for chainner means --single-input baked, and --single-input plane was given; leave one of the two out",
        ),
        ({"tool": "chainner", **ANY_ALPHA, "ir_version": 9}, r"means --ir-version 8, and --ir-version 9 was given"),
        ({"tool": "chainner", **ANY_ALPHA, "opset": 20}, r"--opset 20 needs IR version 9 or later, --ir-version asked"),
        ({"tool": "vs-mlrt", **ONE_ALPHA, "format": "ncnn"}, r"means --format onnx, and --format ncnn was given"),
        ({"tool": "upscayl", **ONE_ALPHA, "format": "onnx"}, r"means --format ncnn, and --format onnx was given"),
        ({"tool": "upscayl", **ONE_ALPHA, "output": "m.onnx"}, r"such as m.param; .onnx is --format onnx"),
        ({"tool": "upscayl", **ONE_ALPHA, "ir_version": 8}, r"--format ncnn does not go with --ir-version"),
        ({"tool": "chainner", **ONE_ALPHA, "ncnn_form": True}, r"--ncnn-form does not go with --for chainner"),
        ({**ANY_ALPHA, "ir_version": 7}, r"--ir-version is 7; expected a whole number from 8 to 13"),
        ({**ANY_ALPHA, "ir_version": 14}, r"--ir-version is 14; expected a whole number from 8 to 13"),
        ({**ANY_ALPHA, "ir_version": 8, "opset": 19}, r"newest operator set is 18; leave one of the two out"),
    ],
)
def test_what_contradicts_is_refused(asked: dict[str, Any], message: str):
    with pytest.raises(ExportError, match=message):
        job(**asked)


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        ({"ir_version": 8}, (8, 18)),
        ({"ir_version": 9}, (9, 20)),
        ({"ir_version": 13}, (13, 20)),
        ({"ir_version": 11, "opset": 18}, (11, 18)),
        ({"ir_version": 9, "single_input": "plane"}, (9, 20)),
    ],
    ids=str,
)
def test_the_versions_are_those_of_the_file(tmp_path: Path, asked: dict[str, Any], wanted: tuple[int, int]):
    network, (a, b) = small_pair()
    path = tmp_path / "model.onnx"
    export([a, b], path, alpha_input=True, arch=network, verdict=False, **asked)
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    assert (model.ir_version, model.opset_import[0].version) == wanted
    image = photo(3, 24, 20)
    feeds = [image[None], np.array([0.3], np.float32)]
    if "single_input" in asked:
        feeds = [np.concatenate([image, np.full_like(image[:1], 0.3)])[None]]
    assert_close(run(path, *feeds), expected(network, blended(a, b, 0.3), image[None]))


def test_baked_files_have_them_too(tmp_path: Path):
    network, (a, b) = small_pair()
    export([a, b], tmp_path / "both", alphas=[0, 0.3], arch=network, verdict=False, tool="chainner")
    for path in (tmp_path / "both").iterdir():
        model = onnx.load(path)
        assert (model.ir_version, model.opset_import[0].version) == (8, 18)
    image = photo(3, 24, 20)[None]
    assert_close(run(tmp_path / "both" / "alpha-0.3.onnx", image), expected(network, blended(a, b, 0.3), image))


def test_the_help_lists_what_each_sets():
    text = " ".join(dni("export", "--help").assert_ok().out.split())
    for name in TOOLS:
        assert name in listed()
    assert "upscayl, realesrgan-ncnn-vulkan, android: --format ncnn." in text


def test_the_command_line(tmp_path: Path):
    path = tmp_path / "m.onnx"
    result = dni("export", WEAK, STRONG, "--for", "vapoursynth", "-o", path, "--no-verdict").assert_ok()
    assert "equals PyTorch" in result.out
    assert [value.name for value in onnx.load(path).graph.input] == ["input", "alpha"]
    dni("export", WEAK, STRONG, "--for", "upscayl", "--alpha-input", "-o", path).assert_error("--for upscayl needs")
    assert dni("export", WEAK, STRONG, "--for", "gimp", "--alpha-input", "-o", path).code == 2
