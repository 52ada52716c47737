"""Frames: those that FFmpeg's own program decodes, each once, whatever the parts are that they are read in."""

import itertools
import random
from fractions import Fraction
from hashlib import md5
from pathlib import Path

import av
import ffmpeg
import numpy as np
import pytest
from film_kinds import INTERLACED
from films import KINDS, film
from hard_films import HARD, damaged, hard_film, of_two_sizes, with_hole

from dni_deploy.films.film import Film, Part
from dni_deploy.films.source import decoders
from dni_deploy.films.source.frames import Frames
from dni_deploy.films.source.probe import look_at

# Of what is damaged the program makes up something else every time.
_OTHERS = {*INTERLACED, "no_index", "text", "empty", "only_sound", "damaged"}
# The program writes the palette too, and leaves opacity out.
_WRITTEN_OTHERWISE = {"png_pal8", "vp9_yuva"}
GOOD = [*(kind for kind in KINDS if kind not in _OTHERS), *HARD]
# FFmpeg's program shows these as many frames later as may change places; their files do not say when.
_WITHOUT_MOMENTS = {"raw_h264", "raw_h265"}


@pytest.mark.parametrize("kind", GOOD)
def test_every_frame_is_the_one_that_ffmpeg_decodes_in_any_parts(kind: str) -> None:
    path = hard_film(kind) if kind in HARD else film(kind)
    looked_at = look_at(path)
    expected = ffmpeg.frames(path)
    late = expected[0].second if kind in _WITHOUT_MOMENTS else Fraction(0)

    whole = _read_at_once(looked_at)

    assert [pts for pts, _ in whole] == looked_at.index.pts.tolist()
    assert [pts * looked_at.video.time_base + late for pts, _ in whole] == [shown.second for shown in expected]
    if kind not in _WRITTEN_OTHERWISE:
        assert [content for _, content in whole] == [shown.content for shown in expected]
    for seed in range(2):
        parts = _parts(looked_at, seed)
        assert _read_on(looked_at, parts) == whole
        assert _read_one_by_one(looked_at, parts) == whole


def test_opacity_of_vp9_is_decoded() -> None:
    pixels = "-c:v libvpx-vp9 -i {film} -f framemd5 -".format(film=film("vp9_yuva")).split()
    expected = [line.split(",")[-1].strip() for line in ffmpeg.ffmpeg(*pixels).decode().splitlines() if line[0] != "#"]

    assert [content for _, content in _read_at_once(look_at(film("vp9_yuva")))] == expected


