"""`dni fit`: from two checkpoints and photographs to a curve's middle, a sheet, and what is said of both."""

import contextlib
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from apart import photographs, through
from commands import dni, names
from safetensors.torch import load_file, save_file

from dni_deploy import read_image, terminal
from dni_deploy.demo import STRONG, WEAK
from dni_exporters.checkpoints.middles import read_middle
from dni_exporters.verdict.photographs import built_in
from dni_runtime import load


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> list[object]:
    """The arguments for two checkpoints whose straight line is dark, and for photographs."""
    folder = tmp_path_factory.mktemp("given")
    for name, (_, weights) in {"a": through(0), "b": through(3, contrast=0.6, seed=1)}.items():
        save_file(weights, folder / f"{name}.safetensors")
    arch = Path(sys.modules["apart"].__file__ or "")
    photos = photographs(folder / "photos")
    ends = [folder / "a.safetensors", folder / "b.safetensors"]
    return [*ends, "--photos", photos, "--arch", f"{arch}:TwoLayers", "--threads", "1"]


def test_a_middle_a_sheet_and_what_came_of_it(given: list[object], tmp_path: Path):
    output, sheet = tmp_path / "c.safetensors", tmp_path / "fit.png"
    result = dni("fit", *given, "-o", output, "--steps", "60", "--sheet", sheet, "--json").assert_ok()
    report = result.json
    assert report["files"] == [str(output)]
    assert report["kind"] == "quadratic"
    assert report["steps"] == 60
    assert min(each["to_mix_db"] for each in report["after"]["figures"]) > 24 > 15
    assert max(each["to_mix_db"] for each in report["before"]["figures"]) < 18
    assert report["before"]["blends"] is False
    assert [look["step"] for look in report["course"]] == [0, 25, 50, 60]
    middle = read_middle(output)
    assert middle is not None
    assert [end.file for end in middle.ends] == ["a.safetensors", "b.safetensors"]
    assert load_file(output).keys() == load_file(given[0]).keys()  # type: ignore[arg-type]
    height, width, _ = read_image(sheet).shape
    assert width > height > 1000  # seven columns, six rows
    assert "warning: it falls short of the mix: blends" in result.err


def test_a_fitted_pair_is_a_model_with_one_alpha_and_both_ends(given: list[object], tmp_path: Path):
    """From photographs to the runtime: the ends are A and B alone, bit for bit, and the middle is near their mix."""
    output, model = tmp_path / "c.safetensors", tmp_path / "m.onnx"
    dni("fit", *given, "-o", output, "--steps", "100").assert_ok()
    a, b, arch = given[0], given[1], given[5]
    dni("export", a, b, "--through", output, "--curve", "--alpha-input", "-o", model, "--arch", arch).assert_ok()
    dni("export", a, b, "--alpha", "1", "--alpha", "0", "-o", tmp_path / "ends", "--arch", arch).assert_ok()
    image = built_in()[0].window(64, 64).transpose(2, 0, 1)[None]
    with load(model, provider="cpu") as curve:
        ends = []
        for alpha in (1, 0):
            with load(tmp_path / "ends" / f"alpha-{alpha}.0.onnx", provider="cpu") as baked:
                ends.append(baked(image))
            np.testing.assert_array_equal(curve(image, alpha=alpha), ends[-1])
        away = np.abs(curve(image, alpha=0.5) - (ends[0] + ends[1]) / 2).mean()
    assert away < np.abs(ends[0] - ends[1]).mean() / 3


def test_the_summary_tells_before_and_after(given: list[object], tmp_path: Path):
    result = dni("fit", *given, "-o", tmp_path / "c.safetensors", "--steps", "40", "--curve", "cubic").assert_ok()
    lines = result.out.splitlines()
    assert [line.partition("  ")[2] for line in lines[:2]] == [
        "middle 1 of 2 of a cubic curve",
        "middle 2 of 2 of a cubic curve",
    ]
    assert lines[2].startswith("learnt in 40 steps, ")
    assert lines[2].endswith(" s, on cpu; all steps were done")
    assert lines[3].startswith("before: does not blend: a colour shift of ")
    assert lines[3].endswith(" dB to the mix of both pictures at 0.75, 0.5, 0.25")
    assert lines[4].startswith("after: blends with a colour shift of ")


def test_ctrl_c_says_how_to_go_on(given: list[object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    @contextlib.contextmanager
    def status(step: str) -> Iterator[Callable[[str], None]]:
        yield lambda said: signal.raise_signal(signal.SIGINT) if said.startswith("step 30,") else None

    output, state = tmp_path / "c.safetensors", tmp_path / "c.state.safetensors"
    with monkeypatch.context() as patched:
        patched.setattr(terminal, "status", status)
        result = dni("fit", *given, "-o", output, "--steps", "50")
    assert result.code == 1
    note, aborted = result.err.splitlines()
    assert note.startswith("note: stopped after 30 steps, the best at 25: at least ")
    assert note.endswith(f"kept in {state}: go on with the same command and --resume")
    assert aborted == "Aborted!"
    assert names(tmp_path) == [state.name]
    dni("fit", *given, "-o", output, "--steps", "50", "--resume").assert_ok()
    assert read_middle(output) is not None


def test_a_pair_that_blends_is_refused_in_one_message(given: list[object], tmp_path: Path):
    result = dni("fit", WEAK, STRONG, *given[2:4], "-o", tmp_path / "c.safetensors")
    result.assert_error("weak.safetensors and strong.safetensors blend on the straight line already (blends: a colour")
    assert "To fit all the same: --anyway." in result.err


def test_a_sheet_that_cannot_be_written_is_refused_first(given: list[object], tmp_path: Path):
    result = dni("fit", *given, "-o", tmp_path / "c.safetensors", "--sheet", tmp_path / "sheet.gif")
    result.assert_error("sheet.gif has an unknown suffix")


def test_a_sheet_replaces_no_photograph_and_becomes_none(given: list[object], tmp_path: Path):
    photos = Path(str(given[given.index("--photos") + 1]))
    before = {path: path.read_bytes() for path in photos.iterdir()}
    for name, option in ((next(iter(before)).name, "--force"), ("sheet.png", "--json")):
        result = dni("fit", *given, "-o", tmp_path / "c.safetensors", "--sheet", photos / name, option)
        result.assert_error("would lie among the photographs as one of them; choose another --sheet")
    assert {path: path.read_bytes() for path in photos.iterdir()} == before
    assert names(tmp_path) == []


def test_photographs_are_needed(tmp_path: Path):
    dni("fit", WEAK, STRONG, "-o", tmp_path / "c.safetensors").assert_usage("Missing option '--photos'")
