"""What is told of a film: its stream of pictures, when frames are shown, and what is odd."""

import shlex
import struct
from fractions import Fraction
from pathlib import Path

import ffmpeg
import numpy as np
import pytest
from films import film
from hard_films import hard_film, joined

from dni_deploy.films.film import Colours
from dni_deploy.films.source.probe import look_at
from dni_runtime import InputError


@pytest.mark.parametrize(
    ("kind", "codec", "pixels", "size"),
    [
        ("h264", "h264", "yuv420p", (96, 64)),
        ("h265_10bit", "hevc", "yuv420p10le", (96, 64)),
        ("vp9_yuva", "vp9", "yuva420p", (96, 64)),
        ("av1", "av1", "yuv420p", (96, 64)),
        ("prores_yuva", "prores", "yuva444p12le", (96, 64)),
        ("ffv1_gray16le", "ffv1", "gray16le", (64, 32)),
        ("h264_rgb", "h264", "gbrp", (96, 64)),
        ("mpeg2", "mpeg2video", "yuv420p", (96, 64)),
        ("odd", "vp9", "yuv420p", (95, 63)),
        ("rotated_90", "h264", "yuv420p", (96, 64)),
    ],
)
def test_the_pictures_are_told_as_they_are_coded(kind: str, codec: str, pixels: str, size: tuple[int, int]) -> None:
    video = look_at(film(kind)).video

    assert (video.stream, video.codec, video.pixels, (video.width, video.height)) == (0, codec, pixels, size)


def test_shape_and_turn_are_told() -> None:
    assert look_at(film("wide_pixels")).video.aspect == Fraction(16, 11)
    assert look_at(film("wide_pixels_mkv")).video.aspect == Fraction(16, 11)
    assert look_at(film("h264")).video.display_matrix is None
    one, least = 1 << 16, 1 << 30  # in the fixed point numbers of the matrix
    assert look_at(film("rotated_90")).video.display_matrix == (0, -one, 0, one, 0, 0, 0, 0, least)
    assert look_at(film("flipped")).video.display_matrix == (-one, 0, 0, 0, one, 0, 0, 0, least)


def test_rates_are_told_exactly() -> None:
    assert look_at(film("ntsc")).video.rate == Fraction(24000, 1001)
    assert look_at(film("h264")).video.rate == look_at(film("raw_h264")).video.rate == 25


def test_colours_are_told_by_their_numbers() -> None:
    assert look_at(film("h264_709")).video.colours == Colours(range=1, matrix=1, primaries=1, transfer=1)
    assert look_at(film("h264_601")).video.colours == Colours(range=1, matrix=6, primaries=6, transfer=6)
    assert look_at(film("h264_full")).video.colours == Colours(range=2)
    assert look_at(film("hlg")).video.colours == Colours(range=1, matrix=9, primaries=9, transfer=18)
    assert look_at(film("h264")).video.colours == Colours()


@pytest.mark.parametrize("kind", ["hdr10", "hdr10_mkv", "hdr10_webm"])
def test_what_an_hdr_film_is_mastered_for_is_told(kind: str) -> None:
    video = look_at(film(kind)).video

    assert video.colours == Colours(range=1, matrix=9, primaries=9, transfer=16)
    assert video.mastering is not None
    assert video.light is not None
    numbers = struct.unpack("22i", video.mastering)
    red_green_blue_white_and_light = [numbers[at] / numbers[at + 1] for at in range(0, 20, 2)]
    expected = [0.68, 0.32, 0.265, 0.69, 0.15, 0.06, 0.3127, 0.329, 0.0001, 1000]
    assert red_green_blue_white_and_light == pytest.approx(expected, abs=1e-4)
    assert struct.unpack("2I", video.light) == (1000, 400)


@pytest.mark.parametrize(
    ("kind", "keys"),
    [
        ("h264", [0, 8, 16]),
        ("one_key", [0]),
        ("open_gop", [0, 8, 16]),
        ("edit_list", [3]),
        ("raw_h264", [0]),
        ("prores", range(24)),
    ],
)
def test_keys_are_frames_at_which_decoding_begins(kind: str, keys: list[int]) -> None:
    index = look_at(film(kind)).index

    assert np.flatnonzero(np.isin(index.pts, index.keys)).tolist() == [*keys]
    assert len(index.keys) == len(keys)


@pytest.mark.parametrize("kind", ["vfr", "vfr_mkv", "ntsc", "late_start", "transport", "h264"])
def test_a_frame_lasts_until_the_next_one_and_the_last_as_its_packet_says(kind: str) -> None:
    looked_at = look_at(film(kind))
    index, expected = looked_at.index, ffmpeg.frames(film(kind))

    assert index.durations[:-1].tolist() == np.diff(index.pts).tolist()
    assert int(index.durations[-1]) * looked_at.video.time_base == expected[-1].duration
    assert looked_at.seconds(int(index.pts[-1])) == float(expected[-1].second - expected[0].second)