@pytest.mark.parametrize("kind", ["h264", "h265", "vp9", "av1", "mpeg2", "mpeg4", "prores", "ffv1", "raw_h264"])
def test_of_a_damaged_film_the_frames_of_a_part_are_always_the_same(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether they are read on, out of turn, or elsewhere with another number of processors."""
    for seed in range(4):
        looked_at = look_at(damaged(film(kind), seed, tmp_path / f"{seed}{film(kind).suffix}"))
        parts = _parts(looked_at, seed)
        read = _read_on(looked_at, parts)
        for threads in (1, 2, 4):
            monkeypatch.setattr(decoders, "_THREADS", threads)
            assert _read_on(looked_at, parts) == read
            assert _read_one_by_one(looked_at, parts) == read


def test_frames_that_are_lost_and_damaged_are_told_of_and_the_others_keep_their_moments(tmp_path: Path) -> None:
    looked_at = look_at(with_hole("leading_h265_ts", tmp_path / "hole.ts"))
    notes: list[str] = []

    read = dict(_read_at_once(looked_at, notes))

    whole = dict(_read_at_once(look_at(hard_film("leading_h265_ts"))))
    assert 30 < len(read) < len(looked_at.index.pts) < len(whole) == 50
    assert read.keys() < whole.keys()
    assert sum(read[pts] == whole[pts] for pts in read) >= 30
    lost = sorted({*looked_at.index.pts.tolist()} - read.keys())
    first, last = (f"{looked_at.seconds(pts):.2f}" for pts in (lost[0], lost[-1]))
    assert notes == [f"{len(lost)} frames from 0:00:0{first} to 0:00:0{last} are lost; the picture before stays"]


def test_a_damaged_frame_is_shown_and_told_of() -> None:
    notes: list[str] = []

    assert len(_read_at_once(look_at(film("damaged")), notes)) == 24

    assert notes == ["2 frames from 0:00:00.32 to 0:00:00.36 are damaged; FFmpeg made up for what is missing"]


def test_a_part_without_a_frame_that_can_be_decoded_is_empty(tmp_path: Path) -> None:
    looked_at = look_at(with_hole("leading_h265_ts", tmp_path / "hole.ts"))
    lost = sorted({*looked_at.index.pts.tolist()} - dict(_read_at_once(looked_at)).keys())

    with Frames(looked_at) as frames:
        assert list(frames.read(Part(0, lost[0], lost[0] + 1))) == []
        assert len(frames.notes) == 1 and frames.notes[0].startswith("one frame, at 0:00:0")


def test_frames_of_another_size_are_given_as_they_are_and_told_of(tmp_path: Path) -> None:
    looked_at = look_at(of_two_sizes(tmp_path / "sizes.h264"))

    with Frames(looked_at) as frames:
        sizes = [(frame.width, frame.height) for frame in frames.read(_whole(looked_at))]

    assert sizes == [(96, 64)] * 24 + [(64, 48)] * 10
    assert frames.notes == ["10 frames from 0:00:00.96 to 0:00:01.32 are of 64x48 pixels; made 96x64"]


def test_frames_that_are_interlaced_later_are_told_of(tmp_path: Path) -> None:
    """The film begins with whole pictures; of what follows, told by its frames alone, there are 24."""
    path = tmp_path / "later.h264"
    laced = tmp_path / "laced.h264"
    ffmpeg.ffmpeg("-i", film("interlaced"), "-c", "copy", laced)
    path.write_bytes(film("raw_h264").read_bytes() + laced.read_bytes())
    looked_at = look_at(path)
    notes: list[str] = []

    assert len(_read_at_once(looked_at, notes)) == len(looked_at.index.pts) > 24

    assert [note.partition(" are ")[2] for note in notes] == ["interlaced; enhanced like the others"]
    assert " from 0:00:00.96 to " in notes[0]


def _whole(looked_at: Film) -> Part:
    return Part(0, int(looked_at.index.pts[0]), int(looked_at.index.pts[-1]) + 1)


def _parts(looked_at: Film, seed: int) -> list[Part]:
    """All of the film, in parts of which some begin with a key."""
    chance, pts = random.Random(seed), looked_at.index.pts.tolist()
    inside = [moment for moment in looked_at.index.keys.tolist() if moment != pts[0]]
    cuts = {*chance.sample(pts[1:], min(3, len(pts) - 1)), *chance.sample(inside, min(2, len(inside)))}
    edges = [pts[0], *sorted(cuts), pts[-1] + 1]
    return [Part(number, *edge) for number, edge in enumerate(itertools.pairwise(edges))]


def _read_at_once(looked_at: Film, notes: list[str] | None = None) -> list[tuple[int, str]]:
    with Frames(looked_at) as frames:
        read = [_content(frame) for frame in frames.read(_whole(looked_at))]
    if notes is not None:
        notes += frames.notes
    return read


def _read_on(looked_at: Film, parts: list[Part]) -> list[tuple[int, str]]:
    with Frames(looked_at) as frames:
        return [_content(frame) for part in parts for frame in frames.read(part)]


def _read_one_by_one(looked_at: Film, parts: list[Part]) -> list[tuple[int, str]]:
    """Each by a reader of its own, the last one first."""
    read: list[tuple[int, str]] = []
    for part in reversed(parts):
        read = _read_on(looked_at, [part]) + read
    return read


def _content(frame: av.VideoFrame) -> tuple[int, str]:
    """Its moment, and the hash of its bytes that FFmpeg's program tells."""
    assert frame.pts is not None
    assert frame.time_base is not None
    hashed, packed = md5(usedforsecurity=False), len(frame.planes) == 1
    for number, plane in enumerate(frame.planes):
        if number and frame.format.has_palette:
            break
        wide = -(-frame.format.components[0].bits // 8)
        step = frame.format.padded_bits_per_pixel // 8 if packed else wide
        length = plane.width * (2 if frame.format.name == "nv12" and number else step)
        rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[: plane.height, :length]
        hashed.update(np.ascontiguousarray(rows))
    return frame.pts, hashed.hexdigest()
