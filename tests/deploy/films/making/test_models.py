"""Networks of all kinds on films: each frame is what the network makes of it on its own."""

from pathlib import Path
from typing import Any

import ffmpeg
import numpy as np
import onnx
import pytest
from films import film
from onnx_models import METADATA, conv_stack, save, save_ort, tinted, unet

from dni_deploy import enhance_film
from dni_deploy.films.making.job import FilmJob
from dni_runtime import load

MODELS: dict[str, tuple[onnx.ModelProto, float | None]] = {
    "as large": (conv_stack(), 0.3),
    "twice as large": (conv_stack(scale=2), 0.3),
    "half as large": (conv_stack(scale=0.5), 0.3),
    "with a default": (conv_stack(alpha_default=0.6), None),
    "baked": (conv_stack(alpha=0.5), None),
    "of another tool, twice as large": (conv_stack(scale=2, alpha=0.5, metadata=None), None),
    "for grey": (conv_stack(channels=1), 0.3),
    "of multiples": (unet(), 0.3),
    "of a fixed size": (conv_stack(shape=(1, 24, 24)), 0.3),
}


@pytest.mark.parametrize("kind", ["ffv1_gbrp16le", "ffv1_gray16le"])
@pytest.mark.parametrize("name", MODELS)
def test_frames_are_what_the_network_makes_of_each(name: str, kind: str, tmp_path: Path):
    model, alpha = MODELS[name]
    path, output = tmp_path / "model.onnx", tmp_path / "out.mkv"
    onnx.save(model, path)
    report = enhance_film(path, film(kind), output, alpha, lossless=True, threads=1)
    pixels = "gray16le" if "gray" in kind else "rgb48le"
    source, result = ffmpeg.pictures(film(kind), pixels), ffmpeg.pictures(output, pixels)
    assert report.frames == len(source) == len(result)
    with load(path, "cpu", threads=1) as opened:
        for before, after in zip(source, result, strict=True):
            assert np.array_equal(opened.enhance(before, alpha), after)


@pytest.mark.parametrize(("alpha", "policy"), [(0.3, "pinned"), (None, "pinned"), ("auto", "dynamic")])
def test_an_alpha_that_holds_is_pinned_and_none_is_in_the_background(
    alpha: float | str | None, policy: str, tmp_path: Path
):
    path = tmp_path / "model.onnx"
    onnx.save(tinted(), path)
    with load(path, "cpu", alpha_policy=policy) as expected:
        job = FilmJob(model=path, film=tmp_path, output=tmp_path, alpha=alpha, provider="cpu")  # type: ignore[arg-type]
        with job.load() as model:
            assert model.alpha_note == expected.alpha_note


@pytest.mark.parametrize("kind", ["other.onnx", "other.ort", "own.ort"])
def test_keys_tell_which_alpha_there_is_where_a_file_does_not_say_how_large_its_results_are(kind: str, tmp_path: Path):
    path, keys, output = tmp_path / kind, tmp_path / "keys.csv", tmp_path / "out.mkv"
    model = conv_stack(scale=2, metadata=METADATA if kind.startswith("own") else None)
    (save_ort if path.suffix == ".ort" else save)(model, path)
    keys.write_text("time,alpha\n0,0.3\n", encoding="utf-8")
    enhance_film(path, film("ffv1_gbrp16le"), output, alpha_from=keys, lossless=True, threads=1)
    with load(path, "cpu", threads=1) as opened:
        expected = [opened.enhance(frame, 0.3) for frame in ffmpeg.pictures(film("ffv1_gbrp16le"), "rgb48le")]
    assert np.array_equal(np.stack(expected), ffmpeg.pictures(output, "rgb48le"))


def test_tiles_of_a_film_are_those_of_its_frames(tmp_path: Path):
    path, output, kind = tmp_path / "model.onnx", tmp_path / "out.mkv", "ffv1_gbrp16le"
    onnx.save(unet(), path)
    tiles: dict[str, Any] = {"tile": 16, "overlap": 4}
    enhance_film(path, film(kind), output, 0.3, lossless=True, threads=1, **tiles)
    with load(path, "cpu", threads=1) as opened:
        expected = [opened.enhance(frame, 0.3, **tiles) for frame in ffmpeg.pictures(film(kind), "rgb48le")]
    assert np.array_equal(np.stack(expected), ffmpeg.pictures(output, "rgb48le"))
