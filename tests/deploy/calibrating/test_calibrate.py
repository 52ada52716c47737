"""`dni calibrate`: the alpha that is best for a level, told by the model itself, in a file otherwise the same."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from commands import command, dni, names
from onnx_models import METADATA, baked, conv_stack, save
from photographs import save_image
from sharp_or_blurred import JPEG, NOISE, saved, sharp_or_blurred

from dni_deploy.calibrating import calibrate
from dni_deploy.calibrating.clean import find_photographs, read_parts
from dni_deploy.calibrating.degrade import degrade
from dni_deploy.demo import PHOTOGRAPH
from dni_deploy.image_files.read_write import read_image
from dni_deploy.ship.model_file import read_model_file
from dni_runtime import InputError, load, read_metadata

LEVELS = [4, 8, 16]


@pytest.fixture
def clean(tmp_path: Path) -> Path:
    image = read_image(PHOTOGRAPH)
    save_image(tmp_path / "clean" / "a.png", image[100:180, 100:190])
    save_image(tmp_path / "clean" / "b.png", image[160:240, 200:290, 1])
    return tmp_path / "clean"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return saved(tmp_path / "model.onnx")


def stored(path: Path) -> Any:
    metadata = read_metadata(onnx.load(path))
    assert metadata is not None
    return metadata.calibration


def test_more_noise_wants_more_of_the_end_that_removes_it(model: Path, clean: Path, tmp_path: Path):
    seen: list[tuple[int, int]] = []
    report = calibrate(
        model, clean, noise=LEVELS, output=tmp_path / "new.onnx", progress=lambda *state: seen.append(state)
    )
    assert report.calibration == stored(tmp_path / "new.onnx")
    assert (report.calibration.kind, report.calibration.levels) == ("noise", (4.0, 8.0, 16.0))
    few, some, much = report.calibration.alphas
    assert 1 > few > some > much >= 0
    assert seen[-1][0] == seen[-1][1] == len(seen) == 11 * 3 * 16
    for best, low, high in zip(report.best_db, report.low_db, report.high_db, strict=True):
        assert best >= max(low, high)
    assert report.best_db[1] > max(report.low_db[1], report.high_db[1]) + 0.1


def test_no_alpha_near_it_does_better(model: Path, clean: Path):
    """By the errors themselves, computed here once more."""
    (alpha, _) = calibrate(model, clean, noise=[8, 16]).calibration.alphas
    parts = read_parts(find_photographs(clean), read_model_file(model).metadata.ratio or 1)  # type: ignore[arg-type]

    def error(alpha: float) -> float:
        with load(model, "cpu") as network:
            results = [network.enhance(degrade(part.given, "noise", 8, i), alpha) for i, part in enumerate(parts)]
        return float(
            np.mean([np.square(r.astype(float) - p.wanted).mean() for r, p in zip(results, parts, strict=True)])
        )

    here = error(alpha)
    assert here < error(alpha - 0.05)
    assert here < error(alpha + 0.05)


def test_the_file_is_the_same_but_for_the_calibration(model: Path, clean: Path):
    before = onnx.load(model)
    dni("calibrate", model, "--clean", clean, "--noise", "5:45:20", "--threads", 1).assert_ok()
    after = onnx.load(model)
    assert after.graph == before.graph
    assert stored(model).levels == (5.0, 25.0, 45.0)
    del before.metadata_props[:], after.metadata_props[:]
    assert after == before


def test_a_link_stays_one_and_a_file_as_readable_as_it_was(model: Path, clean: Path, tmp_path: Path):
    (tmp_path / "links").mkdir()
    link = tmp_path / "links" / "link.onnx"
    link.symlink_to(model)
    model.chmod(0o600)
    calibrate(link, clean, noise=(5, 40))
    assert link.is_symlink()
    assert stored(model) is not None
    assert model.stat().st_mode & 0o777 == 0o600
    assert list(link.parent.iterdir()) == [link]


def test_jpegs_are_calibrated_by_quality(model: Path, clean: Path):
    result = dni("calibrate", model, "--clean", clean, "--jpeg", "5,30,95", "--json").assert_ok().json
    coarse, middle, fine = result["calibration"]["alphas"]
    assert coarse <= middle <= fine
    assert coarse < fine
    assert result["calibration"]["kind"] == "jpeg"
    assert result["photographs"] == 2


@pytest.mark.parametrize("scale", [2.0, 0.5])
def test_a_network_that_changes_the_size_is_given_what_is_reduced(tmp_path: Path, clean: Path, scale: float):
    model = saved(tmp_path / "model.onnx", scale=scale)
    report = calibrate(model, clean, noise=[5, 50])
    assert report.calibration.alphas[0] > report.calibration.alphas[1]
    parts = read_parts(find_photographs(clean), read_model_file(model).metadata.ratio or 1)  # type: ignore[arg-type]
    assert {(part.given.shape[0], part.wanted.shape[0]) for part in parts} == {(40, 80) if scale == 2 else (80, 40)}


def test_grey_photographs_are_spoiled_in_colour(clean: Path):
    """Noise apart in each channel, as in photographs in colour; one grey photograph would bend the curve else."""
    parts = read_parts([clean / "b.png"], Fraction(1))
    assert {part.given.shape for part in parts} == {(80, 80, 3)}
    spoiled = degrade(parts[0].given, "noise", 20, 0)
    assert (spoiled[:, :, 0] != spoiled[:, :, 1]).mean() > 0.9


def test_alpha_may_have_another_range(tmp_path: Path, clean: Path):
    model = saved(tmp_path / "model.onnx", alpha_range=(-1.0, 3.0))
    (low, high) = calibrate(model, clean, noise=[2, 60]).calibration.alphas
    assert -1 <= high < low <= 3


def test_the_same_again_is_the_same(model: Path, clean: Path, tmp_path: Path):
    for name in ("one.onnx", "two.onnx"):
        calibrate(model, clean, noise=[5, 40], output=tmp_path / name)
    assert (tmp_path / "one.onnx").read_bytes() == (tmp_path / "two.onnx").read_bytes()


def test_weights_in_another_file_stay_there(tmp_path: Path, clean: Path):
    model = save(sharp_or_blurred(), tmp_path / "model.onnx", external=True)
    weights = (tmp_path / "model.onnx.data").read_bytes()
    dni("calibrate", model, "--clean", clean, "--noise", "5,40", "-o", tmp_path / "new.onnx").assert_ok()
    assert (tmp_path / "model.onnx.data").read_bytes() == weights
    with load(tmp_path / "new.onnx", "cpu") as network:
        assert network.require_calibration().levels == (5.0, 40.0)
    (tmp_path / "elsewhere").mkdir()
    dni(
        "calibrate", model, "--clean", clean, "--noise", "5,40", "-o", tmp_path / "elsewhere" / "new.onnx"
    ).assert_error("would miss its weights, which are in model.onnx.data beside")


def test_a_curve_that_is_level_is_told(model: Path, clean: Path):
    """So little noise that rounding takes it: the end that changes nothing is the best."""
    result = dni("calibrate", model, "--clean", clean, "--noise", "0.1,0.2", "--json").assert_ok()
    assert result.json["calibration"]["alphas"] == [1, 1]
    assert "the best alpha is 1 at every level of noise; calibrate for others, or this model's alpha" in result.err


def test_inspect_shows_the_curve(tmp_path: Path):
    path = saved(tmp_path / "model.onnx", NOISE)
    shown = dni("inspect", path).assert_ok().out.splitlines()
    start = shown.index("calibrated: the best alpha for each sigma of the noise, of 255")
    assert [line.split() for line in shown[start + 1 : start + 6]] == [
        ["noise", "alpha", "0", "1"],
        ["5", "1", "." * 40 + "o"],
        ["15", "0.8", "." * 32 + "o"],
        ["30", "0.4", "." * 16 + "o"],
        ["60", "0", "o"],
    ]
    assert dni("inspect", path, "--json").assert_ok().json["metadata"]["calibration"] == NOISE.to_dict()
    assert "calibrated" not in dni("inspect", saved(tmp_path / "plain.onnx")).assert_ok().out


def test_it_needs_no_torch(model: Path, clean: Path, tmp_path: Path):
    (tmp_path / "torch.py").write_text("raise RuntimeError('torch was imported')")
    command(
        "dni", "calibrate", model, "--clean", clean, "--noise", "5,40", PYTHONPATH=python_path(tmp_path)
    ).assert_ok()


def python_path(first: Path) -> str:
    import os

    return os.pathsep.join([str(first), *filter(None, [os.environ.get("PYTHONPATH")])])


# What is refused before the model runs: nothing is written, and what was there stays.
REFUSED: list[tuple[str, Any, list[str], str]] = [
    ("no folder", None, ["--clean", "nowhere"], "nowhere is no folder; expected one with clean photographs"),
    ("an empty folder", None, ["--clean", "empty"], "empty holds no image"),
    ("a small photograph", None, ["--clean", "small"], "expected 32x32 or more: take it out of the folder"),
    ("no image", None, ["--clean", "broken"], "is not an image of a kind that is read"),
    ("what is there", None, ["-o", "there.onnx"], "there.onnx exists already; choose another output, or replace"),
    ("another suffix", None, ["-o", "new.txt"], "the output new.txt has no .onnx suffix; expected a name such as"),
    ("a folder", None, ["-o", "empty.onnx", "--force"], "empty.onnx is a folder; a result needs its name"),
    ("a file as a folder", None, ["-o", "there.onnx/new.onnx"], "cannot be made"),
    ("calibrated", lambda: sharp_or_blurred(NOISE), [], "is calibrated for noise already, which is kept; replace"),
    ("baked", lambda: baked(0.3), [], "is baked, there is no alpha to choose; expected one exported with"),
    ("numbers", lambda: sharp_or_blurred(endpoints=METADATA.endpoints * 2), [], "takes an alpha of 3 numbers; exp"),
    ("another tool's", lambda: conv_stack(metadata=None), [], "has no dni metadata; expected a model that dni-export"),
    ("no scale", lambda: sharp_or_blurred(scale=None), [], "has no scale (output size / input size)"),
    ("falling levels", None, ["--noise", "25,5"], "levels of noise are [25.0, 5.0]; expected 2 to 256 numbers"),
    ("one level", None, ["--noise", "25:25:5"], "levels of noise are [25.0]; expected 2 to 256"),
    ("levels beyond", None, ["--noise", "5:300:5"], "expected 2 to 256 numbers in 0..255"),
]  # fmt: skip


@pytest.mark.parametrize(("make", "options", "sentence"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_what_cannot_be_is_refused_before_the_work(
    tmp_path: Path, clean: Path, monkeypatch: pytest.MonkeyPatch, make: Any, options: list[str], sentence: str
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("dni_deploy.calibrating.job.load", None)  # it is not even opened
    save((make or sharp_or_blurred)(), tmp_path / "model.onnx")
    for folder in ("empty", "empty.onnx", "small", "broken"):
        (tmp_path / folder).mkdir()
    save_image(tmp_path / "small" / "a.png", read_image(PHOTOGRAPH)[:31, :200])
    (tmp_path / "broken" / "a.png").write_bytes(b"no image")
    (tmp_path / "there.onnx").write_bytes(b"kept")
    before = {name: (tmp_path / name).stat().st_mtime_ns for name in names(tmp_path)}
    defaults = {"--clean": "clean", "--noise": "5:45:20"}
    arguments = [part for name, value in defaults.items() if name not in options for part in (name, value)]
    dni("calibrate", "model.onnx", *arguments, *options).assert_error(sentence)
    assert {name: (tmp_path / name).stat().st_mtime_ns for name in names(tmp_path)} == before
    assert (tmp_path / "there.onnx").read_bytes() == b"kept"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ([], "give either --noise LO:HI:STEP or --jpeg LO:HI:STEP, not both or none"),
        (["--noise", "5:45:5", "--jpeg", "5:95:5"], "give either --noise LO:HI:STEP or --jpeg LO:HI:STEP, not both"),
        (["--noise", "much"], "'much' is no list of levels; expected LO:HI:STEP (5:75:5) or numbers (5,15,25)"),
        (["--noise", "5:45:0"], "'5:45:0' is no list of levels"),
    ],
)
def test_levels_that_are_none_are_wrong_usage(model: Path, clean: Path, options: list[str], sentence: str):
    dni("calibrate", model, "--clean", clean, *options).assert_usage(sentence)


def test_qualities_are_whole_numbers(model: Path, clean: Path):
    with pytest.raises(InputError, match=r"the levels of jpeg are 5.5, 10; expected whole numbers"):
        calibrate(model, clean, jpeg=[5.5, 10])
    with pytest.raises(InputError, match="give the levels of either noise or jpeg"):
        calibrate(model, clean)


def test_a_calibration_is_replaced_by_force(tmp_path: Path, clean: Path):
    model = saved(tmp_path / "model.onnx", JPEG)
    dni("calibrate", model, "--clean", clean, "--noise", "5,40", "--force").assert_ok()
    assert stored(model).kind == "noise"


def test_photographs_of_other_depths_are_the_same_photographs(tmp_path: Path):
    image = read_image(PHOTOGRAPH)[100:300, 100:320]
    kinds = {"a.png": image, "b.png": image.astype(np.uint16) * 257, "c.tif": (image / 255).astype(np.float32)}
    first, *others = [read_parts([save_image(tmp_path / name, kind)], Fraction(1))[0] for name, kind in kinds.items()]
    for other in others:
        np.testing.assert_array_equal(other.wanted, first.wanted)
