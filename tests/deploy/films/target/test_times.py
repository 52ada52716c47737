"""When frames of the new film are shown: at the source's moments, in every container, for as long."""

import dataclasses
from fractions import Fraction
from pathlib import Path

import ffmpeg
import numpy as np
import pytest
from films import film
from remaking import encode, remade, whole

from dni_deploy.films.source.probe import look_at
from dni_deploy.films.target.choose import choose_encoding
from dni_deploy.films.target.join import decoding_times, join
from dni_deploy.films.target.options import Asked

PAIRS = [
    *((".mp4", codec) for codec in ("h264", "h265", "av1", "vp9")),
    *((".mov", codec) for codec in ("h264", "h265", "prores")),
    *((".mkv", codec) for codec in ("h264", "h265", "av1", "vp9", "ffv1", "prores")),
    *((".webm", codec) for codec in ("vp9", "av1")),
]
KINDS = ("ntsc", "vfr_mkv", "late_start", "edit_list", "fragmented", "open_gop", "raw_h264", "one_frame", "aac")
# Matroska counts in milliseconds.
TOLERANCE = {".mp4": 0, ".mov": 0, ".mkv": Fraction(1, 2000), ".webm": Fraction(1, 2000)}


def moments(path: Path) -> list[Fraction]:
    index, base = look_at(path).index, look_at(path).video.time_base
    return [int(pts) * base for pts in (*index.pts, index.pts[-1] + index.durations[-1])]


def assert_same_moments(source: Path, result: Path) -> None:
    expected, shown = moments(source), ffmpeg.frames(result)
    tolerance = TOLERANCE[result.suffix]
    assert len(shown) == len(expected) - 1
    assert max(abs(each.second - moment) for each, moment in zip(shown, expected, strict=False)) <= tolerance


@pytest.mark.parametrize(("suffix", "codec"), PAIRS)
def test_every_codec_in_every_container_that_holds_it_keeps_a_varying_rate(suffix: str, codec: str, tmp_path: Path):
    result = tmp_path / f"film{suffix}"
    remade(film("vfr"), result, Asked(codec))
    assert_same_moments(film("vfr"), result)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
@pytest.mark.parametrize("kind", KINDS)
def test_frames_are_shown_when_the_source_shows_them(kind: str, suffix: str, tmp_path: Path):
    result = tmp_path / f"film{suffix}"
    remade(film(kind), result)
    assert_same_moments(film(kind), result)


def test_the_last_frame_is_shown_as_long_as_in_the_source(tmp_path: Path):
    result = tmp_path / "film.mp4"
    remade(film("vfr"), result, Asked("av1"))
    *_, begin, end = moments(film("vfr"))
    assert ffmpeg.packets(result, "v:0")[-1].duration == end - begin


def test_the_clock_of_a_broadcast_begins_at_0_with_sound_and_pictures_as_far_apart_as_before(tmp_path: Path):
    result = tmp_path / "film.mkv"
    remade(film("transport"), result)
    before = [ffmpeg.packets(film("transport"), stream)[0].second for stream in ("v:0", "a:0")]
    after = [ffmpeg.packets(result, stream)[0].second for stream in ("v:0", "a:0")]
    assert min(after) == 0
    assert abs((after[0] - after[1]) - (before[0] - before[1])) < Fraction(1, 1000)


@pytest.mark.parametrize("rate", [None, Fraction(300), Fraction(7123, 301)])
@pytest.mark.parametrize(("suffix", "codec"), [*PAIRS[:4], (".mov", "prores"), (".mkv", "ffv1")])
def test_rates_that_are_not_said_or_unusual_do_no_harm(rate: Fraction | None, suffix: str, codec: str, tmp_path: Path):
    source, result = look_at(film("vfr")), tmp_path / f"film{suffix}"
    source = dataclasses.replace(source, video=dataclasses.replace(source.video, rate=rate))
    encoding = choose_encoding(source, result, Asked(codec), (96, 64))
    encode(source, encoding, whole(source), tmp_path / "part")
    join([tmp_path / "part"], source, encoding, result)
    assert_same_moments(film("vfr"), result)


def test_matroska_files_are_said_to_round_moments_where_they_do():
    ntsc, even = ("film.mkv", "ntsc"), ("film.mkv", "aac")
    notes = {pair: remade_notes(*pair) for pair in (ntsc, even, ("film.mp4", "ntsc"))}
    assert [note for note in notes[ntsc] if "millisecond" in note]
    assert notes[even] == notes["film.mp4", "ntsc"] == ()


def remade_notes(name: str, kind: str) -> tuple[str, ...]:
    found = look_at(film(kind))
    return choose_encoding(found, Path(name), Asked(), (found.video.width, found.video.height)).notes


@pytest.mark.parametrize(
    ("pts", "expected"),
    [
        ([0, 10, 20], [0, 10, 20]),
        ([5], [5]),
        # Two frames change places with the one after them: all are decoded one frame ahead.
        ([0, 30, 10, 20, 60, 45], [-10, 0, 10, 20, 30, 45]),
        ([0, 40, 20, 10, 30], [-20, -10, 0, 10, 20]),
    ],
)
def test_packets_are_decoded_in_order_and_never_after_they_are_shown(pts: list[int], expected: list[int]):
    found = decoding_times(np.array(pts, np.int64))
    assert found.tolist() == expected
    assert np.all(np.diff(found) > 0) and np.all(found <= pts)
