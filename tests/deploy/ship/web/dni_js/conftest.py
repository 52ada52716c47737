"""A site of many models with dni.js, open in a browser.

Without Playwright or PyTorch no test of it is there, and this is still read.
"""

import functools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from onnx_models import METADATA, baked, conv_stack, save, unet
from sharp_or_blurred import JPEG, NOISE, sharp_or_blurred
from web_sites import make_site, served
from with_knobs import with_knob

from dni_runtime import pin

if TYPE_CHECKING:
    from playwright.sync_api import Page

MODELS = {
    "stack": conv_stack,
    "double": functools.partial(conv_stack, scale=2),
    "half": functools.partial(conv_stack, scale=0.5),
    "unet": unet,
    "unet_known_reach": unet,
    "grey": functools.partial(conv_stack, channels=1),
    "grey_double": functools.partial(conv_stack, channels=1, scale=2),
    "fixed": functools.partial(conv_stack, shape=(1, 32, 24)),
    "default": functools.partial(conv_stack, alpha_default=0.25),
    "wide": functools.partial(conv_stack, metadata=replace(METADATA, alpha_range=(-0.5, 1.5))),
    "signed": functools.partial(conv_stack, metadata=replace(METADATA, value_range=(-1.0, 1.0))),
    "unknown_reach": functools.partial(conv_stack, metadata=replace(METADATA, overlap=None)),
    "knob": with_knob,
    "knob_default": functools.partial(with_knob, (0.3, 0.8)),
    "knob_baked": lambda: pin(with_knob(), (0.3, 0.8)),
    "knob_baked_level": lambda: pin(with_knob(), 0.6),
    "baked": functools.partial(baked, 0.7),
    "calibrated": functools.partial(sharp_or_blurred, NOISE),
    "calibrated_for_jpeg": functools.partial(sharp_or_blurred, JPEG),
}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory, denoiser: Path) -> Path:
    from exporting import three_endpoints

    folder = tmp_path_factory.mktemp("models")
    for name, make in MODELS.items():
        save(make(), folder / f"{name}.onnx")
    (folder / "denoise.onnx").write_bytes(denoiser.read_bytes())
    (folder / "three.onnx").write_bytes(three_endpoints(tmp_path_factory.getbasetemp()).read_bytes())
    return folder


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, models: Path) -> Path:
    return make_site(tmp_path_factory.mktemp("dni"), models, webgpu=True)


@pytest.fixture(scope="module")
def page(site: Path, browser: Any) -> "Iterator[Page]":
    from web_browser import visiting
    from web_library import use_library

    with served("-o", site) as url, visiting(browser, url) as visit:
        use_library(visit.page)
        yield visit.page
        visit.problems[:] = [p for p in visit.problems if "status of 404" not in p]  # some are asked for in vain
