"""Films that are interrupted, by whatever, and go on: the bytes are those of a run that was not."""

import errno
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dni_deploy import enhance_film
from dni_deploy.films.making.parts_folder import folder_of
from dni_deploy.films.target.part_file import PartFile
from dni_runtime import OutputError

LONG = 100  # frames of the film, in four parts


def interrupt_at(frame: int, error: type[BaseException] = KeyboardInterrupt) -> Callable[[float, int, Path], None]:
    def progress(done: float, total: int, file: Path) -> None:
        if done >= frame:
            raise error

    return progress


@pytest.fixture(scope="module")
def undisturbed(darkens: Path, long_grey: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    output = tmp_path_factory.mktemp("undisturbed") / "out.mkv"
    enhance_film(darkens, long_grey, output, 0.5)
    return output.read_bytes()


def test_ctrl_c_leaves_parts_that_a_run_goes_on_from(
    darkens: Path, long_grey: Path, tmp_path: Path, undisturbed: bytes
):
    output = tmp_path / "out.mkv"
    with pytest.raises(KeyboardInterrupt) as interrupt:
        enhance_film(darkens, long_grey, output, 0.5, progress=interrupt_at(70))
    (note,) = interrupt.value.__notes__
    assert note.startswith("interrupted: ")
    assert note.endswith(
        " of 4 parts are finished. What is finished stays: the same command with --resume goes on from here"
    )
    assert [path.name for path in tmp_path.iterdir()] == [folder_of(output).name]
    told: list[float] = []
    report = enhance_film(
        darkens, long_grey, output, 0.5, resume=True, progress=lambda done, total, file: told.append(done)
    )
    assert report.kept in (30, 60)  # of the third part not all frames were encoded
    assert told == [*range(report.kept + 1, LONG + 1)]
    assert report.frames == LONG
    assert output.read_bytes() == undisturbed
    assert [path.name for path in tmp_path.iterdir()] == ["out.mkv"]


def test_nothing_is_left_where_no_part_was_finished(darkens: Path, long_grey: Path, tmp_path: Path):
    with pytest.raises(KeyboardInterrupt) as interrupt:
        enhance_film(darkens, long_grey, tmp_path / "out.mkv", 0.5, progress=interrupt_at(5))
    assert interrupt.value.__notes__ == ["interrupted: 0 of 4 parts are finished"]
    assert [*tmp_path.iterdir()] == []


def test_a_film_that_is_there_is_nothing_to_go_on_with(same: Path, long_grey: Path, tmp_path: Path):
    """Not made by the run that is to go on, as far as anybody knows."""
    (tmp_path / "out.mkv").write_bytes(b"dear")
    with pytest.raises(OutputError, match=r"out\.mkv exists already, with no parts left to go on with; choose another"):
        enhance_film(same, long_grey, tmp_path / "out.mkv", resume=True)
    assert (tmp_path / "out.mkv").read_bytes() == b"dear"


def test_without_resume_parts_are_kept_and_with_overwrite_all_is_made_anew(
    darkens: Path, long_grey: Path, tmp_path: Path, undisturbed: bytes
):
    output = tmp_path / "out.mkv"
    with pytest.raises(KeyboardInterrupt):
        enhance_film(darkens, long_grey, output, 0.1, progress=interrupt_at(70))
    parts = {path: path.read_bytes() for path in folder_of(output).iterdir()}
    (no_film := tmp_path / "text.mkv").write_text("no film")
    with pytest.raises(
        OutputError, match=r"[12] parts? of .*out\.mkv were finished by a run before; expected --resume"
    ):
        enhance_film(darkens, no_film, output, 0.5)  # before the film is looked at
    assert {path: path.read_bytes() for path in folder_of(output).iterdir()} == parts
    report = enhance_film(darkens, long_grey, output, 0.5, overwrite=True)
    assert (report.frames, report.kept) == (LONG, 0)
    assert output.read_bytes() == undisturbed


def test_resume_begins_where_there_is_nothing_to_go_on_from(
    darkens: Path, long_grey: Path, tmp_path: Path, undisturbed: bytes
):
    report = enhance_film(darkens, long_grey, tmp_path / "out.mkv", 0.5, resume=True)
    assert (report.frames, report.kept) == (LONG, 0)
    assert (tmp_path / "out.mkv").read_bytes() == undisturbed


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"alpha": 0.6}, "alpha"),
        ({"crf": 3.0}, "kind of file or way of encoding"),
        ({"end": 15.0}, "--start, --end or --preview"),
        ({"tile": 32}, "way through the network"),
        ({"alpha": 0.6, "end": 15.0}, "alpha, another --start"),
    ],
)
def test_parts_of_something_else_are_refused_by_what_differs(
    darkens: Path, long_grey: Path, tmp_path: Path, changed: dict[str, float], named: str
):
    output = tmp_path / "out.mp4"
    arguments = {"alpha": 0.5, "codec": "h264", **changed}
    with pytest.raises(KeyboardInterrupt):
        enhance_film(darkens, long_grey, output, 0.5, codec="h264", progress=interrupt_at(70))
    with pytest.raises(OutputError, match=rf"out.mp4 that are there were made with another {named}"):
        enhance_film(darkens, long_grey, output, resume=True, **arguments)  # type: ignore[arg-type]
    assert folder_of(output).is_dir()
    assert not output.exists()


