"""A part of a film: its clock begins with it, and sound, subtitles and chapters with it."""

from fractions import Fraction
from pathlib import Path

import ffmpeg
import pytest
from films import film
from remaking import remade

RATE, START, END = 25, 8, 20
BEGIN_S, END_S = Fraction(START, RATE), Fraction(END, RATE)


@pytest.mark.parametrize(
    ("kind", "suffix"), [("chapters_mp4", ".mp4"), ("chapters_mp4", ".mkv"), ("transport", ".mp4")]
)
def test_pictures_and_sound_begin_together_and_stay_together(kind: str, suffix: str, tmp_path: Path):
    result = tmp_path / f"film{suffix}"
    remade(film(kind), result, start=START, end=END)

    pictures, sound = ffmpeg.frames(result), ffmpeg.packets(result, "a:0")

    assert [each.second for each in pictures] == [Fraction(number, RATE) for number in range(END - START)]
    first = ffmpeg.packets(film(kind), "v:0")[0].second + BEGIN_S
    kept = [each for each in ffmpeg.packets(film(kind), "a:0") if first <= each.second < first + END_S - BEGIN_S]
    if kind != "transport":  # whose packets of AAC have heads of their own there
        assert [each.content for each in sound] == [each.content for each in kept]
    assert len(sound) == len(kept)
    assert abs(sound[0].second - (kept[0].second - first)) < Fraction(1, 1000)
    assert 0 <= sound[0].second < Fraction(1024, 48000)


def test_chapters_are_cut_and_moved(tmp_path: Path):
    result = tmp_path / "film.mkv"
    remade(film("chapters"), result, start=START, end=END)
    lines = [line for line in ffmpeg.metadata(result).splitlines() if line.startswith(("START", "END", "title="))]
    assert lines[-6:] == ["START=0", "END=80000000", "title=One", "START=80000000", "END=480000000", "title=Two"]


def test_subtitles_that_are_shown_in_the_section_begin_and_end_with_it(tmp_path: Path):
    """Of those from 0.12 to 0.48 s and from 0.56 to 0.88 s."""
    result = tmp_path / "film.mkv"
    remade(film("srt"), result, start=START, end=END)
    shown = [(each.second, each.duration) for each in ffmpeg.packets(result, "s:0")]
    assert shown == [(0, Fraction(16, 100)), (Fraction(24, 100), Fraction(24, 100))]


def test_a_cover_is_there_whatever_the_section(tmp_path: Path):
    result = tmp_path / "film.mp4"
    remade(film("cover"), result, start=START)
    assert ffmpeg.packets(result, "v:1")[0].content == ffmpeg.packets(film("cover"), "v:1")[0].content


@pytest.mark.parametrize(("timecode", "expected"), [("01:00:00:20", "01:00:01:03"), ("01:00:00;20", None)])
def test_a_timecode_is_that_of_the_first_frame_and_none_where_numbers_are_dropped(
    timecode: str, expected: str | None, tmp_path: Path
):
    source, result = tmp_path / "film.mkv", tmp_path / "section.mkv"
    ffmpeg.ffmpeg("-i", film("h264"), "-c", "copy", "-metadata:s:v:0", f"timecode={timecode}", source)
    remade(source, result, start=START)
    said = [line.partition("=")[2] for line in ffmpeg.metadata(result).splitlines() if line.startswith("TIMECODE=")]
    assert said == ([expected] if expected else [])
