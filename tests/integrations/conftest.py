"""What tests of the nodes share."""

from collections.abc import Iterator

import pytest
from bundled import denoiser
from comfyui_pack import Pack, loaded_pack

__all__ = ["denoiser"]


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pack]:
    """The nodes, for the tests of a file."""
    with loaded_pack(tmp_path_factory.mktemp("models")) as loaded:
        yield loaded
