"""Films are strangers' files: they name no other file, say nothing to the terminal, and end no process."""

import random
from pathlib import Path

import pytest
from commands import command, dni, names
from ffmpeg import ffmpeg, frames
from films import film
from onnx_models import save
from plain_to_see import returns_input


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return save(returns_input(), tmp_path / "same.onnx")


@pytest.mark.parametrize("name", ["list.m3u8", "list.ffconcat", "list.mp4"])
def test_a_list_of_other_files_is_no_film(name: str, model: Path, tmp_path: Path):
    other = film("aac")
    texts = {
        "list.m3u8": f"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:1,\n{other}\n#EXT-X-ENDLIST\n",
        "list.ffconcat": f"ffconcat version 1.0\nfile {other}\n",
    }
    (tmp_path / name).write_text(texts.get(name, texts["list.m3u8"]))
    dni("film", model, tmp_path / name, "-o", tmp_path / "out.mkv").assert_error(f"{name} ")
    assert names(tmp_path) == sorted([name, "same.onnx"])


@pytest.mark.parametrize("name", ["%03d.mp4", "http:x.mp4", "concat:a|b.mp4", "-x.mp4", "a 'b\" \u00e9.mp4"])
def test_a_name_is_a_name(name: str, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Not a pattern, a protocol or an option of FFmpeg's, for the film that is read and the one that is written."""
    monkeypatch.chdir(tmp_path)
    Path(name).write_bytes(film("h264").read_bytes())
    dni("film", model, f"./{name}", "-o", f"./pipe:{name}").assert_ok()
    assert len(frames(tmp_path / f"pipe:{name}")) == 24


def test_names_inside_of_a_film_say_nothing_to_the_terminal(model: Path, tmp_path: Path):
    source = tmp_path / "film.mkv"
    (tmp_path / "own.ttf").write_text("no font")
    said = [
        "-metadata:s:t",
        "mimetype=application/x-truetype-font",
        "-metadata:s:t",
        "filename=\x1b[31mred\nError: fake",
    ]
    ffmpeg("-i", film("h264"), "-c", "copy", "-attach", tmp_path / "own.ttf", *said, source)
    answer = dni("film", model, source, "-o", tmp_path / "out.mp4")
    answer.assert_error("attachment")
    assert "\x1b" not in answer.err
    assert "\nError: fake" not in answer.err


@pytest.mark.parametrize("kind", ["aac", "everything", "vp9", "mpeg2", "hdr10_mkv", "fragmented"])
def test_a_spoiled_film_is_made_or_refused_in_a_sentence(kind: str, model: Path, tmp_path: Path):
    """In a process of its own, which is what a decoder that goes astray would end."""
    content, dice = bytearray(film(kind).read_bytes()), random.Random(kind)
    for _ in range(40):
        content[dice.randrange(len(content))] = dice.randrange(256)
    source = tmp_path / f"spoiled{film(kind).suffix}"
    source.write_bytes(content)
    answer = command("dni", "film", model, source, "-o", tmp_path / "out.mkv", "--drop", "data")
    assert answer.code in (0, 1), answer
    assert "Traceback" not in answer.err
    assert (tmp_path / "out.mkv").exists() == (answer.code == 0)
