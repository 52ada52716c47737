"""Models for films, made once."""

from pathlib import Path

import onnx
import plain_to_see
import pytest


@pytest.fixture(scope="session")
def same(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network that returns its input."""
    path = tmp_path_factory.mktemp("models") / "same.onnx"
    onnx.save(plain_to_see.returns_input(), path)
    return path


@pytest.fixture(scope="session")
def darkens(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network whose result is its input times alpha."""
    path = tmp_path_factory.mktemp("models") / "darkens.onnx"
    onnx.save(plain_to_see.darkens(), path)
    return path


@pytest.fixture(scope="session")
def long_grey(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film of 100 frames, 5 a second, of four parts: they begin at 0, 6, 12 and 18 s. Grey passes exactly."""
    return _grey("long", tmp_path_factory)


@pytest.fixture(scope="session")
def equal_grey(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film of 25 frames in a second, of which five are equal each time."""
    return _grey("equal", tmp_path_factory)


def _grey(kind: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    import ffmpeg  # not above: without its package no test at all would be collected
    from films import film

    path = tmp_path_factory.mktemp("films") / f"{kind}.mkv"
    ffmpeg.ffmpeg("-i", film(kind), "-vf", "format=gray16le", "-c:v", "ffv1", "-g", "10", path)
    return path
