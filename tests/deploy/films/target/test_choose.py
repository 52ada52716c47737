"""How a film is encoded: what plays everywhere unless something else is asked for; refusals say what to do."""

import dataclasses
import re
from pathlib import Path

import pytest
from films import film

from dni_deploy.films.film import Colours, Film
from dni_deploy.films.source.probe import look_at
from dni_deploy.films.target.choose import choose_encoding
from dni_deploy.films.target.encoding import Encoding
from dni_deploy.films.target.options import Asked
from dni_runtime import DniError, InputError, OutputError


def chosen(pixels: str, output: str, asked: Asked | None = None, size: tuple[int, int] = (96, 64)) -> Encoding:
    return choose_encoding(film_of(pixels), Path(output), asked or Asked(), size)


def film_of(pixels: str) -> Film:
    found = look_at(film("h264"))
    return dataclasses.replace(found, video=dataclasses.replace(found.video, pixels=pixels))


@pytest.mark.parametrize(
    ("pixels", "output", "encoder", "stored"),
    [
        ("yuv420p", "a.mp4", "libx264", "yuv420p"),
        ("yuv420p", "a.mov", "libx264", "yuv420p"),
        ("yuv420p", "a.MKV", "libx264", "yuv420p"),
        ("yuv420p", "a.webm", "libvpx-vp9", "yuv420p"),
        ("nv12", "a.mp4", "libx264", "yuv420p"),
        ("yuvj444p", "a.mp4", "libx264", "yuv420p"),
        ("gbrp", "a.mp4", "libx264", "yuv420p"),
        ("gray", "a.mp4", "libx264", "yuv420p"),
        ("yuv420p10le", "a.mp4", "libx265", "yuv420p10le"),
        ("p010le", "a.mov", "libx265", "yuv420p10le"),
        ("yuv422p12le", "a.mkv", "libx265", "yuv420p10le"),
        ("gray16le", "a.mp4", "libx265", "yuv420p10le"),
        ("yuv444p10le", "a.webm", "libsvtav1", "yuv420p10le"),
        ("yuva420p", "a.webm", "libvpx-vp9", "yuva420p"),
        ("rgba", "a.mov", "prores_ks", "yuva444p10le"),
        ("bgra", "a.mkv", "ffv1", "bgra"),
    ],
)
def test_without_a_word_films_are_what_most_players_know(pixels: str, output: str, encoder: str, stored: str):
    found = chosen(pixels, output)
    assert (found.encoder, found.frames.pixels) == (encoder, stored)


@pytest.mark.parametrize(
    ("pixels", "output", "encoder", "stored"),
    [
        ("yuv420p", "a.mp4", "libx264", "yuv420p"),
        ("yuv422p", "a.mov", "libx264", "yuv422p"),
        ("gbrp", "a.mp4", "libx264rgb", "bgr0"),
        ("gray", "a.mp4", "libx264", "gray"),
        ("yuv422p12le", "a.mp4", "libx265", "yuv422p12le"),
        ("gbrp10le", "a.mov", "libx265", "gbrp10le"),
        ("yuv422p", "a.mkv", "ffv1", "yuv422p"),
        ("gbrp16le", "a.mkv", "ffv1", "gbrp16le"),
        ("yuva444p10le", "a.mkv", "ffv1", "yuva444p10le"),
        ("yuv444p", "a.webm", "libvpx-vp9", "yuv444p"),
        ("gray", "a.webm", "libvpx-vp9", "yuv420p"),
        ("yuva420p", "a.webm", "libvpx-vp9", "yuva420p"),
    ],
)
def test_lossless_films_are_stored_as_the_source_is(pixels: str, output: str, encoder: str, stored: str):
    found = chosen(pixels, output, Asked(lossless=True))
    assert (found.encoder, found.frames.pixels) == (encoder, stored)