def test_another_model_and_another_film_are_told_apart_by_their_content(
    darkens: Path, same: Path, long_grey: Path, tmp_path: Path
):
    film, model, output = tmp_path / "in.mkv", tmp_path / "model.onnx", tmp_path / "out.mkv"
    film.write_bytes(long_grey.read_bytes())
    model.write_bytes(darkens.read_bytes())
    with pytest.raises(KeyboardInterrupt):
        enhance_film(model, film, output, 0.5, progress=interrupt_at(70))
    model.write_bytes(same.read_bytes())
    with pytest.raises(OutputError, match="another model, another alpha; expected the same"):
        enhance_film(model, film, output, resume=True)
    model.write_bytes(darkens.read_bytes())
    content = bytearray(long_grey.read_bytes())
    content[-20] ^= 1
    film.write_bytes(content)
    with pytest.raises(OutputError, match="another film; expected"):
        enhance_film(model, film, output, 0.5, resume=True)


def test_a_part_that_is_not_whole_is_made_again(darkens: Path, long_grey: Path, tmp_path: Path, undisturbed: bytes):
    output = tmp_path / "out.mkv"
    with pytest.raises(KeyboardInterrupt):
        enhance_film(darkens, long_grey, output, 0.5, progress=interrupt_at(90))
    first = folder_of(output) / "000000.part"
    first.write_bytes(first.read_bytes()[:-5])
    (folder_of(output) / "0123456789abcdef.part").write_text("left by a run that was killed", encoding="utf-8")
    report = enhance_film(darkens, long_grey, output, 0.5, resume=True)
    assert report.kept in (30, 60 - 30)
    assert output.read_bytes() == undisturbed


def test_killed_after_the_film_has_its_name_a_run_finds_it_finished(
    darkens: Path, long_grey: Path, tmp_path: Path, undisturbed: bytes, monkeypatch: pytest.MonkeyPatch
):
    output = tmp_path / "out.mkv"
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr("dni_deploy.films.making.make_film.remove", _interrupted)
        enhance_film(darkens, long_grey, output, 0.5)
    with pytest.raises(OutputError, match="exists already"):
        enhance_film(darkens, long_grey, output, 0.5)
    report = enhance_film(darkens, long_grey, output, 0.5, resume=True)
    assert report.kept == report.frames == LONG
    assert output.read_bytes() == undisturbed
    assert [path.name for path in tmp_path.iterdir()] == ["out.mkv"]


def _interrupted(folder: Path) -> None:
    raise KeyboardInterrupt


def test_a_full_disk_is_told_and_what_is_finished_stays(
    darkens: Path, long_grey: Path, tmp_path: Path, undisturbed: bytes, monkeypatch: pytest.MonkeyPatch
):
    output = tmp_path / "out.mkv"
    with monkeypatch.context() as patched:
        patched.setattr("dni_deploy.films.making.make_parts.PartFile.write", _full_at(2))
        with pytest.raises(OutputError, match=r"out.mkv cannot be written: No space left on device; make room"):
            enhance_film(darkens, long_grey, output, 0.5)
    assert enhance_film(darkens, long_grey, output, 0.5, resume=True).kept == 30
    assert output.read_bytes() == undisturbed


def _full_at(part: int) -> Callable[..., None]:
    """What writes a frame, until a part of that number begins: then the disk is full."""
    write = PartFile.write
    files: list[PartFile] = []

    def wrapped(self: PartFile, frame: Any) -> None:
        if self not in files:
            files.append(self)
        if len(files) >= part:
            raise OSError(errno.ENOSPC, "No space left on device")
        write(self, frame)

    return wrapped
