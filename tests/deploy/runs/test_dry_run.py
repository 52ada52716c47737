"""`dni run --dry-run`: everything is checked and listed, and nothing is made."""

import json
from pathlib import Path

import pytest
from commands import Result, dni, names
from onnx_models import conv_stack, picture, save
from photographs import save_image


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model and a tree of photographs."""
    for name in ("10.png", "2.png", "day/2.webp"):
        save_image(tmp_path / "photos" / name, picture(12, 16, 3))
    save(conv_stack(), tmp_path / "model.onnx")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def dry(*options: str) -> Result:
    return dni("run", "model.onnx", "photos", "--alpha", "0.5", "-o", "out", "--dry-run", *options)


def test_it_lists_what_would_be_made_in_the_order_in_which_it_would_be(here: Path):
    result = dry("--recursive", "--name", "{index}{suffix}", "--sheet", "sheet.png").assert_ok()
    assert result.out.splitlines() == [
        "out/1.png  alpha 0.5  would be made",
        "out/2.png  alpha 0.5  would be made",
        "out/day/3.webp  alpha 0.5  would be made",
    ]
    assert names(here) == ["model.onnx", "photos"]


def test_what_is_there_is_told_from_what_is_missing(here: Path):
    (here / "out").mkdir()
    dni("run", "model.onnx", "photos/2.png", "--alpha", "0.5", "-o", "out").assert_ok()
    before = {path: path.read_bytes() for path in (here / "out").rglob("*") if path.is_file()}
    assert dry().assert_ok().out.splitlines() == [
        "out/2.png  alpha 0.5  finished before",
        "out/10.png  alpha 0.5  would be made",
    ]
    assert dry("--skip-existing").assert_ok().out.splitlines() == [
        "out/2.png  alpha 0.5  there already",
        "out/10.png  alpha 0.5  would be made",
    ]
    said = [json.loads(line) for line in dry("--json").assert_ok().out.splitlines()]
    assert [(line["output"], line["kept"], line["error"]) for line in said] == [
        ("out/2.png", True, None),
        ("out/10.png", False, None),
    ]
    assert {path: path.read_bytes() for path in (here / "out").rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--alpha", "1.5"), "alpha 1.5 is out of range"),
        (("--name", "{stem}"), "calls a result '2'"),
        (("--sheet", "photos/2.png"), "is an input or the output"),
    ],
)
def test_it_refuses_what_the_run_would_refuse(options: tuple[str, ...], message: str):
    dry(*options).assert_error(message)


def test_what_is_in_the_way_is_refused_until_it_is_forced(here: Path):
    (here / "out").mkdir()
    (here / "out" / "10.png").write_text("precious")
    dry().assert_error("out/10.png exists already")
    assert dry("--force").assert_ok().out.count("would be made") == 2
    assert (here / "out" / "10.png").read_text() == "precious"


def test_a_run_whose_results_lie_beside_the_photographs_goes_on_and_takes_none_of_them(here: Path):
    options = ("--recursive", "--alpha", "0.5", "-o", "photos", "--name", "{stem}_x{suffix}")
    beside = ("run", "model.onnx", "photos", *options)
    assert dni(*beside).assert_ok().out.count(" s\n") == 3
    (here / "photos" / "day" / "2_x.webp").unlink()
    assert dni(*beside, "--dry-run").assert_ok().out.splitlines() == [
        "photos/2_x.png  alpha 0.5  finished before",
        "photos/10_x.png  alpha 0.5  finished before",
        "photos/day/2_x.webp  alpha 0.5  would be made",
    ]
    again = dni(*beside, "--compare").assert_ok()
    assert "left out: 2 of earlier runs\n" in again.err
    last = dni(*beside, "--compare").assert_ok()
    assert "left out: 6 of earlier runs\n" in last.err
    assert names(here / "photos" / "day") == ["2.webp", "2_x.webp", "2_x_compare.png"]