@pytest.mark.parametrize(
    ("pixels", "output", "asked", "size", "says"),
    [
        ("yuv420p", "a.avi", Asked(), None, "none of the suffixes of films that are written: .mkv, .mov, .mp4, .webm"),
        ("yuv420p", "a.mp4", Asked("xvid"), None, "'xvid' is not known; expected one of h264, h265, av1, vp9, ffv1"),
        ("yuv420p", "a.webm", Asked("h264"), None, "a name that ends in .mkv or .mov or .mp4, or a codec of av1, vp9"),
        ("yuv420p", "a.mov", Asked("ffv1"), None, "cannot hold ffv1: choose a name that ends in .mkv"),
        ("yuv420p", "a.mp4", Asked(crf=52), None, "--crf has to be from 0 to 51 for h264, got 52"),
        ("yuv420p", "a.mkv", Asked("ffv1", crf=3), None, "ffv1 has no constant quality to choose: leave --crf out"),
        ("yuv420p", "a.mp4", Asked(crf=3, lossless=True), None, "cannot be used together"),
        ("yuv420p", "a.mp4", Asked(preset="8"), None, "h264 has no preset '8'; expected one of ultrafast, superfast"),
        ("yuv420p", "a.mkv", Asked("ffv1", preset="slow"), None, "ffv1 has no preset 'slow'; it has none: leave it"),
        ("yuv420p", "a.mp4", Asked("av1", lossless=True), None, "av1 is never lossless; choose one of h264, h265, vp9"),
        (
            "yuv420p",
            "a.mp4",
            Asked(pixel_format="nv12"),
            None,
            "h264 has no pixel format 'nv12'; expected one of",
        ),
        ("yuv420p", "a.mp4", Asked(pixel_format="yuv420p"), (95, 64), "no 4:2:0 of 95 x 64 pixels, which are odd"),
        ("rgba", "a.mp4", Asked(), None, "which has no opacity: choose a name that ends in .mkv and --codec ffv1, or"),
        ("yuva420p", "a.mp4", Asked("vp9"), None, "no place for opacity, which"),
        (
            "gbrp16le",
            "a.mp4",
            Asked(lossless=True),
            None,
            "which has no gbrp16le without loss: choose a name",
        ),
        ("yuv420p10le", "a.webm", Asked(lossless=True), None, "vp9, which has no yuv420p10le without loss"),
        ("yuv420p", "a.mp4", Asked(), (20000, 64), "choose another codec (--codec) or size (--output-scale)"),
    ],
)
def test_what_cannot_be_is_refused_with_a_remedy(
    pixels: str, output: str, asked: Asked, size: tuple[int, int] | None, says: str
):
    with pytest.raises(DniError, match=re.escape(says)) as refused:
        chosen(pixels, output, asked, size or (96, 64))
    assert refused.type in (InputError, OutputError)


@pytest.mark.parametrize(
    ("pixels", "output", "asked", "size", "note"),
    [
        (
            "yuv420p",
            "a.mp4",
            Asked(),
            (95, 63),
            "is in 4:4:4, which not all players show: h264 has no 4:2:0 of",
        ),
        ("yuv444p", "a.mp4", Asked(), (96, 64), "is in 4:2:0 of 4:4:4, as players expect it"),
        ("yuv420p12le", "a.mp4", Asked(), (96, 64), "has 10 bits of 12"),
        ("rgba", "a.mp4", Asked(pixel_format="yuv420p"), (96, 64), "has no opacity any more"),
    ],
)
def test_what_is_less_than_in_the_source_is_said(
    pixels: str, output: str, asked: Asked, size: tuple[int, int], note: str
):
    (said,) = chosen(pixels, output, asked, size).notes
    assert said.startswith(note)


def test_nothing_is_said_of_a_plain_film():
    assert chosen("yuv420p", "a.mp4").notes == ()


@pytest.mark.parametrize("codec", ["vp9", "av1"])
def test_odd_sizes_need_no_other_format_where_the_codec_has_them(codec: str):
    assert chosen("yuv420p", "a.webm", Asked(codec), (95, 63)).frames.pixels == "yuv420p"


def test_apple_knows_h265_by_its_tag():
    assert [chosen("yuv420p10le", name).tag for name in ("a.mp4", "a.mov", "a.mkv")] == ["hvc1", "hvc1", None]


def test_colours_are_said_where_players_would_take_the_larger_film_for_another():
    found = chosen("yuv420p", "a.mp4", size=(1920, 1280))
    assert found.frames.colours == dataclasses.replace(Colours(), matrix=6)
