"""Moments of a film as people write them."""

from fractions import Fraction

import pytest

from dni_deploy.films.moments import read_moment, show_moment
from dni_runtime import InputError

FILM = Fraction(24000, 1001)
NTSC = Fraction(30000, 1001)


@pytest.mark.parametrize(("text", "seconds"), [
    ("0", 0),
    ("62.5", 62.5),
    (".5", 0.5),
    ("90000", 90000),
    ("0:05", 5),
    ("90:00", 5400),
    ("1:02.25", 62.25),
    ("0:01:02.5", 62.5),
    ("01:02:03", 3723),
    ("100:00:00.125", 360000.125),
])  # fmt: skip
def test_seconds_and_the_clock(text: str, seconds: float):
    assert read_moment(text) == seconds


@pytest.mark.parametrize(("text", "rate", "frame"), [
    ("0:00:02:12", Fraction(24), 60),
    ("00:00:02:12", FILM, 60),
    ("0:01:00:00", FILM, 1440),
    ("0:01:00:00", NTSC, 1800),
    ("0:00:59;29", NTSC, 1799),
    ("0:01:00;02", NTSC, 1800),  # ;00 and ;01 are dropped
    ("0:10:00;00", NTSC, 17982),
    ("1:00:00;00", NTSC, 107892),
    ("0:01:00;04", Fraction(60000, 1001), 3600),
    ("0:00:01:24", Fraction(25), 49),
    ("0:00:01:05", Fraction(2997, 100), 35),  # as .avi files put it
])  # fmt: skip
def test_timecodes_count_frames(text: str, rate: Fraction, frame: int):
    assert read_moment(text, rate) == pytest.approx(float(frame / rate), abs=1e-9)


@pytest.mark.parametrize(("text", "rate", "message"), [
    ("", None, "'' is no moment of a film; expected seconds"),
    ("-1", None, "'-1' is no moment"),
    ("1s", None, r"expected seconds \(62\.5\) or h:m:s \(0:01:02\.5\)$"),  # frames would be refused
    ("1s", NTSC, r"expected .* or h:m:s:frames \(0:01:02:12\)$"),
    ("1e3", None, "no moment"),
    ("nan", None, "no moment"),
    ("0:60", None, "no moment"),
    (f"{'9' * 5000}:00", None, "no moment"),
    (f"0:00.{'9' * 5000}", None, "no moment"),
    ("0:60:00", None, "no moment"),
    ("0:00:60:00", Fraction(25), "no moment"),
    ("٣", None, "no moment"),
    ("1:02:03:04", None, "counts frames, but how many frames a second there are is not known here; expected"),
    ("1:02:03:04", Fraction(173, 10), r"counts frames, but there are 17\.3; expected seconds"),
    ("0:00:00:25", Fraction(25), "has the frame 25 of 25 in a second; expected at most 24"),
    ("0:01:00;00", NTSC, "'0:01:00;00' is a number that is dropped; the next frame's is 0:01:00;02"),
    ("0:02:00;03", Fraction(60000, 1001), "the next frame's is 0:02:00;04"),
    ("0:00:01;00", Fraction(25), "this one has 25: write it with colons"),
    ("0:00:01;00", Fraction(30), "this one has 30: write it with colons"),
    ("0:00:01;00", FILM, r"this one has 23\.976"),
])  # fmt: skip
def test_what_is_no_moment(text: str, rate: Fraction | None, message: str):
    with pytest.raises(InputError, match=message):
        read_moment(text, rate)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00:00"), (62.5, "0:01:02.5"), (59.9999, "0:01:00"), (3723, "1:02:03")]
)
def test_it_is_shown_as_it_is_read(seconds: float, text: str):
    assert show_moment(seconds) == text
    assert read_moment(text) == pytest.approx(seconds, abs=5e-4)
