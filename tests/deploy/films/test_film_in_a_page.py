"""A real Chromium plays what was made, in a page: to its end, at its size, in its colours."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from ffmpeg import ffmpeg
from films import film
from films_through import through_same
from playwright.sync_api import Browser
from web_browser import chromium, visiting
from web_sites import plain_host

PAGE = """<!doctype html><title>A film</title><link rel="icon" href="data:,"><video muted></video>"""
PLAY = """async ([file, second]) => {
    const video = document.querySelector("video");
    const reached = (event) => new Promise((resolve, reject) => {
        video.addEventListener(event, resolve, { once: true });
        video.onerror = () => reject(video.error.message);
    });
    const ended = reached("ended");
    video.src = URL.createObjectURL(await (await fetch(file)).blob());
    await video.play();
    await ended;
    // A busy machine says that it has sought before it shows the frame.
    const shown = new Promise((resolve) => video.requestVideoFrameCallback(resolve));
    const sought = reached("seeked");
    video.currentTime = second;
    await Promise.all([sought, shown]);
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
    const context = canvas.getContext("2d");
    context.drawImage(video, 0, 0);
    return {
        seconds: video.duration,
        size: [canvas.height, canvas.width],
        pixels: [...context.getImageData(0, 0, canvas.width, canvas.height).data],
    };
}"""


@dataclass(frozen=True)
class Played:
    """How long a page says that a film is, and a frame as it shows it, (H, W, 3)."""

    seconds: float
    picture: npt.NDArray[np.float64]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium("--autoplay-policy=no-user-gesture-required") as browser:
        yield browser


@pytest.mark.parametrize(
    ("kind", "suffix"),
    [
        *(("opus", ".webm"), ("aac", ".mp4"), ("ntsc", ".mp4"), ("vfr", ".mp4"), ("wide_pixels", ".mp4")),
        *(("rotated_90", ".mp4"), ("rotated_90", ".webm"), ("odd", ".webm"), ("odd", ".mp4"), ("hdr10_webm", ".webm")),
    ],
)
def test_a_page_plays_it_as_it_plays_the_source(kind: str, suffix: str, browser: Browser, tmp_path: Path):
    """To the end, and then the frame that is shown at about half a second, where no other begins."""
    options = ("--drop", "audio") if (kind, suffix) == ("rotated_90", ".webm") else ()
    source, result = (
        play(path, 0.51, browser, tmp_path) for path in (film(kind), through_same(kind, suffix, *options))
    )
    assert result.seconds == pytest.approx(source.seconds, abs=0.05)
    assert result.picture.shape == source.picture.shape
    assert np.abs(result.picture - source.picture).mean() < 12


@pytest.mark.parametrize("suffix", [".mp4", ".webm"])
@pytest.mark.parametrize("kind", [f"chart_{matrix}_{limits}_8" for matrix in (601, 709) for limits in ("tv", "pc")])
def test_a_page_shows_the_colours_of_the_source(kind: str, suffix: str, browser: Browser, tmp_path: Path):
    """Most pixels within a few levels of 255: with a matrix or range that is mistaken it is nine and more."""
    source = tmp_path / "source.mp4"
    ffmpeg("-i", film(kind), "-c:v", "libx264", "-qp", "0", source)  # which pages play, unlike FFV1
    before, after = (play(path, 0.02, browser, tmp_path).picture for path in (source, through_same(kind, suffix)))
    assert np.median(np.abs(after - before).max(axis=2)) <= 3


def play(film: Path, second: float, browser: Browser, folder: Path) -> Played:
    """In a page beside it, to its end; then at `second`."""
    if film.parent != folder:
        shutil.copy(film, folder)
    (folder / "index.html").write_text(PAGE)
    with plain_host(folder) as url, visiting(browser, url) as visit:
        told = visit.page.evaluate(PLAY, [film.name, second])
    return Played(told["seconds"], np.array(told["pixels"], float).reshape(*told["size"], 4)[..., :3])
