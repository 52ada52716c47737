"""A run from Python: one object says what it is asked to be."""

import shutil
import sys
from dataclasses import FrozenInstanceError, replace
from pathlib import Path

import pytest
from commands import results_in
from onnx_models import conv_stack, save, save_ort
from photographs import noisy_crop, save_image
from with_knobs import with_knob

from dni_deploy.frames.finished import FOLDER
from dni_deploy.runs import RunJob, run, write_sheet
from dni_deploy.terminal import Terminal
from dni_runtime import AlphaError, InputError, OutputError


@pytest.fixture
def job(tmp_path: Path) -> RunJob:
    photo = save_image(tmp_path / "photos" / "a.png", noisy_crop(20, 30))
    model = save(conv_stack(), tmp_path / "model.onnx")
    return RunJob(model=model, inputs=[photo], output=tmp_path / "out", alphas=[0.25, (0.5,)], provider="cpu")


def forget(job: RunJob) -> None:
    """As if another command had made what is there."""
    shutil.rmtree(job.output / FOLDER)


def test_what_is_asked_is_what_is_made(job: RunJob, tmp_path: Path):
    results = run(job, Terminal(sys.stderr))
    assert [(result.input.name, result.output.name, result.alpha, result.strength) for result in results] == [
        ("a.png", "a_alpha0.25.png", (0.25,), "alpha 0.25"),
        ("a.png", "a_alpha0.50.png", (0.5,), "alpha 0.5"),
    ]
    assert results_in(job.output) == ["a_alpha0.25.png", "a_alpha0.50.png"]
    write_sheet(tmp_path / "sheet.png", results)
    assert (tmp_path / "sheet.png").exists()


def test_alphas_by_name_are_told_apart_before_a_model_knows_their_order(job: RunJob, tmp_path: Path):
    save(with_knob(), tmp_path / "model.onnx")
    alphas = [{"alpha": 1.0, "late": 0.0}, {"late": 1.0, "alpha": 0.0}, 0.5, (0.5, 0.25)]
    named = replace(job, alphas=alphas)
    made = ["a_alpha0.00_1.00.png", "a_alpha0.50_0.25.png", "a_alpha0.50_0.50.png", "a_alpha1.00_0.00.png"]
    assert [result.alpha for result in run(named, Terminal(sys.stderr))] == [(1, 0), (0, 1), (0.5, 0.5), (0.5, 0.25)]
    assert results_in(job.output) == made
    forget(job)
    with pytest.raises(OutputError, match=r"a_alpha1\.00_0\.00\.png and 3 more results exist already"):
        run(named, Terminal(sys.stderr))
    with pytest.raises(InputError, match="alpha 1,0 was given more than once"):
        run(replace(job, alphas=[alphas[0], (1.0, 0.0)], output=tmp_path / "new"), Terminal(sys.stderr))


def test_results_have_the_names_that_the_model_gives_them_before_it_is_loaded(job: RunJob, tmp_path: Path):
    run(job, Terminal(sys.stderr))
    knob = replace(job, model=save(with_knob(), tmp_path / "knob.onnx"), alphas=[0.25, 0.5])
    with pytest.raises(
        OutputError, match=r"a_alpha0\.50_0\.50\.png is an input or the output and would be overwritten"
    ):
        replace(knob, sheet=job.output / "a_alpha0.50_0.50.png").check()
    with pytest.raises(OutputError, match=r"a_alpha0\.50\.png exists already and is kept"):
        replace(knob, sheet=job.output / "a_alpha0.50.png").check()
    run(knob, Terminal(sys.stderr))  # beside those of the plain model
    assert results_in(job.output) == sorted(
        f"a_alpha{label}.png" for label in ("0.25", "0.50", "0.25_0.25", "0.50_0.50")
    )
    forget(knob)
    with pytest.raises(OutputError, match=r"a_alpha0\.25_0\.25\.png and 1 more results exist already"):
        knob.check()


def test_alphas_that_the_file_does_not_take_are_refused_before_it_is_loaded(job: RunJob, tmp_path: Path):
    with pytest.raises(AlphaError, match=r"alpha 1\.5 is out of range"):
        replace(job, alphas=[0.5, 1.5]).check()
    with pytest.raises(AlphaError, match=r"2 value\(s\); expected a finite number in 0\.\.1"):
        replace(job, alphas=[(0.5, 0.5)]).check()
    save(with_knob(), tmp_path / "model.onnx")
    with pytest.raises(AlphaError, match=r"expected a finite number in 0\.\.1, or 2 of them, for alpha, late"):
        replace(job, alphas=[{"early": 0.5, "alpha": 0.5}]).check()