@pytest.mark.parametrize("kind", ["raw_h264", "h264_in_avi"])
def test_frames_whose_moments_the_file_does_not_say_are_counted(kind: str) -> None:
    """From 0, or from where FFmpeg shows the first one."""
    path, first = (film(kind), 0) if kind == "raw_h264" else (hard_film(kind), 2)
    looked_at = look_at(path)
    step = 1 / (25 * looked_at.video.time_base)

    assert looked_at.index.counted
    assert looked_at.index.pts.tolist() == [(first + number) * step for number in range(len(ffmpeg.frames(path)))]
    assert not look_at(film("mpeg4")).index.counted


def test_a_film_of_any_name_is_read_and_texts_may_be_no_text(tmp_path: Path) -> None:
    odd = tmp_path / "http:a%03d b\n.mkv"
    odd.write_bytes(film("chapters").read_bytes().replace(b"A film", b"A \xff\xfelm"))

    assert len(look_at(odd).index.pts) == 24


@pytest.mark.parametrize("kind", ["interlaced", "interlaced_mpeg2", "interlaced_prores"])
def test_an_interlaced_film_is_refused_with_a_remedy_that_works(kind: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is interlaced: each frame is two pictures") as refused:
        look_at(film(kind))

    assert len(look_at(_remedied(refused.value, tmp_path)).index.pts) == len(ffmpeg.frames(film(kind)))


def test_a_film_that_goes_back_in_time_is_refused_with_a_remedy_that_works(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="goes back in time") as refused:
        look_at(joined(tmp_path / "twice and.ts"))

    assert len(look_at(_remedied(refused.value, tmp_path)).index.pts) == 48


def test_moments_of_no_clock_are_refused_with_a_remedy_that_works(tmp_path: Path) -> None:
    far = tmp_path / "far and wide.mkv"
    ffmpeg.ffmpeg("-i", film("h264"), "-an", "-c", "copy", "-bsf:v", "setts=pts=PTS+1E15:dts=DTS+1E15", far)
    with pytest.raises(InputError, match="shows a frame 2,476 years from its beginning") as refused:
        look_at(far)
    remedy = str(refused.value).partition("saved by: ")[2].partition(" (or")[0]
    _, *arguments = shlex.split(remedy)
    ffmpeg.ffmpeg(*arguments, folder=tmp_path)
    assert len(look_at(tmp_path / "pictures.h264").index.pts) == len(ffmpeg.frames(film("h264")))


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("text", "is no film that FFmpeg reads; expected one, such as .mp4, .mov, .mkv or .webm"),
        ("empty", "is no film that FFmpeg reads; expected one, such as .mp4, .mov, .mkv or .webm"),
        (
            "no_index",
            "begins as a film, but has no index that can be read, like one that was cut off; expected a whole film",
        ),
        ("only_sound", "has no moving pictures; expected a film"),
    ],
)
def test_what_is_no_film_is_refused(kind: str, message: str) -> None:
    with pytest.raises(InputError) as refused:
        look_at(film(kind))

    assert str(refused.value) == f"{film(kind)} {message}"


def test_other_files_that_ffmpeg_opens_are_refused(tmp_path: Path) -> None:
    picture = tmp_path / "picture.png"
    ffmpeg.ffmpeg("-f", "lavfi", "-i", "testsrc=size=32x32", "-frames:v", "1", picture)
    (tmp_path / "list.txt").write_text(f"ffconcat version 1.0\nfile '{film('h264').name}'\n", encoding="utf-8")
    (tmp_path / film("h264").name).write_bytes(film("h264").read_bytes())
    (tmp_path / "letter.ans").write_text("\x1b[31mHello\n" * 99, encoding="utf-8")

    for name, what in (
        ("picture.png", "is a picture, which is for dni run"),
        ("list.txt", "is a list of films"),
        ("letter.ans", "is a text"),
    ):
        with pytest.raises(InputError, match=rf"{name} {what}; expected a film"):
            look_at(tmp_path / name)
    for place, what in ((tmp_path, "is a folder"), (tmp_path / "none.mp4", "does not exist")):
        with pytest.raises(InputError, match=f"{what}; expected a film"):
            look_at(place)


def test_a_film_of_which_nothing_can_be_decoded_is_refused(tmp_path: Path) -> None:
    content = film("png_rgba").read_bytes()
    path = tmp_path / "nothing.mov"
    path.write_bytes(content.replace(b"PNG\r\n", b"\0\0\0\0\0"))

    with pytest.raises(InputError, match="none of its first frames can be decoded"):
        look_at(path)


def _remedied(refused: InputError, folder: Path) -> Path:
    """What the ffmpeg command at the end of the message makes, in `folder`."""
    command = shlex.split(str(refused).rpartition(": ")[2])
    assert command[0] == "ffmpeg"
    ffmpeg.ffmpeg(*command[1:], folder=folder)
    return folder / command[-1]
