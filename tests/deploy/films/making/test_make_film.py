"""Films from Python: what is made, what is not made twice, and what is refused before the work."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import ffmpeg
import numpy as np
import pytest
from films import film

from dni_deploy import enhance_film
from dni_deploy.films.enhance_film import run
from dni_deploy.films.film import Part
from dni_deploy.films.making.job import FilmJob
from dni_deploy.films.source.frames import Frames
from dni_runtime import AlphaError, DniError, InputError, ModelError, OutputError

LONG = 100  # frames of the film "long", 5 a second, a key every 10: parts begin at 0, 6, 12 and 18 s


def left_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_lossless_film_of_several_parts_is_the_source_frame_by_frame(same: Path, long_grey: Path, tmp_path: Path):
    output, told = tmp_path / "out.mkv", []
    report = enhance_film(
        same, long_grey, output, lossless=True, progress=lambda done, total, file: told.append((done, total))
    )
    assert (report.output, report.frames, report.kept, report.notes) == (output, LONG, 0, ())
    assert ffmpeg.frames(output) == ffmpeg.frames(long_grey)
    assert told == [(number, LONG) for number in range(1, LONG + 1)]
    assert left_in(tmp_path) == {"out.mkv"}


@pytest.mark.parametrize("name", ["http:", "concat:", "tcp:", "sub:x", "pipe:", "%03d", "-y", "a\nb", "\udcff"])
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_folder_may_have_any_name(
    name: str, suffix: str, same: Path, equal_grey: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)  # with nothing before it such a name says something else to FFmpeg
    output = Path(name, f"out{suffix}")
    assert enhance_film(same, equal_grey, output, preset="ultrafast", codec="h264").frames == 25
    assert left_in(output.parent) == {output.name}


def test_equal_frames_are_computed_once(same: Path, equal_grey: Path, tmp_path: Path):
    report = enhance_film(same, equal_grey, tmp_path / "out.mkv", lossless=True)
    assert (report.frames, report.equal) == (25, 20)
    assert ffmpeg.frames(tmp_path / "out.mkv") == ffmpeg.frames(equal_grey)


def test_equal_frames_at_a_moving_alpha_are_computed(darkens: Path, equal_grey: Path, tmp_path: Path):
    keys = tmp_path / "keys.csv"
    keys.write_text("time,alpha\n0,1\n1,0\n", encoding="utf-8")
    output = tmp_path / "out.mkv"
    report = enhance_film(darkens, equal_grey, output, alpha_from=keys, lossless=True)
    assert (report.frames, report.equal) == (25, 0)
    seconds = [float(shown.second) for shown in ffmpeg.frames(output)]
    source, result = (ffmpeg.pictures(path, "gray16le").astype(float) for path in (equal_grey, output))
    expected = source * (1 - np.array(seconds)[:, None, None, None])
    assert abs(result - expected).max() <= 0.51  # rounded, of 65535


def test_a_section_begins_with_its_first_frame(same: Path, long_grey: Path, tmp_path: Path):
    output = tmp_path / "out.mkv"
    report = enhance_film(same, long_grey, output, start=5.1, end=13, lossless=True)
    shown, source = ffmpeg.frames(output), ffmpeg.frames(long_grey)
    assert report.frames == 39
    assert [each.second for each in shown] == [each.second - source[26].second for each in source[26:65]]
    assert [each.content for each in shown] == [each.content for each in source[26:65]]


def test_a_preview_shows_before_and_after(darkens: Path, long_grey: Path, tmp_path: Path):
    output = tmp_path / "look.mkv"
    job = FilmJob(model=darkens, film=long_grey, output=output, alpha=0.0, preview=2, lossless=True)
    assert run(job, lambda remark: None, lambda done, total, file: None).frames == 10
    before, after = np.split(ffmpeg.pictures(output, "gray16le"), 2, axis=2)
    assert np.array_equal(before, ffmpeg.pictures(long_grey, "gray16le")[45:55])
    assert after.max() == 0


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"model": Path("none.onnx")}, ModelError, "none.onnx does not exist"),
        ({"film": Path("none.mp4")}, InputError, "none.mp4 does not exist; expected a film"),
        ({"alpha": 2.0}, AlphaError, "alpha"),
        ({"start": 20.0}, InputError, "--start is 20 s, but .* ends after 20.000 s"),
        ({"start": "0:01"}, InputError, "--start is '0:01'; expected seconds"),
        ({"crf": "16"}, InputError, "--crf has to be from 0 to 51 for h264, got '16'"),
        ({"drop": "sound"}, InputError, "'sound' cannot be dropped"),
        ({"start": 3.0, "end": 2.0}, InputError, r"--end \(2 s\) is not after --start \(3 s\)"),
        ({"alpha_from": Path("keys.csv")}, InputError, "either --alpha .* or --alpha-from"),
        ({"codec": "gif"}, InputError, "gif"),
        ({"output_scale": float("inf")}, InputError, "--output-scale is inf"),
        ({"output_scale": 0}, InputError, "--output-scale is 0; expected a finite number above 0"),
        ({"output_scale": -1}, InputError, "--output-scale is -1; expected a finite number above 0"),
        ({"output_scale": 1e9}, OutputError, "cannot be encoded by libx264 as "),
    ],
)
def test_what_cannot_be_done_is_refused_before_the_work(
    darkens: Path, tmp_path: Path, changed: dict[str, object], error: type[DniError], message: str
):
    arguments = {"model": darkens, "film": film("long"), "output": tmp_path / "out.mp4", "alpha": 0.5, **changed}
    with pytest.raises(error, match=message):
        enhance_film(**arguments)  # type: ignore[arg-type]
    assert left_in(tmp_path) == set()


def test_an_output_that_exists_is_kept_unless_it_is_to_be_replaced(same: Path, tmp_path: Path):
    output = tmp_path / "out.mp4"
    output.write_text("mine", encoding="utf-8")
    with pytest.raises(OutputError, match=r"out.mp4 exists already; choose another output"):
        enhance_film(same, film("h264"), output)
    assert output.read_text(encoding="utf-8") == "mine"
    enhance_film(same, film("h264"), output, overwrite=True)
    assert len(ffmpeg.frames(output)) == 24


def test_the_film_itself_is_no_output(same: Path, tmp_path: Path):
    copy = tmp_path / "in.mp4"
    copy.write_bytes(film("h264").read_bytes())
    (tmp_path / "link.mp4").symlink_to(copy)
    with pytest.raises(OutputError, match="is the film itself"):
        enhance_film(same, copy, tmp_path / "link.mp4", overwrite=True)


def test_a_second_run_on_the_same_output_is_refused(same: Path, tmp_path: Path):
    output, begun, go_on = tmp_path / "out.mp4", threading.Event(), threading.Event()

    def wait(done: float, total: int, file: Path) -> None:
        begun.set()
        go_on.wait(30)

    first = threading.Thread(target=lambda: enhance_film(same, film("long"), output, progress=wait))
    first.start()
    try:
        assert begun.wait(30)
        with pytest.raises(OutputError, match=r"another run is making .*out.mp4"):
            enhance_film(same, film("long"), output, resume=True)
    finally:
        go_on.set()
        first.join(60)
    assert len(ffmpeg.frames(output)) == LONG
    assert left_in(tmp_path) == {"out.mp4"}


def without(numbers: set[int]) -> Callable[[Frames, Part], Iterator[Any]]:
    """What reads a film of which the parts of those numbers are damaged throughout."""
    read = Frames.read

    def wrapped(self: Frames, part: Part) -> Iterator[Any]:
        yield from () if part.number in numbers else read(self, part)

    return wrapped


def test_a_part_of_which_nothing_can_be_decoded_is_a_gap(
    same: Path, long_grey: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    output = tmp_path / "out.mkv"
    monkeypatch.setattr(Frames, "read", without({1}))
    assert enhance_film(same, long_grey, output, lossless=True).frames == LONG - 30
    shown, source = ffmpeg.frames(output), ffmpeg.frames(long_grey)
    assert [(each.second, each.content) for each in shown] == [
        (each.second, each.content) for each in source[:30] + source[60:]
    ]


def test_a_film_of_which_nothing_can_be_decoded_is_refused(
    same: Path, long_grey: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(Frames, "read", without({0, 1, 2, 3}))
    with pytest.raises(InputError, match=r"long.mkv has no frame that can be decoded; expected a film"):
        enhance_film(same, long_grey, tmp_path / "out.mkv", resume=True)
    assert left_in(tmp_path) == set()