def test_names_of_an_ort_files_results_are_known_once_it_is_loaded(job: RunJob, tmp_path: Path):
    file = save_ort(with_knob(), tmp_path / "knob.ort")
    ort = replace(job, model=file, alphas=[0.25, {"alpha": 1.0, "late": 0.5}])
    (job.output).mkdir()
    (job.output / "a_alpha0.25.png").touch()  # what a plain model's would be called
    sheet = replace(ort, sheet=job.output / "a_alpha1.00_0.50.png")
    with pytest.raises(
        OutputError, match=r"a_alpha1\.00_0\.50\.png is an input or the output and would be overwritten"
    ):
        run(sheet, Terminal(sys.stderr))
    assert results_in(job.output) == ["a_alpha0.25.png"]
    run(ort, Terminal(sys.stderr))
    assert results_in(job.output) == ["a_alpha0.25.png", "a_alpha0.25_0.25.png", "a_alpha1.00_0.50.png"]
    forget(ort)
    with pytest.raises(OutputError, match=r"a_alpha0\.25_0\.25\.png and 1 more results exist already"):
        run(ort, Terminal(sys.stderr))


def test_what_is_there_is_refused_until_it_is_forced(job: RunJob):
    run(job, Terminal(sys.stderr))
    forget(job)
    with pytest.raises(OutputError, match=r"a_alpha0\.25\.png and 1 more results exist already"):
        job.check()
    again = replace(job, force=True)
    again.check()
    assert [result.error for result in run(again, Terminal(sys.stderr))] == [None, None]


def test_a_table_takes_the_place_of_alphas(job: RunJob, tmp_path: Path):
    with pytest.raises(InputError, match=r"either --alpha .* or --alpha-from .*, not both"):
        replace(job, alpha_from=tmp_path / "table.csv")
    table = replace(job, alphas=(), inputs=[tmp_path / "photos"], alpha_from=tmp_path / "table.csv")
    with pytest.raises(InputError, match=r"table\.csv does not exist; expected a CSV file"):
        table.check()
    (tmp_path / "table.csv").write_text("file,alpha\na.png,0.75\n")
    (made,) = run(table, Terminal(sys.stderr))
    assert (made.alpha, made.kept) == ((0.75,), False)
    (kept,) = run(table, Terminal(sys.stderr))
    assert (kept.alpha, kept.kept) == ((0.75,), True)


def test_a_finished_run_is_told_of_where_nothing_can_be_written_any_more(
    job: RunJob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "table.csv").write_text("file,alpha\na.png,0.75\n")
    table = replace(job, alphas=(), inputs=[tmp_path / "photos"], alpha_from=tmp_path / "table.csv")
    run(table, Terminal(sys.stderr))
    monkeypatch.setattr("os.access", lambda place, mode: Path(place) != job.output)  # root may write anywhere
    assert [result.kept for result in run(table, Terminal(sys.stderr))] == [True]
    (job.output / "a.png").unlink()
    with pytest.raises(OutputError, match=r"nothing can be written into the folder .*out; choose another output"):
        table.check()


@pytest.mark.parametrize("scale", [float("nan"), float("inf")])
def test_a_scale_is_a_number(job: RunJob, scale: float):
    with pytest.raises(InputError, match=f"--output-scale is {scale}; expected a finite number above 0"):
        replace(job, output_scale=scale)


def test_results_of_an_earlier_run_inside_the_tree_are_no_photographs(job: RunJob, tmp_path: Path):
    """They were run again, into out2/out1."""
    job = replace(job, inputs=[tmp_path / "photos"], recursive=True, alphas=[0.5])
    first, second = (replace(job, output=tmp_path / "photos" / name) for name in ("out1", "out2"))
    made = [result.output for result in run(first, Terminal(sys.stderr))]
    assert [file.relative_to(first.output) for file in made] == [
        result.output.relative_to(second.output) for result in run(second, Terminal(sys.stderr))
    ]
    of_results = replace(job, inputs=[first.output], output=tmp_path / "twice")
    assert [result.input for result in run(of_results, Terminal(sys.stderr))] == made


def test_a_sheet_beside_the_photographs_is_none_of_the_next_run(job: RunJob, tmp_path: Path):
    photos = tmp_path / "photos"
    job = replace(job, inputs=[photos], output=photos, alphas=[0.5], name="{stem}_x{suffix}")
    write_sheet(photos / "sheet.png", run(job, Terminal(sys.stderr)))
    for again in (job, replace(job, output=tmp_path / "out")):
        assert [result.input.name for result in run(again, Terminal(sys.stderr))] == ["a.png"]


def test_it_stays_as_it_was_checked(job: RunJob):
    with pytest.raises(FrozenInstanceError):
        job.force = True  # type: ignore[misc]
