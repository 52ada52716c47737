"""Files that are other than they are called, or change while they are read."""

import io
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from commands import python
from onnx_models import picture
from PIL import Image
from png_files import png

from dni_deploy.image_files import IMAGE_SUFFIXES, read_image, write_image
from dni_runtime import InputError

WIDE = picture(25, 30, 3, dtype=np.uint16)
SMALL = picture(25, 30, 3)


def said(path: Path, content: bytes) -> str:
    """What is said about a file with this content, which is refused."""
    path.write_bytes(content)
    with pytest.raises(InputError) as refused:
        read_image(path)
    return str(refused.value).removeprefix(f"{path} ")


# --- other formats, whatever a file is called ---


@pytest.mark.parametrize("kind", ["EPS", "GIF", "PPM", "SGI", "TGA", "DDS", "ICO", "JPEG2000", "PCX", "PDF"])
@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_other_formats_are_not_decoded(tmp_path: Path, kind: str, suffix: str):
    file = io.BytesIO()
    Image.fromarray(SMALL).save(file, kind)
    message = said(tmp_path / f"image{suffix}", file.getvalue())
    assert message.startswith("is not an image of a kind that is read (BMP, JPEG, PNG, TIFF, WEBP)")


def test_postscript_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: pytest.fail("a program was started"))
    program = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n(x) (w) file closefile\nshowpage\n"
    assert "is not an image of a kind" in said(tmp_path / "photo.jpg", program)


@pytest.mark.parametrize("suffix", sorted(IMAGE_SUFFIXES - {".jpeg", ".tiff"}))
def test_the_content_says_what_it_is(tmp_path: Path, suffix: str):
    write_image(tmp_path / f"a{suffix}", SMALL)
    (tmp_path / f"a{suffix}").rename(tmp_path / "photo.xyz")
    assert read_image(tmp_path / "photo.xyz").shape == SMALL.shape


# --- files that change, and threads ---


def test_a_file_that_is_cut_while_it_is_read_kills_nobody(tmp_path: Path):
    """libtiff would map it into memory, and the process be killed by SIGBUS."""
    program = """
import os, sys, threading
from pathlib import Path
import numpy as np
from dni_deploy.image_files import read_image, write_image
from dni_runtime import InputError

path = Path(sys.argv[1])
write_image(path, np.random.default_rng(0).integers(0, 256, (1500, 1500, 3), dtype=np.uint8))
content, done = path.read_bytes(), threading.Event()

def cut():
    while not done.is_set():
        os.truncate(path, 100)
        path.write_bytes(content)

threading.Thread(target=cut).start()
for _ in range(20):
    try:
        read_image(path)
    except InputError:
        pass
done.set()
print("alive")
"""
    assert python(program, tmp_path / "image.tif").assert_ok().out == "alive\n"


def test_threads_read_at_once(tmp_path: Path):
    (tmp_path / "image.png").write_bytes(png(WIDE, bits=16))
    with ThreadPoolExecutor(4) as pool:
        for pixels in pool.map(read_image, [tmp_path / "image.png"] * 40):
            np.testing.assert_array_equal(pixels, WIDE)
