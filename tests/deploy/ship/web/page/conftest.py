"""The page of a few models, open in a browser.

Without Playwright or PyTorch no test of it is there, and this is still read.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from onnx_models import METADATA, baked, conv_stack, save
from photographs import noisy_crop, save_image
from sharp_or_blurred import JPEG, NOISE, saved
from web_sites import make_site, served

from dni_runtime import Endpoint

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext
    from web_browser import Visit


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory, denoiser: Path) -> Path:
    """The first letters are the order of the selector."""
    from exporting import three_endpoints

    folder = tmp_path_factory.mktemp("models")
    (folder / "denoise.onnx").write_bytes(denoiser.read_bytes())
    save(baked(0.7), folder / "one strength.onnx")
    saved(folder / "fits noise.onnx", NOISE)
    saved(folder / "fits quality.onnx", JPEG)
    named = replace(METADATA, alpha_range=(-0.5, 1.5), endpoints=(Endpoint("mild.pth", "0"), Endpoint("bold.pth", "1")))
    save(conv_stack(scale=2, alpha_default=0.25, metadata=named), folder / "twice.onnx")
    (folder / "with three.onnx").write_bytes(three_endpoints(tmp_path_factory.getbasetemp()).read_bytes())
    return folder


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory, models: Path) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("page")
    example = save_image(folder / "an example.png", noisy_crop(64, 64))
    site = make_site(folder, models, title="Less noise", example=example, webgpu=True)
    with served("-o", site) as address:
        yield address


@pytest.fixture(scope="module")
def visitor(browser: Any) -> "Iterator[BrowserContext]":
    """Somebody who comes back, in a window as wide as most."""
    from web_browser import WIDE

    with browser.new_context(viewport=WIDE) as context:
        yield context


@pytest.fixture
def visit(url: str, visitor: "BrowserContext") -> "Iterator[Visit]":
    from web_browser import visiting

    with visiting(visitor, url) as arrived:
        yield arrived.ready()


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    return save_image(tmp_path / "my.photo.png", noisy_crop(90, 120))
