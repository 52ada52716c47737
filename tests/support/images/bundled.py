"""Fixtures of what the package brings along, for the conftest.py of a room whose tests use it."""

from importlib.util import find_spec
from pathlib import Path

import pytest
import turns
from commands import dni
from photographs import noisy_crop, save_image

from dni_deploy.demo import STRONG, WEAK


@pytest.fixture(scope="session")
def denoiser(everybodys: Path) -> Path:
    """The bundled pair as an alpha-input model, made once for the tests of all processes."""
    if find_spec("torch") is None:
        pytest.skip("exporting needs torch, which is not installed")
    path = everybodys / "denoiser" / "denoise.onnx"
    with turns.one_after_the_other(everybodys / "denoiser.lock"):
        if not path.exists():
            dni("export", WEAK, STRONG, "--alpha-input", "-o", path).assert_ok()
    return path


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A piece of the bundled noisy photograph."""
    return save_image(tmp_path / "photo.png", noisy_crop())
