"""Does the pair blend? What `dni inspect` and `dni-export` say of it, and what is kept of that."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from commands import dni
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor

from dni_deploy import read_image
from dni_deploy.demo import PHOTOGRAPH, STRONG, WEAK
from dni_runtime import read_metadata

ADVICE = "a curve around a trained middle may blend: dni fit A B --photos DIR -o C.safetensors"
BLENDS = "blends: a colour shift of 0.2 (dE2000) at most at 0.75, 0.5 and 0.25, on 6 built-in photographs"


def turned(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """The demo's network with the channels of its layers the other way round: equal pictures, and no line between."""
    found = dict(weights)
    layers = sorted({int(name.split(".")[1]) for name in weights})
    for layer in layers:
        for name in (f"body.{layer}.weight", f"body.{layer}.bias"):
            if name not in weights:
                continue
            tensor = weights[name]
            if tensor.dim() == 4 and layer != layers[0]:
                tensor = tensor.flip(1)
            found[name] = (tensor if layer == layers[-1] else tensor.flip(0)).contiguous()
    return found


@pytest.fixture(scope="module")
def apart(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("apart") / "turned.safetensors"
    save_file(turned(load_file(STRONG)), path)
    return path


def test_inspect_ends_with_the_verdict():
    lines = dni("inspect", WEAK, STRONG).assert_ok().out.splitlines()
    assert lines[-1] == f"verdict: {BLENDS}"
    assert lines[-2].startswith("the ends are 27.")
    assert lines[-2].endswith(" dB apart; tried on astronaut, camera, chelsea, coffee, coffee_green, rocket")
    assert [line.split()[:2] for line in lines[-5:-2]] == [["0.75", "0.2"], ["0.5", "0.2"], ["0.25", "0.2"]]


def test_inspect_tells_all_figures_in_json():
    verdict = dni("inspect", WEAK, STRONG, "--json").assert_ok().json["verdict"]
    assert (verdict["text"], verdict["blends"]) == (BLENDS, True)
    assert [figures["alpha"] for figures in verdict["figures"]] == [[0.75], [0.5], [0.25]]
    assert len(verdict["each"]) == 18
    wanted = {"alpha", "photograph", "colour_shift", "contrast", "detail", "to_mix_db", "finite"}
    assert verdict["each"][0].keys() == wanted
    assert verdict["ends_apart_db"] == pytest.approx(27.1, abs=0.2)


def test_a_pair_that_does_not_blend_is_a_verdict_and_no_error(apart: Path):
    result = dni("inspect", WEAK, apart).assert_ok()
    assert result.out.splitlines()[-1].startswith("verdict: does not blend: halos or grain (detail 1.")
    assert ADVICE in result.err
    assert ADVICE not in dni("inspect", WEAK, STRONG).assert_ok().err


def test_photographs_of_the_user_and_a_sheet(tmp_path: Path):
    photos, sheet = tmp_path / "photos", tmp_path / "new" / "sheet.png"
    photos.mkdir()
    with Image.open(PHOTOGRAPH) as photograph:
        photograph.save(photos / "cat.jpg")
    result = dni("inspect", WEAK, STRONG, "--photos", photos, "--sheet", sheet, "--json").assert_ok()
    assert result.json["verdict"]["photographs"] == ["cat.jpg", *(f"cat.jpg ({part})" for part in range(2, 7))]
    assert result.json["verdict"]["text"].endswith(", on 6 photographs given")
    drawn = read_image(sheet)
    assert drawn.shape[0] > 6 * 96
    assert drawn.shape[1] == 48 + 6 * 288 + 5 * 12  # A, three blends, B and the mix, three times as large
    row = drawn[200]
    assert np.unique(row, axis=0).shape[0] > 50  # photographs, not paper


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--photos", "nowhere"], "nowhere is no folder; expected one with photographs"),
        (["--photos", "empty"], "there is no photograph in empty; expected files named .bmp, .jpeg"),
        (["--sheet", "sheet.txt"], "the sheet sheet.txt has an unknown suffix; expected"),
        (["--sheet", "there.png"], "there.png exists already and is kept; replace it with --force"),
        (["--photos", ".", "--sheet", "there.png", "--force"], "would lie among the photographs as one of them"),
    ],
)
def test_what_is_refused_before_anything_is_compared(
    tmp_path: Path, options: list[str], said: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "there.png").touch()
    result = dni("inspect", WEAK, STRONG, *options)
    result.assert_error(said)
    assert result.out == ""
    assert (tmp_path / "there.png").read_bytes() == b""


def test_photographs_are_for_two_checkpoints():
    result = dni("inspect", WEAK, "--photos", ".")
    assert result.code == 2
    assert "--photos and --sheet are for two checkpoints" in result.err


def test_without_a_network_there_is_no_sheet(tmp_path: Path):
    torch.save({"weight": torch.ones(3, 3)}, tmp_path / "a.pth")
    result = dni("inspect", tmp_path / "a.pth", tmp_path / "a.pth", "--sheet", tmp_path / "s.png")
    assert result.code == 1
    said = "s.png is not written, there is nothing to show: not judged: the network is not known"
    assert result.err.splitlines()[-1].endswith(said)
    assert result.out.splitlines()[-1] == "verdict: not judged: the network is not known"
    assert not (tmp_path / "s.png").exists()


def test_an_export_says_it_and_the_file_keeps_it(tmp_path: Path, apart: Path):
    result = dni("export", WEAK, apart, "--alpha-input", "-o", tmp_path / "m.onnx").assert_ok()
    said = result.out.splitlines()[-1]
    assert said.startswith("does not blend: halos or grain (detail 1.")
    assert result.err.splitlines()[-1] == f"warning: the pair {said}; {ADVICE}"
    assert read_metadata(onnx.load(tmp_path / "m.onnx")).verdict == said
    shown = dni("inspect", tmp_path / "m.onnx").assert_ok().out.splitlines()
    assert ["verdict", said] in [line.split(maxsplit=1) for line in shown]
    assert dni("inspect", tmp_path / "m.onnx", "--json").assert_ok().json["metadata"]["verdict"] == said


def test_baked_files_keep_it_too(tmp_path: Path):
    report = dni("export", WEAK, STRONG, "--alpha", "0.5", "-o", tmp_path / "m.onnx", "--json").assert_ok().json
    assert report["verdict"]["text"] == BLENDS
    assert report["warnings"] == []
    assert read_metadata(onnx.load(tmp_path / "m.onnx")).verdict == BLENDS


def test_no_verdict_leaves_it_out(tmp_path: Path):
    path = tmp_path / "m.onnx"
    report = dni("export", WEAK, STRONG, "--alpha", "0.5", "-o", path, "--no-verdict", "--json").assert_ok().json
    assert report["verdict"] is None
    assert "judge the blend" not in report["seconds"]
    assert read_metadata(onnx.load(path)).verdict is None
    assert "\nverdict" not in dni("inspect", path).assert_ok().out
