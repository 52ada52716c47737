"""What tests of the page and of dni.js share. Without Playwright none of them is there, and this is still read."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from web_sites import npm_package

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    """One for a module: longer, Playwright's event loop would be in the way of tests that run their own."""
    from web_browser import chromium

    with chromium() as running:
        yield running


@pytest.fixture
def ort() -> Path:
    """The installed onnxruntime-web."""
    return npm_package("onnxruntime-web")
