"""What a container cannot hold is told before the work, all of it, with what to do."""

import re
from pathlib import Path

import ffmpeg
import pytest
from films import film

from dni_deploy.films.source.probe import look_at
from dni_deploy.films.target.holding import check_streams
from dni_runtime import InputError, OutputError


@pytest.mark.parametrize(
    ("kind", "output", "says"),
    [
        (
            "srt",
            "a.mp4",
            "stream 1, subtitle (srt) (eng); choose a name that ends in .mkv, or leave it out by",
        ),
        (
            "ass",
            "a.mp4",
            "(ssa); stream 2, attachment (own.ttf); choose a name that ends in .mkv, or leave it out by",
        ),
        (
            "aac",
            "a.webm",
            "stream 1, audio (aac); choose a name that ends in .mkv or .mov or .mp4, or leave",
        ),
        ("mov_text", "a.mkv", "choose a name that ends in .mov or .mp4, or leave it out by --drop subtitles"),
        (
            "cover",
            "a.mov",
            "stream 2, cover (png); choose a name that ends in .mkv or .mp4, or leave it out by",
        ),
        (
            "two_videos",
            "a.webm",
            "stream 1, second video (h264); choose a name that ends in .mkv or .mov or .mp4",
        ),
        ("everything", "a.webm", "attachment (own.ttf); choose a name that ends in .mkv, or leave it out by"),
    ],
)
def test_streams_that_a_container_does_not_hold_are_refused(kind: str, output: str, says: str):
    with pytest.raises(OutputError, match=re.escape(says)):
        check_streams(look_at(film(kind)), Path(output))


@pytest.mark.parametrize(
    ("kind", "output", "drop"),
    [
        ("everything", "a.mkv", ()),
        ("everything", "a.mp4", ("subtitles", "attachments")),
        ("everything", "a.webm", ("audio", "subtitles", "attachments")),
        ("timecode", "a.webm", ()),
        ("chapters_mp4", "a.mkv", ()),
        ("cover", "a.mkv", ()),
        ("cover_mkv", "a.mp4", ()),
        ("pcm", "a.mp4", ()),
    ],
)
def test_what_it_holds_is_not_mentioned(kind: str, output: str, drop: tuple[str, ...]):
    assert check_streams(look_at(film(kind)), Path(output), drop) == ()


def test_tags_that_an_mp4_has_no_place_for_are_noted(tmp_path: Path):
    source = tmp_path / "film.mkv"
    ffmpeg.ffmpeg("-i", film("aac"), "-c", "copy", "-metadata", "lens=50mm", "-metadata", "title=Old", source)
    assert check_streams(look_at(source), Path("a.mp4")) == ("has no place for what the film says as lens: .mkv has",)
    assert check_streams(look_at(source), Path("a.mkv")) == ()


def test_a_kind_of_stream_that_there_is_not_cannot_be_dropped():
    says = "'sound' cannot be dropped; expected one of attachments, audio, data, subtitles, videos"
    with pytest.raises(InputError, match=says):
        check_streams(look_at(film("aac")), Path("a.mp4"), ("sound",))
