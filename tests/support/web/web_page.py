"""What the page shows, and what it should: Python's result."""

from pathlib import Path
from typing import Any

from web_browser import Visit
from web_library import assert_same_pixels, from_rgba, to_rgba

import dni_runtime
from dni_deploy.image_files.read_write import read_image

TIMES = "\N{MULTIPLICATION SIGN}"


def in_python(models: Path, name: str, image: Any, alpha: Any) -> Any:
    with dni_runtime.load(models / f"{name}.onnx", "cpu") as model:
        return model.enhance(image, alpha)


def assert_shows(path: Path, expected: Any) -> None:
    """A downloaded file against Python's image."""
    assert_same_pixels(from_rgba(to_rgba(read_image(path))), expected)


def choose_model(visit: Visit, name: str) -> None:
    visit.page.get_by_label("Model").select_option(name)
    visit.ready()
