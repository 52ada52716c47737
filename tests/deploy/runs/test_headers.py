"""What the headers of inputs tell is refused before a model is loaded."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from commands import names
from onnx_models import conv_stack, picture, save
from photographs import save_image

from dni_deploy.image_files.image_file import Writing
from dni_deploy.image_files.read_write import read_image
from dni_deploy.runs import RunJob, run
from dni_deploy.terminal import Terminal
from dni_runtime import DniError, OutputError


@pytest.fixture
def job(tmp_path: Path) -> RunJob:
    """Of a folder of three plain photographs, for a model that no run could load."""
    for name in ("a.jpg", "b.png", "c.webp"):
        save_image(tmp_path / "photos" / name, picture(12, 16, 3))
    unknown = conv_stack(scale=4)
    unknown.graph.node[-1].op_type = "NoSuchOperator"
    model = save(unknown, tmp_path / "model.onnx")
    return RunJob(model=model, inputs=[tmp_path / "photos"], output=tmp_path / "out", alphas=[0.5])


def as_format(job: RunJob, name: str, **changes: object) -> RunJob:
    return replace(job, name="{name}{suffix}", writing=Writing(format=name), **changes)


@pytest.mark.parametrize("kind", ["png", "jpg", "webp", "tiff"])
def test_plain_photographs_may_be_of_any_format(job: RunJob, kind: str):
    assert as_format(job, kind).check().remarks == ()


@pytest.mark.parametrize("bits", [np.uint8, np.uint16])
def test_opacity_that_the_format_does_not_hold(job: RunJob, tmp_path: Path, bits: type):
    image = picture(12, 16, 4, dtype=bits)
    image[:, :, 3] = np.iinfo(bits).max
    image[5, 5, 3] -= 1
    save_image(tmp_path / "photos" / "b2.png", image)
    as_format(job, "png").check()
    with pytest.raises(OutputError, match=r"b2\.png\.jpg cannot be written: JPEG holds no opacity; write \.png"):
        as_format(job, "jpg").check()


def test_an_opacity_that_is_full_everywhere_is_none(job: RunJob, tmp_path: Path):
    image = picture(12, 16, 4)
    image[:, :, 3] = 255
    save_image(tmp_path / "photos" / "b2.png", image)
    save(conv_stack(), tmp_path / "model.onnx")
    assert [result.error for result in run(as_format(job, "jpg"), Terminal(sys.stderr))] == [None] * 4
    assert read_image(tmp_path / "out" / "b2.png.jpg").shape == (12, 16, 3)


def test_sixteen_bits_and_how_many_results_are_concerned(job: RunJob, tmp_path: Path):
    for name in ("d.png", "e.png"):
        save_image(tmp_path / "photos" / name, picture(12, 16, 3, dtype=np.uint16))
    message = r"d\.png\.webp cannot be written: WEBP holds no 16-bit .* with 1 more of 5 results \(.*out/e\.png\.webp\)"
    with pytest.raises(OutputError, match=message):
        as_format(job, "webp").check()
    assert names(tmp_path) == ["model.onnx", "photos"]


@pytest.mark.parametrize(
    ("kind", "changes", "size"),
    [("webp", {}, "16400x8"), ("webp", {"output_scale": 4.0}, "16400x8"), ("jpg", {"output_scale": 16.5}, "67650x33")],
)
def test_the_size_of_the_result(job: RunJob, tmp_path: Path, kind: str, changes: dict[str, object], size: str):
    save_image(tmp_path / "photos" / "wide.png", np.zeros((2, 4100, 3), np.uint8))
    with pytest.raises(OutputError, match=rf"wide\.png\.{kind} cannot be written: {size} pixels are too many"):
        as_format(job, kind, **changes).check()
    as_format(job, kind, output_scale=1.0).check()


def test_what_is_damaged_or_too_large_is_left_to_its_turn(job: RunJob, tmp_path: Path):
    (tmp_path / "photos" / "b.png").write_bytes(b"no image")
    (tmp_path / "photos" / "d.png").symlink_to("none")
    save_image(tmp_path / "photos" / "large.png", np.zeros((2000, 1000, 4), np.uint8))
    assert as_format(job, "jpg", max_megapixels=1.9).check().remarks == ()
    with pytest.raises(OutputError, match="JPEG holds no opacity"):
        as_format(job, "jpg", max_megapixels=2.0).check()


def test_a_quality_for_what_loses_nothing_is_told(job: RunJob):
    of_png = replace(job, name="{index}.png", writing=Writing(quality=80))
    assert of_png.check().remarks == ("--quality changes nothing: PNG loses nothing",)
    assert replace(job, writing=Writing(quality=80)).check().remarks == ()  # of which two are others


def test_a_jpeg_is_never_lossless(job: RunJob):
    with pytest.raises(OutputError, match=r"a\.jpg cannot be lossless, JPEG never is; expected another --format"):
        replace(job, writing=Writing(lossless=True)).check()
    assert as_format(job, "png", force=True).check().remarks == ()


def test_a_name_that_says_too_little_becomes_png_where_no_format_is_asked_for(job: RunJob, tmp_path: Path):
    save(conv_stack(), tmp_path / "model.onnx")
    rgba = save_image(tmp_path / "photos" / "d.png", picture(12, 16, 4))
    rgba.rename(tmp_path / "photos" / "d.jpg")
    assert job.check().remarks == (
        f"1 result becomes .png, for the format of the input's name does not hold it: {tmp_path / 'photos' / 'd.jpg'}",
    )
    results = run(job, Terminal(sys.stderr))
    assert [result.output.name for result in results] == ["a.jpg", "b.png", "c.webp", "d.png"]
    np.testing.assert_array_equal(read_image(results[3].output)[:, :, 3], picture(12, 16, 4)[:, :, 3])
    assert [result.kept for result in run(job, Terminal(sys.stderr))] == [True] * 4
    with pytest.raises(OutputError, match=r"d\.jpg cannot be written: JPEG holds no opacity"):
        replace(job, name="{stem}.jpg").check()
    with pytest.raises(OutputError, match=r"out\.jpg cannot be written: JPEG holds no opacity"):
        replace(job, inputs=[tmp_path / "photos" / "d.jpg"], output=tmp_path / "out.jpg").check()


def test_a_png_that_takes_the_place_of_another_result_is_refused(job: RunJob, tmp_path: Path):
    save_image(tmp_path / "photos" / "d.png", picture(12, 16, 4)).rename(tmp_path / "photos" / "b.jpg")
    with pytest.raises(OutputError, match=r"the results of .*b\.jpg and .*b\.png would both be .*b\.png"):
        job.check()


def test_a_format_that_pillow_was_built_without(job: RunJob, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("PIL.features.check", lambda feature: feature != "avif")
    as_format(job, "webp").check()
    with pytest.raises(OutputError, match=r"c\.webp\.avif cannot be written: Pillow is without AVIF here"):
        as_format(job, "avif").check()


def test_a_library_that_is_missing_is_left_to_its_turn(job: RunJob, monkeypatch: pytest.MonkeyPatch):
    def missing(file: Path) -> None:
        raise DniError("reading HEIC needs pillow-heif, which is not installed")

    monkeypatch.setattr("dni_deploy.runs.headers.read_header", missing)
    assert as_format(job, "jpg").check().remarks == ()
