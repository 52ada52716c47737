"""The tables of `dni inspect` say everything, whatever the names look like and however narrow the terminal."""

import json
import re
import sys
from dataclasses import replace
from pathlib import Path

import click
import pytest
from onnx_models import METADATA

from dni_deploy import terminal
from dni_deploy.cli.inspecting.tables import print_endpoints, print_model
from dni_deploy.model_report import ModelReport, Weight
from dni_exporters import EndpointsReport, Lineage
from dni_exporters.report import Statistics
from dni_runtime import Endpoint
from dni_runtime.shares import Path as AlphaPath

LONG = "model.sub.23.RDB3.conv5.relative_position_bias_table.and_more_of_it.weight"
REPORT = ModelReport(
    path=Path("model.onnx"),
    file_bytes=1_500_000,
    metadata=METADATA,
    inputs={"input": "float32[N,3,H,W]"},
    outputs={"output": "float32[N,3,H,W]"},
    opset=18,
    operators={"Conv": 2},
    weights=(Weight("w", (4, 3, 3, 3), "float32", 864, True), Weight("s", (), "float32", 4, False)),
    storage={"endpoint A": {"float32": 432}, "endpoint B": {"float32": 432}, "shared": {"float32": 4}},
    graph_bytes=500,
    external_files=(),
)
ENDPOINTS = EndpointsReport(
    endpoints=("a.pth", "b.pth"), tensors=1, parameters=10, architecture="Net", scale=None, differences=(),
    lineage=Lineage({"w": 0.5}, 0.5, 0.1), outputs=(), notes=(),
)  # fmt: skip


def test_json_has_no_word_for_what_is_no_number(capsys: pytest.CaptureFixture[str]):
    outputs = (Statistics(1.0, float("nan"), float("inf")),)
    terminal.say_json(replace(ENDPOINTS, outputs=outputs).to_dict())
    found = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert found["outputs"] == [{"alpha": 1.0, "mean": None, "deviation": None}]
    assert found["lineage"]["overall_cosine"] == 0.5


def test_a_path_is_told_with_the_place_of_each_endpoint(capsys: pytest.CaptureFixture[str]):
    endpoints = tuple(Endpoint(f"{name}.pth", "0" * 64) for name in ("mild", "between", "bold"))
    curve = replace(METADATA, endpoints=endpoints, alpha_path=AlphaPath((4.0, 0.0), (1,)), alpha_range=(0.0, 4.0))
    print_model(replace(REPORT, metadata=curve))
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(" (SHA")[0] for line in lines if line.startswith("endpoint ")] == [
        "endpoint A    mild.pth, at 4",
        "endpoint B    between.pth, a middle",
        "endpoint C    bold.pth, at 0",
    ]
    assert "path          from mild.pth (4) around 1 middle to bold.pth (0)" in lines
    assert "alpha         0..4, no default" in lines
    assert replace(REPORT, metadata=curve).to_dict()["metadata"]["alpha_path"] == {"knots": (4.0, 0.0), "middles": (1,)}


def in_a_terminal(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    """Of `width` columns."""
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("TERM", "xterm")


def unbroken(text: str) -> str:
    """Without white space and line breaks: what is left is there whole, or not at all."""
    return re.sub(r"\s", "", text)


@pytest.mark.parametrize("width", [40, 80, 200])
def test_long_names_are_never_cut(width: int, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch):
    in_a_terminal(monkeypatch, width)
    weights = (Weight(LONG, (4, 3), "float32", 48, True),)
    print_model(replace(REPORT, weights=weights, path=Path(f"{LONG}.onnx"), operators={LONG: 3}))
    text = click.unstyle(capsys.readouterr().out)
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= width
    assert unbroken(text).count("RDB3") == 3 or width < 80  # a narrow table breaks names within its column


def test_names_of_layers_are_never_cut(capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch):
    in_a_terminal(monkeypatch, 60)
    print_endpoints(replace(ENDPOINTS, lineage=Lineage({LONG: 0.25}, 0.25, 0.1)))
    text = click.unstyle(capsys.readouterr().out)
    assert "…" not in text
    assert "0.250" in text


@pytest.mark.parametrize("name", ["layer[bold].weight", "[red]", "a[/b]", ":smile:", "x\\[i]"])
def test_names_that_look_like_markup(name: str, capsys: pytest.CaptureFixture):
    print_model(replace(REPORT, path=Path(f"{name}.onnx"), weights=(Weight(name, (1,), "float32", 4, False),)))
    assert capsys.readouterr().out.count(name) == 2
    print_endpoints(replace(ENDPOINTS, endpoints=(name, name), differences=(f"{name}: missing",), lineage=None))
    assert capsys.readouterr().out.count(name) == 3


def test_sizes_and_kinds_of_weights(capsys: pytest.CaptureFixture):
    print_model(REPORT)
    text = capsys.readouterr().out
    assert re.search(r"w +4x3x3x3 +float32 +0\.9 +blended", text)
    assert re.search(r"s +scalar +float32 +0\.0 +shared", text)
    assert "1.50 MB" in text


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"alpha_pinned": (0.3,)}, "baked for 0.3"),
        ({"alpha_default": (0.4,)}, "0..1, default 0.4"),
        ({"alpha_range": (-0.5, 1.5)}, "-0.5..1.5, no default"),
        ({"scale": None}, "scale undefined"),
        ({"overlap": None}, "reach unbounded or long"),
        ({"overlap": None, "view": "whole"}, "reach the whole image"),
        ({"overlap": 19, "view": "averages"}, "reach 19 px, and averages of all"),
        ({"size_multiple": 4, "size_minimum": 16}, "multiples of 4, at least 16"),
        ({"size_multiple": 128, "size_square": True}, "multiples of 128, height and width alike"),
        ({"size_multiple": 1, "size_minimum": 16}, "  at least 16; reach"),
        ({"size_multiple": 1, "size_minimum": 1}, "  any; reach"),
        ({"endpoints": METADATA.endpoints * 2}, "endpoint D"),
    ],
)
def test_what_the_metadata_says(changes: dict[str, object], expected: str, capsys: pytest.CaptureFixture):
    print_model(replace(REPORT, metadata=replace(METADATA, **changes)))
    assert expected in capsys.readouterr().out


def test_a_model_of_another_tool_and_external_weights(capsys: pytest.CaptureFixture):
    print_model(replace(REPORT, metadata=None, external_files=("a.data", "b.data"), weights=()))
    text = capsys.readouterr().out
    assert "another tool: no dni metadata" in text
    assert "a.data, b.data" in text


def test_ten_differences_and_the_three_least_alike_layers(capsys: pytest.CaptureFixture):
    differences = tuple(f"layer{index}: missing in b.pth" for index in range(100))
    print_endpoints(replace(ENDPOINTS, differences=differences, lineage=None))
    *_, last = lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if "missing" in line] == [f"  {line}" for line in differences[:10]]
    assert last == "  and 90 more: --json lists all"
    cosine = {f"layer{index}": index / 100 for index in range(99, -1, -1)}
    print_endpoints(replace(ENDPOINTS, lineage=Lineage(cosine, 0.5, 0.1)))
    assert "least alike layers  layer0 0.000, layer1 0.010, layer2 0.020\n" in capsys.readouterr().out


def test_one_difference_is_said_in_its_place(capsys: pytest.CaptureFixture):
    print_endpoints(replace(ENDPOINTS, differences=("a.pth is Compact x4, b.pth is ESRGAN x2",), lineage=None))
    assert capsys.readouterr().out.endswith("can be blended  no: a.pth is Compact x4, b.pth is ESRGAN x2\n")
