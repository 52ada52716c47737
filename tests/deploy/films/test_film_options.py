"""Pieces, sizes, codecs and sheets: what the command's other options make, by the ffmpeg program."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from commands import Result, dni, names
from ffmpeg import described, frames, packets, pictures, size, streams
from films import film
from onnx_models import conv_stack, save
from plain_to_see import darkens, returns_input

import dni_runtime
from dni_deploy import FilmReport, read_image
from dni_deploy.cli.film import told


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save(returns_input(), tmp_path / "same.onnx")
    save(darkens(), tmp_path / "darkens.onnx")
    save(conv_stack(scale=2, alpha=0.5), tmp_path / "twice.onnx")
    return tmp_path


@pytest.mark.parametrize(
    ("codec", "suffix", "kind", "expected"),
    [
        ("h264", ".mp4", "h264", r"h264 \(High\).*yuv420p\("),
        ("h264", ".mkv", "h264", r"h264 \(High\).*yuv420p\("),
        ("h265", ".mp4", "h264", r"hevc \(Main\) \(hvc1.*yuv420p\("),
        ("h265", ".mov", "h265_10bit", r"hevc \(Main 10\) \(hvc1.*yuv420p10le\("),
        ("av1", ".mp4", "h264", r"av1 .*yuv420p\("),
        ("av1", ".webm", "vp9_10bit", r"av1 .*yuv420p10le\("),
        ("vp9", ".webm", "h264", r"vp9 \(Profile 0\).*yuv420p\("),
        ("vp9", ".mp4", "h264", r"vp9 \(Profile 0\).*yuv420p\("),
        ("ffv1", ".mkv", "ffv1_gray16le", r"ffv1.*gray16le\("),
        ("ffv1", ".mkv", "ffv1_bgra", r"ffv1.*(bgra|gbrap)\("),
        ("prores", ".mov", "prores", r"prores .*yuv422p10le\("),
    ],
)
def test_the_codec_is_the_one_that_was_asked_for(codec: str, suffix: str, kind: str, expected: str, folder: Path):
    output = folder / f"out{suffix}"
    run(folder, "same", kind, output, "--codec", codec)
    assert re.search(expected, streams(output)[0]), streams(output)[0]
    assert len(frames(output)) == len(frames(film(kind)))


@pytest.mark.parametrize(
    ("kind", "suffix", "expected"),
    [
        ("h264", ".mp4", r"h264 \(High\) \(avc1.*yuv420p\("),
        ("h264_422", ".mkv", r"h264 \(High\).*yuv420p\("),
        ("h264", ".mov", r"h264 \(High\).*yuv420p\("),
        ("h265_10bit", ".mp4", r"hevc \(Main 10\) \(hvc1.*yuv420p10le\("),
        ("h264", ".webm", r"vp9 \(Profile 0\).*yuv420p\("),
        ("h265_10bit", ".webm", r"av1.*yuv420p10le\("),
    ],
)
def test_nothing_said_it_is_what_plays_everywhere(kind: str, suffix: str, expected: str, folder: Path):
    output = folder / f"out{suffix}"
    run(folder, "same", kind, output)
    assert re.search(expected, streams(output)[0]), streams(output)[0]


def test_a_coarser_film_is_a_smaller_one(folder: Path):
    sizes = [run(folder, "same", "h264", folder / f"{crf}.mp4", "--crf", crf).stat().st_size for crf in (10, 30, 45)]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] > 1.5 * sizes[2]


def test_a_piece_is_that_of_the_source_with_its_sound(folder: Path):
    output = run(folder, "same", "aac", folder / "piece.mp4", "--start", "0.4", "--end", "0:00.8", "--crf", "4")
    before, after = pictures(film("aac")), pictures(output)
    assert len(after) == 10
    assert np.abs(after.astype(float) - before[10:20]).mean() < 3
    assert frames(output)[0].second == 0
    kept = {packet.content for packet in packets(output, "a:0")}
    assert kept < {packet.content for packet in packets(film("aac"), "a:0")}
    assert len(kept) == pytest.approx(0.4 * 48000 / 1024, abs=3)


def test_chapters_and_subtitles_of_a_piece_move_with_it(folder: Path):
    output = run(folder, "same", "everything", folder / "piece.mkv", "--start", "0.32")
    found = re.findall(r"Chapter #0:\d: start ([\d.]+), end ([\d.]+)", described(output))
    assert [(float(a), float(b)) for a, b in found] == [
        (pytest.approx(0, abs=0.01), pytest.approx(0.08, abs=0.01)),
        (pytest.approx(0.08, abs=0.01), pytest.approx(0.64, abs=0.01)),
    ]
    assert [float(p.second) for p in packets(output, "s:0")][-1] == pytest.approx(0.56 - 0.32, abs=0.002)


def test_a_network_that_enlarges_makes_a_film_of_its_size(folder: Path):
    """Which is what the runtime makes of each frame."""
    output = run(folder, "twice", "ffv1_bgr0", folder / "large.mkv", "--lossless")
    assert size(output) == (64, 128)
    with dni_runtime.load(folder / "twice.onnx", "cpu") as model:
        expected = model.enhance(pictures(film("ffv1_bgr0"))[3])
    assert np.abs(pictures(output)[3].astype(int) - expected).max() <= 1


@pytest.mark.parametrize(("scale", "expected"), [("1", (32, 64)), ("1.5", (48, 96)), ("3", (96, 192))])
def test_a_film_has_the_size_that_was_asked_for(scale: str, expected: tuple[int, int], folder: Path):
    assert size(run(folder, "twice", "ffv1_bgr0", folder / "out.mp4", "--output-scale", scale)) == expected


def test_streams_that_are_dropped_are_not_there(folder: Path):
    output = run(folder, "same", "everything", folder / "out.mkv", "--drop", "subtitles,attachments,audio")
    assert len(streams(output)) == 1


def test_a_sheet_shows_frames_at_several_strengths(folder: Path):
    sheet = folder / "sheet.png"
    arguments = ["--alpha", "0", "--alpha", "0.5", "--alpha", "1", "--alpha-sheet", sheet]
    dni("film", folder / "darkens.onnx", film("long"), *arguments).assert_ok()
    assert read_image(sheet).std() > 10
    assert "sheet.png" in names(folder)


def test_a_preview_shows_before_and_after_beside_each_other(folder: Path):
    output = run(folder, "darkens", "long", folder / "preview.mp4", "--alpha", "0.5", "--preview", "3")
    shown = pictures(output).astype(float)
    assert len(shown) == 15
    height, width = size(film("long"))
    assert shown.shape[1] == height
    left, right = shown[:, :, :width], shown[:, :, -width:]
    assert right.mean() == pytest.approx(left.mean() / 2, rel=0.06)


def test_a_run_as_json_says_how_much_was_done(folder: Path):
    output = folder / "out.mp4"
    told = dni("film", folder / "same.onnx", film("h264"), "-o", output, "--json").assert_ok().json
    assert told["frames"] == 24
    assert Path(told["output"]) == output
    assert names(folder) == ["darkens.onnx", "out.mp4", "same.onnx", "twice.onnx"]


def run(folder: Path, model: str, kind: str, output: Path, *options: object) -> Path:
    answer: Result = dni("film", folder / f"{model}.onnx", film(kind), "-o", output, "--threads", "1", *options)
    answer.assert_ok()
    return output


def test_a_run_that_goes_on_says_what_was_there(tmp_path: Path):
    """Its rate is that of the frames which it made."""
    made = FilmReport(tmp_path / "out.mp4", frames=100, equal=0, kept=60, seconds=4.0, notes=())
    assert told(made) == f"{made.output}  100 frames  60 of them finished before  4.0 s  10.0 frames a second"
    assert told(replace(made, kept=100)) == f"{made.output}  100 frames  4.0 s  finished before"
    assert told(replace(made, kept=0)) == f"{made.output}  100 frames  4.0 s  25.0 frames a second"
