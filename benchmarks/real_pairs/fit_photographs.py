"""The photographs that the fits learn from: none of them is looked at, or judged by, anywhere in this benchmark."""

import io
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import matplotlib
import skimage
from PIL import Image

# A wheel that brings two, and folders of what is installed.
PACKAGE = "scikit-learn"
_IN_WHEEL = "sklearn/datasets/images"
_SCIKIT_IMAGE = Path(skimage.__file__).parent / "data"
_MATPLOTLIB = Path(matplotlib.get_data_path()) / "sample_data"
# In the order of their names here: of so many `dni fit` keeps the third and the seventh to choose the best state by.
_FILES = {
    "1-china": "china.jpg",
    "2-flower": "flower.jpg",
    "3-coins": _SCIKIT_IMAGE / "coins.png",
    "4-motorcycle": _SCIKIT_IMAGE / "motorcycle_left.png",
    "5-portrait": _MATPLOTLIB / "grace_hopper.jpg",
    "6-retina": _SCIKIT_IMAGE / "retina.jpg",
    "7-tissue": _SCIKIT_IMAGE / "ihc.png",
}


def write_photographs(folder: Path) -> Path:
    """All of them as PNG, into a folder of their own; what is there already is not fetched again."""
    to = folder / "photographs"
    if not to.exists():
        to.mkdir()
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder), PACKAGE]
        subprocess.run(command, check=True)
        with ZipFile(next(folder.glob("scikit_learn-*.whl"))) as archive:
            for name, file in _FILES.items():
                held = file if isinstance(file, Path) else io.BytesIO(archive.read(f"{_IN_WHEEL}/{file}"))
                with Image.open(held) as image:
                    image.convert("RGB").save(to / f"{name}.png")
    return to
