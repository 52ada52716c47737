"""Files that are other than they are called, or change while they are read."""

import io
import resource
import struct
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from commands import python
from onnx_models import picture
from PIL import Image
from png_files import chunk, png

from dni_deploy.image_files.read_write import IMAGE_SUFFIXES, read_image, write_image
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


@pytest.mark.parametrize("kind", ["EPS", "PPM", "SGI", "TGA", "DDS", "ICO", "PCX", "PDF"])
@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_other_formats_are_not_decoded(tmp_path: Path, kind: str, suffix: str):
    file = io.BytesIO()
    Image.fromarray(SMALL).save(file, kind)
    message = said(tmp_path / f"image{suffix}", file.getvalue())
    assert message.startswith("is not an image of a kind that is read (PNG, JPEG, WEBP, TIFF, GIF, BMP, AVIF, ")


def test_postscript_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: pytest.fail("a program was started"))
    program = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n(x) (w) file closefile\nshowpage\n"
    assert "is not an image of a kind" in said(tmp_path / "photo.jpg", program)


@pytest.mark.parametrize("suffix", sorted(IMAGE_SUFFIXES - {".jpeg", ".tiff"}))
def test_the_content_says_what_it_is(tmp_path: Path, suffix: str):
    write_image(tmp_path / f"a{suffix}", SMALL)
    (tmp_path / f"a{suffix}").rename(tmp_path / "photo.xyz")
    assert read_image(tmp_path / "photo.xyz").shape == SMALL.shape


# --- small files that would take minutes or gigabytes ---


def progressive(side: int, scans: int) -> bytes:
    """A JPEG file whose last scan comes once more, and again."""
    file = io.BytesIO()
    Image.new("L", (side, side)).save(file, "JPEG", progressive=True)
    content = file.getvalue()
    last = content.rindex(b"\xff\xda")
    return content[:-2] + content[last:-2] * scans + content[-2:]


def run_lengths(width: int, height: int) -> bytes:
    """A BMP file of rows of which the first pixel is 1 and the others are left out."""
    rows = b"\1\1\0\0" * height + b"\0\1"
    start = 54 + 1024
    header = struct.pack("<IHHI", start + len(rows), 0, 0, start)
    header += struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, 1, len(rows), 0, 0, 256, 0)
    return b"BM" + header + bytes(1024) + rows


HEADER = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">2I5B", 4, 4, 8, 2, 0, 0, 0))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (progressive(4000, 1000), "is damaged or cannot be read (it has 1006 scans; expected at most 166)"),
        (b"\xff\xd8" + b"\xff\xe1\0\2" * 2_000_000, "is damaged or cannot be read (it has more than 25625 parts)"),
        (b"\xff\xd8\xff\xe0\0\2" + bytes(8_000_000), "is damaged or cannot be read (it has more than 25625 parts)"),
        (HEADER + chunk(b"teSt", b"") * 700_000, "is damaged or cannot be read (it has more than 26406 parts)"),
        (run_lengths(20_000, 2000), "is a run-length BMP of 40 million pixels; save it as PNG"),
    ],
    ids=["scans", "segments", "junk", "chunks", "run lengths"],
)
def test_what_would_take_minutes_is_refused_at_once(tmp_path: Path, content: bytes, message: str):
    before = resource.getrusage(resource.RUSAGE_SELF)
    assert said(tmp_path / "image.png", content) == message
    after = resource.getrusage(resource.RUSAGE_SELF)
    assert after.ru_utime - before.ru_utime < 2
    assert after.ru_maxrss - before.ru_maxrss < 100_000  # kilobytes


@pytest.mark.parametrize("content", [progressive(200, 1000), run_lengths(200, 100)], ids=["scans", "run lengths"])
def test_small_ones_are_read(tmp_path: Path, content: bytes):
    (tmp_path / "image").write_bytes(content)
    assert read_image(tmp_path / "image").shape[1] == 200


def test_a_file_of_terabytes(tmp_path: Path):
    with (tmp_path / "image.png").open("wb") as file:
        file.write(png(WIDE, bits=16))
        file.truncate(2**41)
    with pytest.raises(InputError, match=r"image\.png has 2097152 MiB; expected at most 2048"):
        read_image(tmp_path / "image.png")


# --- files that change, and threads ---


def test_a_file_that_is_cut_while_it_is_read_kills_nobody(tmp_path: Path):
    """libtiff would map it into memory, and the process be killed by SIGBUS."""
    program = """
import os, sys, threading
from pathlib import Path
import numpy as np
from dni_deploy.image_files.read_write import read_image, write_image
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
