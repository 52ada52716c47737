"""What a film holds beside its pictures is in the new one, byte for byte, at the same moments."""

import contextlib
from fractions import Fraction
from pathlib import Path

import ffmpeg
import pytest
from films import film
from remaking import remade

from dni_runtime import OutputError

CASES = [
    *(("aac", suffix, "a:0") for suffix in (".mp4", ".mov", ".mkv")),
    *(("opus", suffix, "a:0") for suffix in (".mp4", ".mkv", ".webm")),
    *(("pcm", suffix, "a:0") for suffix in (".mov", ".mkv")),
    *(("flac", suffix, "a:0") for suffix in (".mp4", ".mkv")),
    *(("two_languages", suffix, stream) for suffix in (".mp4", ".mkv") for stream in ("a:0", "a:1")),
    ("late_start", ".mkv", "a:0"),
    ("edit_list", ".mp4", "a:0"),
    ("srt", ".mkv", "s:0"),
    ("ass", ".mkv", "s:0"),
    ("mov_text", ".mp4", "s:0"),
    ("webvtt", ".webm", "s:0"),
    ("two_videos", ".mkv", "v:1"),
    ("two_videos", ".mp4", "v:1"),
    ("cover", ".mp4", "v:1"),
    ("cover", ".mkv", "v:1"),
    ("cover_mkv", ".mp4", "v:1"),
    ("cover_mkv", ".mkv", "v:1"),
]


@pytest.mark.parametrize(("kind", "suffix", "stream"), CASES)
def test_packets_are_what_they_were(kind: str, suffix: str, stream: str, tmp_path: Path):
    result = tmp_path / f"film{suffix}"
    remade(film(kind), result)

    before, after = ffmpeg.packets(film(kind), stream), ffmpeg.packets(result, stream)

    assert [each.content for each in after] == [each.content for each in before]
    if not kind.startswith("cover"):  # which are not shown at any moment
        moved = max(abs(one.second - other.second) for one, other in zip(before, after, strict=True))
        assert moved <= (Fraction(1, 2000) if suffix in (".mkv", ".webm") else 0)


@pytest.mark.parametrize(
    ("kind", "suffix"),
    [("chapters", ".mkv"), ("chapters_mp4", ".mp4"), ("created", ".mp4"), ("everything", ".mkv"), ("srt", ".mkv")],
)
def test_what_is_said_of_the_film_its_streams_and_chapters_stays(kind: str, suffix: str, tmp_path: Path):
    result = tmp_path / f"film{suffix}"
    remade(film(kind), result)
    assert said(result) == said(film(kind))
    before, after = (ffmpeg.streams(path)[1:] for path in (film(kind), result))
    assert [rest(line) for line in after] == [rest(line) for line in before]


def said(path: Path) -> list[str]:
    """Its tags but those of the program that wrote it, and of the encoder of its pictures; chapters in seconds."""
    base, found = Fraction(1), []
    for line in ffmpeg.metadata(path).splitlines():
        name, _, value = line.partition("=")
        if name == "TIMEBASE":
            base = Fraction(value)
        elif name in ("START", "END"):
            found.append(f"{name} {int(value) * base}")
        elif name.lower() not in ("encoder", "duration"):
            found.append(line)
    return sorted(found)


def rest(line: str) -> str:
    """What stands behind a stream's bit rate: dispositions."""
    return line.split("kb/s")[-1].split("Hz")[-1]


def test_languages_titles_and_dispositions_are_kept_in_another_container(tmp_path: Path):
    result = tmp_path / "film.mp4"
    remade(film("two_languages"), result)
    english, german = ffmpeg.streams(result)[1:]
    assert english.startswith("(eng)") and "(default)" not in english
    assert german.startswith("(deu)") and "(default) (comment)" in german
    assert "English" in ffmpeg.described(result)


@pytest.mark.parametrize("suffix", [".mov", ".mp4", ".mkv", ".webm"])
def test_a_timecode_goes_along(suffix: str, tmp_path: Path):
    result = tmp_path / f"film{suffix}"
    remade(film("timecode"), result)
    assert "01:00:00:00" in ffmpeg.described(result)


def test_tags_of_any_name_that_phones_write_are_kept(tmp_path: Path):
    source, result = tmp_path / "phone.mov", tmp_path / "film.mov"
    named = ["-metadata", "com.apple.quicktime.make=Somebody", "-metadata", "title=Holiday"]
    ffmpeg.ffmpeg("-i", film("aac"), "-c", "copy", "-movflags", "use_metadata_tags", *named, source)
    remade(source, result)
    assert "com.apple.quicktime.make: Somebody" in ffmpeg.described(result)
    assert "Holiday" in ffmpeg.described(result)


def test_what_was_true_of_the_old_pictures_alone_is_not_said_of_the_new_ones(tmp_path: Path):
    source, result = tmp_path / "old.mkv", tmp_path / "new.mkv"
    tags = "BPS=1", "NUMBER_OF_FRAMES=1", "_STATISTICS_TAGS=1", "MINE=1"
    named = [word for tag in tags for word in ("-metadata:s:v:0", tag)]
    ffmpeg.ffmpeg("-i", film("aac"), "-c", "copy", *named, source)
    remade(source, result)
    told = ffmpeg.described(result)
    assert "MINE" in told
    assert not [word for word in ("BPS", "NUMBER_OF_FRAMES", "STATISTICS", "libx264") if word in told]


def test_streams_can_be_left_out(tmp_path: Path):
    result = tmp_path / "film.mkv"
    remade(film("everything"), result, drop=("audio", "attachments"))
    kinds = [line.split(": ")[1] for line in ffmpeg.streams(result)]
    assert kinds == ["Video", "Subtitle", "Subtitle"]


def test_attachments_are_what_they_were(tmp_path: Path):
    remade(film("everything"), tmp_path / "film.mkv")
    for place, path in (("before", film("everything")), ("after", tmp_path / "film.mkv")):
        # FFmpeg writes the attachment, and then complains that there is no output.
        with contextlib.suppress(AssertionError):
            ffmpeg.ffmpeg("-dump_attachment:t:0", tmp_path / place, "-i", path)
    assert (tmp_path / "after").read_bytes() == (tmp_path / "before").read_bytes() == b"not much of a font"


def test_players_can_begin_before_they_have_all_of_an_mp4(tmp_path: Path):
    remade(film("aac"), tmp_path / "film.mp4")
    content = (tmp_path / "film.mp4").read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")


def test_what_ffmpeg_refuses_when_it_writes_is_told_in_a_sentence(tmp_path: Path):
    with pytest.raises(OutputError, match="beside its pictures cannot be written with them"):
        remade(film("late_start"), tmp_path / "film.mov")
    with pytest.raises(OSError, match="No space left"):
        remade(film("aac"), Path("/dev/full"), encoding_for=Path("film.mkv"))
