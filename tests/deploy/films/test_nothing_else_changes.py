"""Films of every kind through a network that returns its input, as the ffmpeg program finds them: all is as it was."""

import re
from pathlib import Path

import numpy as np
import pytest
from ffmpeg import described, frames, marks, metadata, packets, pictures, streams
from film_kinds import STREAMS
from films import film
from films_through import GOOD, copied, through_same

# Of what is in the file, not in the film: the program that wrote it, and sums that it made.
_OF_THE_FILE = re.compile("encoder|duration|handler_name|vendor_id|bps|_statistics|(major|minor|compatible)_", re.I)
# The clock of a broadcast begins anywhere; as with `ffmpeg -c copy` it begins at 0 elsewhere.
_BROADCASTS = (".ts", ".mpg")


@pytest.mark.parametrize("kind", GOOD)
def test_every_frame_is_shown_when_it_was(kind: str):
    before, after = frames(film(kind)), frames(copied(kind))
    begin = start(film(kind)) if film(kind).suffix in _BROADCASTS else 0
    assert [f.second + begin for f in after] == pytest.approx([f.second for f in before], abs=tick(kind), rel=0)
    assert after[-1].duration == pytest.approx(before[-1].duration, abs=0.001)


@pytest.mark.parametrize("kind", GOOD)
def test_pictures_are_the_same_but_for_what_the_encoder_loses(kind: str):
    """In their place and turned as before: levels of 255 that a value is off, of the test picture with hard edges."""
    before, after = (pictures(path, turned=True).astype(float) for path in (film(kind), copied(kind)))
    loss = np.sqrt(np.mean((after - before) ** 2))
    # Where the source has a colour for each pixel, the result has one for four.
    assert loss < (7 if "420" in streams(film(kind))[0] else 30), loss


@pytest.mark.parametrize("kind", GOOD)
def test_what_a_picture_says_of_itself_is_kept(kind: str):
    """Shape of the pixels, how they are turned, colours, and what HDR is mastered for."""
    before, after = (marks(path) for path in (film(kind), copied(kind)))
    if before["color_space"] == "gbr" != after["color_space"]:
        del before["color_space"], before["color_range"]  # those of RGB, which has become YUV
    said = {name: mark for name, mark in before.items() if mark != "unknown"}
    assert {name: after.get(name) for name in said} == said


@pytest.mark.parametrize("kind", [*STREAMS, "late_start", "late_pictures", "edit_list", "fragmented"])
def test_other_streams_are_the_same_bytes_at_the_same_times(kind: str):
    assert others(copied(kind)) == others(film(kind))
    for number, stream in enumerate(streams(film(kind))):
        if re.search("Audio:|Subtitle:", stream):
            before, after = (packets(path, str(number)) for path in (film(kind), copied(kind)))
            assert [(p.second, p.content) for p in after] == [(p.second, p.content) for p in before]
            assert [p.duration for p in after] == pytest.approx([p.duration for p in before], abs=0.001)


@pytest.mark.parametrize(
    ("kind", "suffix"),
    [
        *(
            ("aac", ".mkv"),
            ("aac", ".mov"),
            ("opus", ".mp4"),
            ("flac", ".mp4"),
            ("pcm", ".mkv"),
            ("late_start", ".mp4"),
        ),
        *(
            ("late_pictures", ".mp4"),
            ("late_pictures", ".webm"),
            ("vfr", ".mkv"),
            ("vfr_mkv", ".mov"),
            ("ntsc", ".webm"),
        ),
        *(("chapters", ".mp4"), ("chapters_mp4", ".mkv"), ("gap", ".mp4"), ("rotated_90", ".mkv"), ("hdr10", ".mkv")),
        *(
            ("wide_pixels", ".webm"),
            ("hdr10", ".webm"),
            ("cover", ".mkv"),
            ("two_languages", ".mp4"),
            ("long", ".webm"),
        ),
    ],
)
def test_in_another_container_it_is_the_same_film(kind: str, suffix: str):
    drop = ("--drop", "audio") if (kind, suffix) == ("late_pictures", ".webm") else ()
    source, result = film(kind), through_same(kind, suffix, *drop)
    shown, found = ([float(f.second) for f in frames(path)] for path in (source, result))
    assert found == pytest.approx(shown, abs=0.0006, rel=0)
    assert chapters(result) == chapters(source)
    before, after = marks(source), marks(result)
    assert after | {name: mark for name, mark in before.items() if mark != "unknown"} == after
    for number in range(0 if drop else sum("Audio:" in stream for stream in streams(source))):
        sound, kept = (packets(path, f"a:{number}") for path in (source, result))
        assert [p.content for p in kept] == [p.content for p in sound]
        assert [float(p.second) for p in kept] == pytest.approx([float(p.second) for p in sound], abs=0.0011, rel=0)


@pytest.mark.parametrize("kind", STREAMS)
def test_tags_and_chapters_are_kept(kind: str):
    assert tags(copied(kind)) == tags(film(kind))
    assert chapters(copied(kind)) == chapters(film(kind))


def start(film: Path) -> float:
    """The second at which a film begins by its own clock."""
    (second,) = re.findall(r"start: ([\d.]+)", described(film))
    return float(second)


def tick(kind: str) -> float:
    """How far a moment may be off: Matroska's are whole milliseconds."""
    return 0 if film(kind).suffix == copied(kind).suffix else 0.0006


def others(film: Path) -> list[str]:
    """All streams but the first, the pictures: language, codec, what kind of sound, whether it is the default."""
    return [re.sub(r", \d+ kb/s", "", line) for line in streams(film)[1:]]


def tags(film: Path) -> list[list[str]]:
    """Of the film and each stream."""
    sections = metadata(film).split("[CHAPTER]")[0].split("[STREAM]")
    return [sorted(line for line in part.split("\n") if not _OF_THE_FILE.match(line)) for part in sections]


def chapters(film: Path) -> list[tuple[str, ...]]:
    return re.findall(r"Chapter #\S+ start ([\d.]+), end ([\d.]+)\n\s+Metadata:\n\s+title\s+: (.*)", described(film))
