"""Fixtures of what the package brings along, for the conftest.py of a room whose tests use it."""

from importlib.util import find_spec
from pathlib import Path

import pytest
from commands import command
from photographs import noisy_crop, save_image

from dni_deploy.demo import STRONG, WEAK


@pytest.fixture(scope="session")
def denoiser(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundled pair as an alpha-input model, made once by the command that everybody starts with."""
    if find_spec("torch") is None:
        pytest.skip("exporting needs torch, which is not installed")
    path = tmp_path_factory.getbasetemp() / "denoiser" / "denoise.onnx"
    if not path.exists():  # every room has a fixture of its own
        command("dni-export", WEAK, STRONG, "--alpha-input", "-o", path).assert_ok()
    return path


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A piece of the bundled noisy photograph."""
    return save_image(tmp_path / "photo.png", noisy_crop())
