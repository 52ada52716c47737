"""How the pictures of the new film are to be shown is said as in the source: their shape, turn, colours and HDR."""

from fractions import Fraction
from pathlib import Path

import ffmpeg
import numpy as np
import pytest
from films import film
from remaking import remade

from dni_deploy.films.target.aspect import _display_size as display_size
from dni_deploy.films.target.options import Asked

WIDE = "SAR 16:11 DAR 24:11"


@pytest.mark.parametrize(
    ("suffix", "codec"),
    [
        *((".mp4", codec) for codec in ("h264", "h265", "av1", "vp9")),
        (".mov", "prores"),
        *((".mkv", codec) for codec in ("h264", "h265", "av1", "vp9", "ffv1", "prores")),
        *((".webm", codec) for codec in ("vp9", "av1")),
    ],
)
def test_pixels_that_are_not_square_stay_so(suffix: str, codec: str, tmp_path: Path):
    result = tmp_path / f"film{suffix}"
    remade(film("wide_pixels"), result, Asked(codec))
    (line,) = ffmpeg.streams(result)
    assert WIDE in line
    assert "Display Matrix" not in ffmpeg.marks(result)
    assert len(ffmpeg.frames(result)) == 24


@pytest.mark.parametrize(
    ("size", "aspect", "expected"),
    [
        ((720, 576), (16, 15), (768, 576)),
        ((720, 576), (64, 45), (1024, 576)),
        ((720, 480), (8, 9), (640, 480)),
        ((96, 64), (16, 11), (144, 66)),
        ((1440, 1080), (4, 3), (1920, 1080)),
        ((1919, 1079), (1001, 1000), (1921, 1079)),
    ],
)
def test_the_size_that_players_are_told_has_exactly_that_shape_where_there_is_one(
    size: tuple[int, int], aspect: tuple[int, int], expected: tuple[int, int]
):
    assert display_size(*size, Fraction(*aspect)) == expected


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
@pytest.mark.parametrize("kind", ["rotated_90", "rotated_180", "rotated_270", "flipped"])
def test_players_turn_the_new_film_as_the_old_one(kind: str, suffix: str, tmp_path: Path):
    result = tmp_path / f"film{suffix}"
    encoding = remade(film(kind), result)
    assert ffmpeg.marks(result).get("Display Matrix") == ffmpeg.marks(film(kind)).get("Display Matrix")
    assert encoding.notes == ()


@pytest.mark.parametrize("kind", ["rotated_90", "rotated_180", "rotated_270", "flipped"])
def test_where_players_do_not_turn_pictures_are_turned(kind: str, tmp_path: Path):
    result = tmp_path / "film.webm"
    encoding = remade(film(kind), result, Asked(crf=4), drop=("audio",))
    assert encoding.notes == ("has its pictures turned, since not all players would do it",)
    assert "Display Matrix" not in ffmpeg.marks(result)
    before, after = (ffmpeg.pictures(path, "gray", turned=True).astype(int) for path in (film(kind), result))
    assert after.shape == before.shape
    other_ways = (before[:, ::-1], before[:, :, ::-1], before[:, ::-1, ::-1])
    assert np.abs(after - before).mean() < 3 < 30 < min(np.abs(after - other).mean() for other in other_ways)


def test_turned_pictures_of_pixels_that_are_not_square_keep_their_shape(tmp_path: Path):
    """Lying 16:11 pixels stand after a quarter turn."""
    source, result = tmp_path / "film.mp4", tmp_path / "film.webm"
    ffmpeg.ffmpeg("-display_rotation", "90", "-i", film("wide_pixels"), "-c", "copy", source)
    remade(source, result)
    assert "64x96, SAR 11:16 DAR 11:24" in ffmpeg.streams(result)[0]


@pytest.mark.parametrize(
    ("suffix", "codec"),
    [(".mp4", "h264"), (".mp4", "h265"), (".mov", "prores"), (".mkv", "h265"), (".mkv", "ffv1"), (".webm", "vp9")],
)
@pytest.mark.parametrize("kind", ["hdr10", "hdr10_mkv"])
def test_hdr_films_say_of_display_and_brightness_what_the_source_says(
    kind: str, suffix: str, codec: str, tmp_path: Path
):
    result = tmp_path / f"film{suffix}"
    remade(film(kind), result, Asked(codec))
    before, after = ffmpeg.marks(film(kind)), ffmpeg.marks(result)
    assert "Mastering display metadata" in before and "Content light level metadata" in before
    assert after == before
    # In the head of the file, too, where players look before they decode.
    assert "Mastering" in ffmpeg.described(result) and "Content light" in ffmpeg.described(result)


def test_av1_rounds_the_least_luminance_as_its_numbers_do(tmp_path: Path):
    result = tmp_path / "film.webm"
    remade(film("hdr10"), result, Asked("av1"))
    said = ffmpeg.marks(result)["Mastering display metadata"]
    assert said.replace("0.000122", "0.000100") == ffmpeg.marks(film("hdr10"))["Mastering display metadata"]


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".webm"])
@pytest.mark.parametrize("kind", ["h264_601", "h264_709", "h264_full", "hlg"])
def test_colours_are_said_as_in_the_source(kind: str, suffix: str, tmp_path: Path):
    result = tmp_path / f"film{suffix}"
    remade(film(kind), result)
    before, after = ffmpeg.marks(film(kind)), ffmpeg.marks(result)
    assert {name: after[name] for name in after if name.startswith("color")} == {
        name: before[name] for name in before if name.startswith("color")
    }
