"""`--compare`: before and after beside each result, or several strengths in one picture."""

import os
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from commands import dni, names
from onnx_models import conv_stack, save, save_ort
from photographs import noisy_crop, save_image
from PIL import Image, ImageCms, PngImagePlugin

from dni_deploy.image_files.read_write import read_image
from dni_deploy.runs import RunJob, run
from dni_deploy.terminal import Terminal
from dni_runtime import InputError, OutputError

MODEL_FILE = "model.onnx"


@pytest.fixture
def job(tmp_path: Path) -> RunJob:
    for name in ("a.png", "b.png"):
        save_image(tmp_path / "photos" / name, noisy_crop(20, 30))
    model = save(conv_stack(), tmp_path / MODEL_FILE)
    return RunJob(
        model=model, inputs=[tmp_path / "photos"], output=tmp_path / "out", alphas=[0.5], provider="cpu", compare=True
    )


def start(job: RunJob) -> list[str]:
    """What is noted of each result."""
    return [note for result in run(job, Terminal(sys.stderr)) for note in result.notes]


def test_each_result_has_a_comparison_beside_it(job: RunJob):
    assert start(job) == [f"compared in {job.output / name}" for name in ("a_compare.png", "b_compare.png")]
    assert [name for name in names(job.output) if not name.startswith(".")] == [
        "a.png", "a_compare.png", "b.png", "b_compare.png",
    ]  # fmt: skip
    photo, result = read_image(job.inputs[0] / "a.png"), read_image(job.output / "a.png")
    sheet = read_image(job.output / "a_compare.png")
    wide = 30 * (200 // 30 + 1)  # small pictures are shown larger
    for column, image in enumerate((photo, result)):
        left = 24 + column * (wide + 12)
        assert (sheet[24 : 24 + 140 : 7, left : left + wide : 7] == image).all()


def test_a_run_that_goes_on_makes_the_comparisons_that_are_missing(job: RunJob):
    start(job)
    kept = (job.output / "a_compare.png").stat().st_mtime_ns
    (job.output / "b_compare.png").unlink()
    assert start(job) == [f"compared in {job.output / 'b_compare.png'}"]
    assert (job.output / "a_compare.png").stat().st_mtime_ns == kept
    save_image(job.inputs[0] / "c.png", noisy_crop(20, 30))
    assert start(job) == [f"compared in {job.output / 'c_compare.png'}"]


def test_a_comparison_of_earlier_results_is_made_again(job: RunJob):
    """It stayed, and showed another strength than what lies beside it."""
    start(job)
    before = (job.output / "a_compare.png").read_bytes()
    start(replace(job, alphas=[0.9], force=True, compare=False))
    again = start(replace(job, alphas=[0.9]))
    assert again == [f"compared in {job.output / name}" for name in ("a_compare.png", "b_compare.png")]
    assert (job.output / "a_compare.png").read_bytes() != before


def test_what_is_made_again_is_compared_again(job: RunJob):
    """A comparison of ours was in the way of a result that somebody had deleted to have it made again."""
    start(job)
    (job.output / "b.png").unlink()
    assert start(job) == [f"compared in {job.output / 'b_compare.png'}"]


def test_an_older_picture_of_that_name_that_no_run_has_made_stays(job: RunJob):
    start(replace(job, compare=False))
    (job.output / "a_compare.png").write_text("precious")
    os.utime(job.output / "a_compare.png", (0, 0))
    assert start(job) == [f"compared in {job.output / 'b_compare.png'}"]
    assert (job.output / "a_compare.png").read_text() == "precious"


def test_a_run_of_an_ort_file_goes_on_beside_its_comparisons(job: RunJob, tmp_path: Path):
    """What such a file's results are called is known once it is loaded only."""
    job = replace(job, model=save_ort(conv_stack(), tmp_path / "model.ort"), alphas=[0.3, 0.5])
    assert len(start(job)) == 2
    assert start(job) == []


def test_a_file_that_is_no_comparison_of_what_is_there_is_kept(job: RunJob):
    job.output.mkdir()
    (job.output / "b_compare.png").write_text("precious")
    with pytest.raises(OutputError, match=r"b_compare\.png exists already; choose another output, or replace"):
        start(job)
    assert names(job.output) == ["b_compare.png"]
    start(replace(job, force=True))
    assert read_image(job.output / "b_compare.png").ndim == 3


def test_several_strengths_of_an_input_share_a_comparison(job: RunJob):
    several = replace(job, alphas=[0.0, 0.5, 1.0])
    assert start(several) == [f"compared in {job.output / name}" for name in ("a_compare.png", "b_compare.png")]
    assert read_image(job.output / "a_compare.png").shape[1] == 2 * 24 + 4 * 210 + 3 * 12


def test_photographs_of_one_name_and_two_kinds_have_a_comparison_each(job: RunJob):
    save_image(job.inputs[0] / "a.bmp", noisy_crop(20, 30))
    start(job)
    assert {"a.bmp_compare.png", "a.png_compare.png", "b_compare.png"} < set(names(job.output))


def test_an_image_of_several_strengths_is_their_comparison_and_nothing_else(job: RunJob, tmp_path: Path):
    model, photo = tmp_path / MODEL_FILE, job.inputs[0] / "a.png"
    arguments = ("run", model, photo, "--alpha", "0:1:0.5", "--provider", "cpu", "--compare", "-o")
    result = dni(*arguments, tmp_path / "new" / "choose.png").assert_ok()
    assert [line.split()[:3] for line in result.out.splitlines()] == [
        [str(tmp_path / "new" / "choose.png"), "alpha", alpha] for alpha in ("0", "0.5", "1")
    ]
    assert names(tmp_path / "new") == ["choose.png"]
    assert read_image(tmp_path / "new" / "choose.png").shape[1] == 2 * 24 + 4 * 210 + 3 * 12
    dni(*arguments, tmp_path / "new" / "choose.png").assert_error("choose.png exists already and is kept")
    dni(*arguments, photo, "--force").assert_error("is the input and would be overwritten")
    assert (read_image(photo) == noisy_crop(20, 30)).all()


def test_one_strength_in_a_file_has_its_comparison_beside_it(job: RunJob, tmp_path: Path):
    single = replace(job, inputs=[job.inputs[0] / "a.png"], output=tmp_path / "one.png")
    assert start(single) == [f"compared in {tmp_path / 'one_compare.png'}"]
    assert {"one.png", "one_compare.png"} < set(names(tmp_path))


def test_colours_are_those_of_the_photograph(job: RunJob):
    of_rgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    grey = of_rgb[:16] + b"GRAY" + of_rgb[20:]
    for name, icc in (("a.png", of_rgb), ("b.png", grey)):
        Image.fromarray(noisy_crop(20, 30)).save(job.inputs[0] / name, icc_profile=icc)
    start(job)
    with Image.open(job.output / "a_compare.png") as image:
        assert image.info["icc_profile"] == of_rgb
    with Image.open(job.output / "b_compare.png") as image:
        assert "icc_profile" not in image.info


def test_what_is_written_into_a_photograph_is_not_in_its_comparison(job: RunJob):
    """It was, with --strip as well: a picture to show to others with all that had been typed to make it."""
    text = PngImagePlugin.PngInfo()
    text.add_text("parameters", "a cat")
    text.add(b"gAMA", (50000).to_bytes(4, "big"))
    Image.open(job.inputs[0] / "a.png").save(job.inputs[0] / "a.png", pnginfo=text)
    start(job)
    with Image.open(job.output / "a_compare.png") as sheet:
        assert "parameters" not in sheet.info
        assert sheet.info["gamma"] == 0.5


def test_what_fails_has_no_comparison(job: RunJob):
    (job.inputs[0] / "a.png").write_bytes(b"no image")
    assert start(job) == [f"compared in {job.output / 'b_compare.png'}"]
    assert "a_compare.png" not in names(job.output)


def test_a_comparison_that_cannot_be_made_is_an_error_after_all_results(job: RunJob):
    def get_in_the_way(result: object) -> None:
        (job.output / "b_compare.png").mkdir(exist_ok=True)

    with pytest.raises(OutputError, match=r"^the comparison .*b_compare\.png cannot be made \(.*\)$"):
        run(job, Terminal(sys.stderr), get_in_the_way)
    assert (read_image(job.output / "b.png") == read_image(job.output / "a.png")).all()


def test_what_cannot_be_is_refused_first(job: RunJob, tmp_path: Path):
    with pytest.raises(InputError, match="--compare writes a picture beside the result; give -o a name"):
        replace(job, output=Path("-"))
    with pytest.raises(InputError, match="one image of several strengths is a sheet itself; leave --sheet out"):
        replace(
            job,
            inputs=[job.inputs[0] / "a.png"],
            alphas=[0.0, 1.0],
            output=tmp_path / "x.png",
            sheet=tmp_path / "s.png",
        )
    save_image(job.inputs[0] / "a_compare.png", np.zeros((4, 4, 3), np.uint8))
    with pytest.raises(OutputError, match=r"the comparison .*a_compare\.png would be an input or a result, too"):
        start(job)
    assert not job.output.exists()
