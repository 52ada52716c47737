"""Parts are encoded alike every time, and one that is cut off or of another encoder is none."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import ffmpeg
import numpy as np
import pytest
from films import film
from remaking import encode, whole

from dni_deploy.films.film import Film, Part
from dni_deploy.films.source.probe import look_at
from dni_deploy.films.target.choose import choose_encoding
from dni_deploy.films.target.encoding import Encoding
from dni_deploy.films.target.join import join
from dni_deploy.films.target.options import Asked
from dni_deploy.films.target.part_file import PartFile, read_part
from dni_runtime import OutputError

CODECS = {"h264": ".mp4", "h265": ".mp4", "av1": ".mp4", "vp9": ".webm", "ffv1": ".mkv", "prores": ".mov"}


def encoding_of(source: Film, codec: str) -> Encoding:
    return choose_encoding(source, Path(f"a{CODECS[codec]}"), Asked(codec), (source.video.width, source.video.height))


@pytest.fixture(scope="module")
def moving(tmp_path_factory: pytest.TempPathFactory) -> Film:
    """Enough frames for an encoder that looks ahead to look ahead, of a width that is no multiple of 128."""
    path = tmp_path_factory.mktemp("films") / "moving.mp4"
    generator = "testsrc2=size=320x240:rate=10:duration=8"
    ffmpeg.ffmpeg("-f", "lavfi", "-i", generator, "-c:v", "libx264", "-preset", "ultrafast", path)
    return look_at(path)


@pytest.mark.parametrize("codec", CODECS)
def test_equal_frames_make_equal_bytes(codec: str, moving: Film, tmp_path: Path):
    """x264 did not, by its code for AVX-512: three of three runs differed."""
    encoding = encoding_of(moving, codec)
    made = set()
    for number in range(3):
        path = tmp_path / str(number)
        encode(moving, encoding, Part(0, int(moving.index.pts[12]), int(moving.index.pts[-1])), path)
        made.add(path.read_bytes())
    assert len(made) == 1


def test_a_part_begins_with_a_key_and_has_a_packet_for_every_frame(moving: Film, tmp_path: Path):
    encode(
        moving,
        encoding_of(moving, "h264"),
        Part(0, int(moving.index.pts[5]), int(moving.index.pts[30])),
        tmp_path / "a",
    )
    packets = list(read_part(tmp_path / "a").packets())
    assert packets[0].is_keyframe
    assert sorted(packet.pts or 0 for packet in packets) == moving.index.pts[5:30].tolist()


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content[:-1],
        lambda content: content[: len(content) // 2],
        lambda content: content + b"\0",
        lambda content: content[:100] + content[101:],
        lambda content: b"RIFF" + content[4:],
        lambda content: b"",
    ],
)
def test_what_is_not_whole_is_refused(change: Callable[[bytes], bytes], tmp_path: Path):
    source, path = look_at(film("h264")), tmp_path / "part"
    encode(source, encoding_of(source, "h264"), whole(source), path)
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(OutputError, match="is not a whole part of a film: begin anew, with --force"):
        read_part(path)


def test_a_part_that_ends_in_an_error_is_none(tmp_path: Path):
    source, path = look_at(film("h264")), tmp_path / "part"
    with pytest.raises(KeyboardInterrupt), PartFile(path, encoding_of(source, "h264")):
        raise KeyboardInterrupt
    with pytest.raises(OutputError, match="is not a whole part"):
        read_part(path)


def test_parts_of_another_encoder_are_not_joined(tmp_path: Path):
    source = look_at(film("h264"))
    encoding = encoding_of(source, "h264")
    other = dataclasses.replace(encoding, options=(("crf", "16"), ("preset", "ultrafast")))
    encode(source, other, whole(source), tmp_path / "part")
    with pytest.raises(OutputError, match="was encoded by another version of FFmpeg's libraries than this one's"):
        join([tmp_path / "part"], source, encoding, tmp_path / "film.mp4")


def test_two_joins_of_the_same_parts_are_equal_bytes(tmp_path: Path):
    source = look_at(film("everything"))
    encoding = choose_encoding(source, Path("a.mkv"), Asked(), (96, 64))
    encode(source, encoding, whole(source), tmp_path / "part")
    for name in ("a", "b"):
        join([tmp_path / "part"], source, encoding, tmp_path / name)
    assert np.array_equal(*(np.fromfile(tmp_path / name, np.uint8) for name in ("a", "b")))
