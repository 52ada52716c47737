"""The photographs that the fits learn from: none of them is looked at, or judged by, anywhere in this benchmark."""

import io
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import skimage
from PIL import Image

# Two photographs that its wheel brings, and some of scikit-image's, which is installed.
PACKAGE = "scikit-learn"
_IN_WHEEL = ("sklearn/datasets/images/china.jpg", "sklearn/datasets/images/flower.jpg")
_SCIKIT_IMAGE = ("motorcycle_left.png", "ihc.png", "hubble_deep_field.jpg", "brick.png", "coins.png")


def write_photographs(folder: Path) -> Path:
    """All of them as PNG, into a folder of their own; what is there already is not fetched again."""
    to = folder / "photographs"
    if not to.exists():
        to.mkdir()
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder), PACKAGE]
        subprocess.run(command, check=True)
        with ZipFile(next(folder.glob("scikit_learn-*.whl"))) as archive:
            for name in _IN_WHEEL:
                _write(io.BytesIO(archive.read(name)), to / Path(name).name)
        for name in _SCIKIT_IMAGE:
            _write(Path(skimage.__file__).parent / "data" / name, to / name)
    return to


def _write(file: io.BytesIO | Path, to: Path) -> None:
    with Image.open(file) as image:
        image.convert("RGB").save(to.with_suffix(".png"))
