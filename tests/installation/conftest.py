"""What tests of installations share."""

from pathlib import Path

import pytest
from built_wheel import build_wheel
from bundled import denoiser, photo

__all__ = ["denoiser", "photo"]


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package as a user gets it, made from this tree."""
    return build_wheel(tmp_path_factory.mktemp("wheel"))
