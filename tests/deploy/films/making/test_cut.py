"""Where films are cut into parts."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from dni_deploy.films.film import Film, Index, Part, Video
from dni_deploy.films.making.cut import cut
from dni_runtime import InputError

TICKS = 100  # a second


def film(seconds: float, keys: list[float], *, rate: int = 5, first: int = 0) -> Film:
    pts = first + np.arange(0, int(seconds * rate), dtype=np.int64) * (TICKS // rate)
    index = Index(pts, np.full(len(pts), TICKS // rate), first + (np.array(keys) * TICKS).astype(np.int64))
    video = Video(0, "h264", 64, 48, "yuv420p", Fraction(1, TICKS), Fraction(rate))
    return Film(Path("in.mp4"), video, index)


def seconds(parts: tuple[Part, ...]) -> list[float]:
    return [part.begin / TICKS for part in parts] + [parts[-1].end / TICKS]


@pytest.mark.parametrize(
    ("length", "keys", "expected"),
    [
        (4, [0, 2], [0, 4]),
        (12, [0, 2, 4, 6, 8, 10, 11.8], [0, 6, 11.8, 12]),
        (12, [0, 5, 10], [0, 5, 10, 12]),
        (50, [0], [0, 20, 40, 50]),  # any frame, where no key comes for 20 seconds
        (50, [0, 21, 30], [0, 20, 30, 50]),
        (30, [0, 20], [0, 20, 30]),
    ],
)
def test_a_part_begins_at_a_key_after_five_seconds(length: float, keys: list[float], expected: list[float]):
    parts = cut(film(length, keys))
    assert seconds(parts) == expected
    assert [part.number for part in parts] == [*range(len(parts))]


def test_parts_follow_each_other_without_a_gap_wherever_the_film_begins():
    parts = cut(film(30, [0, 6, 14, 22], first=1234))
    assert parts[0].begin == 1234
    assert [part.end for part in parts[:-1]] == [part.begin for part in parts[1:]]


def test_a_section_holds_the_frames_from_its_start_until_before_its_end():
    whole = film(30, [0, 6, 14, 22])
    # 7.1 s lies between two frames: the first one is that at 7.2 s.
    assert seconds(cut(whole, 7.1, 20)) == [7.2, 14, 20]
    assert seconds(cut(whole, None, 0.1)) == [0, 0.2]
    assert seconds(cut(whole, 29.8)) == [29.8, 30]
    assert seconds(cut(whole, 1, 99)) == [1, 6, 14, 22, 30]
    assert seconds(cut(whole, 1, 1e308)) == [1, 6, 14, 22, 30]


def test_a_moment_that_is_written_with_a_few_decimals_is_that_of_its_frame():
    pts = np.arange(0, 3003, 1001, dtype=np.int64)
    video = Video(0, "h264", 64, 48, "yuv420p", Fraction(1, 24000))
    ntsc = Film(Path("in.mp4"), video, Index(pts, np.full(3, 1001), pts[:1]))
    (part,) = cut(ntsc, 0.042)  # 1001 / 24000 s is 0.0417
    assert part.begin == 2002
    (part,) = cut(ntsc, 1001 / 24000)
    assert part.begin == 1001


def test_a_section_without_a_frame_is_refused():
    with pytest.raises(InputError, match=r"--start is 30 s, but in.mp4 ends after 30.000 s; expected less"):
        cut(film(30, [0]), 30)
    with pytest.raises(InputError, match=r"no frame of in.mp4 lies between --start \(1.01 s\) and --end \(1.02 s\)"):
        cut(film(30, [0]), 1.01, 1.02)
