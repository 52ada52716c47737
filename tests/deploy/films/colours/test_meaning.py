"""What a film's numbers mean where it does not say, and what a result has to say to be shown alike."""

from fractions import Fraction

import pytest

from dni_deploy.films.colours.meaning import assumed, notes, to_write
from dni_deploy.films.film import Colours, Video

UNSAID = Colours()


def video(pixels: str, lines: int, colours: Colours = UNSAID) -> Video:
    return Video(0, "h264", 64, lines, pixels, Fraction(1, 25), colours=colours)


@pytest.mark.parametrize(
    ("pixels", "lines", "said", "meant"),
    [
        ("yuv420p", 576, UNSAID, Colours(1, 6)),
        ("yuv420p", 577, UNSAID, Colours(1, 1)),
        ("yuv420p", 480, Colours(2, 1, 1, 1), Colours(2, 1, 1, 1)),
        ("yuvj420p", 480, Colours(1, 5), Colours(2, 5)),
        ("yuv444p", 1080, Colours(0, 0), Colours(1, 1)),  # the number of RGB, but it is none
        ("gbrp10le", 480, UNSAID, Colours(2, 0)),
        ("rgb24", 480, Colours(1, 1), Colours(2, 0)),
        ("pal8", 480, UNSAID, Colours(2, 0)),
    ],
)
def test_what_is_not_said_is_what_players_assume(pixels: str, lines: int, said: Colours, meant: Colours) -> None:
    assert assumed(pixels, lines, said) == meant


@pytest.mark.parametrize(
    ("source", "pixels", "lines", "written"),
    [
        (video("yuv420p", 288), "yuv420p", 576, UNSAID),  # nothing is said where players assume the same
        (video("yuv420p", 360), "yuv420p", 720, Colours(0, 6)),  # larger, they would take it for BT.709
        (video("yuv420p", 720), "yuv420p", 360, Colours(0, 1)),
        (video("yuv420p", 360, Colours(1, 9, 9, 16)), "yuv420p10le", 720, Colours(1, 9, 9, 16)),
        (video("yuvj420p", 360), "yuv420p", 360, Colours(2)),  # its name said that the range is full
        (video("gray", 360), "yuv420p", 360, Colours(2)),
        (video("gbrp", 360, Colours(2, 0, 1, 13)), "yuv444p", 360, Colours(1, 6, 1, 13)),
        (video("rgb24", 1080), "yuv420p", 1080, Colours(1, 1)),
        (video("bgr0", 360, Colours(2, 0, 1, 13)), "gbrp", 360, Colours(2, 0, 1, 13)),
        (video("yuv420p", 360, Colours(1, 1, 1, 1)), "gbrp", 360, Colours(2, 0, 1, 1)),
    ],
)
def test_a_result_says_what_it_has_to_and_no_more(source: Video, pixels: str, lines: int, written: Colours) -> None:
    assert to_write(source, pixels, lines) == written
    said = source.colours
    meant, kept = assumed(pixels, lines, written), assumed(source.pixels, source.height, said)
    if 0 not in (meant.matrix, kept.matrix):
        assert (meant.matrix, meant.range) == (kept.matrix, kept.range), "the same numbers mean the same"


def test_what_the_network_sees_otherwise_is_told() -> None:
    assert notes(video("yuv420p", 360)) == ()
    (told,) = notes(video("yuv420p10le", 2160, Colours(1, 9, 9, 16)))
    assert told.startswith("is HDR (PQ): the network sees its values as they are coded")
    (told,) = notes(video("yuv420p10le", 2160, Colours(1, 9, 9, 18)))
    assert told.startswith("is HDR (HLG)")
    (told,) = notes(video("yuv444p", 360, Colours(1, 8)))
    assert told == "has a colour matrix (number 8) that is not known: the network sees it as one of BT.709"
