"""Packets of damaged films: all that can be had, in an order that can be."""

import errno
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import ffmpeg
import pytest
from films import film
from onnx_models import save
from plain_to_see import returns_input

from dni_deploy import enhance_film
from dni_deploy.films.source.demuxing import demuxed, in_order


@pytest.mark.parametrize(
    ("moved", "to"),
    [
        ({5: 10**6}, [5]),  # ahead of all others, which are not left out for it
        ({5: -(10**6)}, [5]),
        ({5: 10**6, 9: -(10**6)}, [5, 9]),
        ({}, []),
    ],
)
def test_sound_whose_moment_cannot_be_is_left_out(moved: dict[int, int], to: list[int]):
    with av.open(str(film("aac"))) as container:
        (sound, *_) = container.streams.audio
        packets = [packet for packet in container.demux(sound) if packet.size]
        for number, ticks in moved.items():
            dts = packets[number].dts
            assert dts is not None
            packets[number].pts = packets[number].dts = dts + ticks
        lost = Counter[int]()
        assert [packets.index(packet) for packet in in_order(iter(packets), lost)] == [
            number for number in range(len(packets)) if number not in to
        ]
        assert lost[sound.index] == len(to)


class _Recording:
    """What PyAV does, by chance, with a film of which a piece is missing, and in whose middle a stream begins."""

    def __init__(self) -> None:
        self._said: list[Any] = ["first", av.BlockingIOError(errno.EAGAIN, ""), "last", IndexError("out of range")]

    def demux(self, streams: list[Any]) -> Iterator[Any]:
        while self._said:
            if isinstance(said := self._said.pop(0), Exception):
                raise said
            yield said


def test_neither_a_missing_piece_nor_a_stream_that_begins_later_is_the_end():
    assert [*demuxed(_Recording(), [])] == ["first", "last"]  # type: ignore[arg-type]


def test_what_says_again_only_is_not_waited_for_without_end():
    class _Nothing:
        def demux(self, streams: list[Any]) -> Iterator[Any]:
            raise av.BlockingIOError(errno.EAGAIN, "")

    assert [*demuxed(_Nothing(), [])] == []  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A transport stream of 80 frames with sound."""
    path = tmp_path_factory.mktemp("recording") / "in.ts"
    pictures, sound = "testsrc2=size=96x64:rate=10:duration=8", "sine=duration=8"
    x264 = ["-c:v", "libx264", "-threads", "1", "-g", "10", "-pix_fmt", "yuv420p"]
    ffmpeg.ffmpeg("-f", "lavfi", "-i", pictures, "-f", "lavfi", "-i", sound, *x264, "-c:a", "aac", path)
    return path


def test_damaged_sound_is_told_and_the_rest_of_it_kept(recording: Path, tmp_path: Path):
    content = bytearray(recording.read_bytes())
    place = content.index(b"\xff\xf1", len(content) // 2)  # where a packet of sound begins
    content[place] = 0
    source, output = tmp_path / "in.ts", tmp_path / "out.mkv"
    source.write_bytes(content)
    same, whole = save(returns_input(), tmp_path / "same.onnx"), tmp_path / "whole.mkv"
    enhance_film(same, recording, whole, preset="ultrafast")
    report = enhance_film(same, source, output, preset="ultrafast")
    assert report.frames == 80
    assert report.notes[-1] == "in.ts: of its audio (stream 1) 2 pieces are damaged, left out"
    before, after = ([shown.content for shown in ffmpeg.packets(path, "a:0")] for path in (whole, output))
    assert len(before) - 2 <= len(after) < len(before)  # a piece without its begin is none, or one more
    assert len({*after} - {*before}) <= 1
