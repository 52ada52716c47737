"""Moments of a film as people write them: seconds, hours and minutes, or an editor's timecode."""

from __future__ import annotations

import re
from fractions import Fraction

from dni_runtime import InputError

_SECONDS = re.compile(r"[0-9]+(\.[0-9]*)?|\.[0-9]+")
_CLOCK = re.compile(r"(?:([0-9]{1,9}):)?([0-9]{1,9}):([0-9]{1,2}(?:\.[0-9]{0,9})?)")
_TIMECODE = re.compile(r"([0-9]{1,9}):([0-9]{1,2}):([0-9]{1,2})([:;])([0-9]{1,3})")
_WITHOUT_FRAMES = "seconds (62.5) or h:m:s (0:01:02.5)"
_EXPECTED = "seconds (62.5), h:m:s (0:01:02.5) or h:m:s:frames (0:01:02:12)"
# What 24, 30 and 60 frames a second are called where they are 23.976, 29.97 and 59.94.
_NTSC = Fraction(1000, 1001)


def read_moment(text: str, rate: Fraction | None = None) -> float:
    """The seconds from a film's first frame that `text` stands for. `rate`: frames a second, for a timecode.

    A timecode counts frames, h:m:s:ff by all of them, h:m:s;ff by those that are left where broadcasters drop numbers
    (29.97 and 59.94 frames a second). Raises InputError.
    """
    if _SECONDS.fullmatch(text):
        return float(text)
    if (clock := _CLOCK.fullmatch(text)) and float(clock[3]) < 60 and (clock[1] is None or int(clock[2]) < 60):
        return float(3600 * int(clock[1] or 0) + 60 * int(clock[2]) + Fraction(clock[3].rstrip(".")))
    if (timecode := _TIMECODE.fullmatch(text)) and int(timecode[2]) < 60 and int(timecode[3]) < 60:
        hours, minutes, seconds, frames = (int(timecode[group]) for group in (1, 2, 3, 5))
        return _timecode(text, 60 * hours + minutes, seconds, frames, rate, drops=timecode[4] == ";")
    expected = _WITHOUT_FRAMES if rate is None else _EXPECTED
    raise InputError(f"{text!r} is no moment of a film; expected {expected}")


def show_moment(seconds: float) -> str:
    """As `read_moment` takes it: 0:01:02.5."""
    minutes, rest = divmod(round(seconds, 3), 60)
    return f"{int(minutes) // 60}:{int(minutes) % 60:02}:{rest:06.3f}".rstrip("0").rstrip(".")


def _timecode(text: str, minutes: int, seconds: int, frames: int, rate: Fraction | None, *, drops: bool) -> float:
    nominal = 0 if rate is None else round(rate)
    if rate is None or not any(abs(rate / exact - 1) < Fraction(1, 5000) for exact in (nominal, nominal * _NTSC)):
        known = "how many frames a second there are is not known here" if rate is None else f"there are {float(rate):g}"
        raise InputError(f"{text!r} counts frames, but {known}; expected {_WITHOUT_FRAMES}")
    if frames >= nominal:
        raise InputError(f"{text!r} has the frame {frames} of {nominal} in a second; expected at most {nominal - 1}")
    number = (60 * minutes + seconds) * nominal + frames
    if drops:
        if nominal % 30 or nominal == rate:
            raise InputError(
                f"{text!r} drops numbers of frames, which films of 29.97 or 59.94 frames a second do; this one has "
                f"{float(rate):g}: write it with colons"
            )
        dropped = nominal // 15
        if minutes % 10 and seconds == 0 and frames < dropped:
            raise InputError(f"{text!r} is a number that is dropped; the next frame's is {text[:-2]}{dropped:02}")
        number -= dropped * (minutes - minutes // 10)
    return float(number / rate)
