"""Images that promise more, or less, than they hold, and damaged ones: the right pixels or one sentence."""

import io
import random
import resource
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx_models import picture
from PIL import Image, _imaging
from png_files import chunk, filtered, png
from tiff_files import COMPRESSION, PLANAR, RGB, tiff

from dni_deploy.image_files.read_write import read_image
from dni_deploy.image_files.reading import read_file
from dni_runtime import InputError

WIDE = picture(25, 30, 3, dtype=np.uint16)
SMALL = np.kron(picture(5, 6, 3), np.ones((5, 5, 1), np.uint8))


def said(path: Path, content: bytes) -> str:
    """What is said about a file with this content; "" where it is read."""
    path.write_bytes(content)
    try:
        read_image(path)
    except InputError as error:
        assert str(error).startswith(str(path))
        assert "\n" not in str(error)
        return str(error).removeprefix(f"{path} ")
    return ""


class _FilledMemory:
    """Pillow's memory for new images with a value in it, which is what a pixel shows that nobody writes."""

    def __init__(self, value: int) -> None:
        self._value = value

    def __getattr__(self, name: str) -> object:
        return getattr(_imaging, name)

    def new(self, mode: str, size: tuple[int, int]) -> object:
        channels = Image.getmodebands(mode)
        value = float(self._value) if mode == "F" else self._value
        return _imaging.fill(mode, size, value if channels == 1 else (value,) * channels)


def read_twice(path: Path, monkeypatch: pytest.MonkeyPatch) -> list[list[NDArray[np.generic]] | str]:
    """The pixels of all pictures, or what is said, once on black memory and once on white."""
    outcomes: list[list[NDArray[np.generic]] | str] = []
    for value in (0, 255):
        with monkeypatch.context() as patch:
            patch.setattr(Image, "core", _FilledMemory(value))
            try:
                outcomes.append([*read_file(path).pictures])
            except InputError as error:
                outcomes.append(str(error))
    return outcomes


# --- PNG: what the header promises ---


@pytest.mark.parametrize(("bits", "channels"), [(8, 1), (8, 3), (8, 4), (16, 1), (16, 2), (16, 3), (16, 4)])
@pytest.mark.parametrize("interlaced", [False, True])
def test_fewer_rows_than_the_header_says(tmp_path: Path, bits: int, channels: int, interlaced: bool):
    samples = picture(12, 9, channels, dtype=np.uint16 if bits == 16 else np.uint8)
    whole = said(tmp_path / "whole.png", png(samples, bits=bits, interlaced=interlaced))
    half = png(samples, bits=bits, interlaced=interlaced, height=24)
    assert whole == ""
    assert said(tmp_path / "half.png", half) == "is damaged or cannot be read (its pixels end after 50 % of them)"


@pytest.mark.parametrize("bits", [8, 16])
def test_more_rows_than_the_header_says_are_left_out(tmp_path: Path, bits: int):
    samples = picture(12, 9, 3, dtype=np.uint16 if bits == 16 else np.uint8)
    (tmp_path / "image.png").write_bytes(png(samples, bits=bits, height=7))
    np.testing.assert_array_equal(read_image(tmp_path / "image.png"), samples[:7])


@pytest.mark.parametrize("bits", [8, 16])
def test_a_bomb_takes_no_memory(tmp_path: Path, bits: int):
    deflate = zlib.compressobj(1)
    pixels = b"".join(deflate.compress(bytes(2**20)) for _ in range(300)) + deflate.flush()
    header = struct.pack(">2I5B", 30, 25, bits, 2, 0, 0, 0)
    content = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    (tmp_path / "image.png").write_bytes(content)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    pixels_read = read_image(tmp_path / "image.png")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # kilobytes
    np.testing.assert_array_equal(pixels_read, np.zeros((25, 30, 3), np.uint8))


@pytest.mark.parametrize("bits", [8, 16])
def test_pixels_with_a_wrong_checksum(tmp_path: Path, bits: int):
    samples = picture(12, 9, 3, dtype=np.uint16 if bits == 16 else np.uint8)
    content = bytearray(png(samples, bits=bits))
    content[content.index(b"IDAT") + 4 + 40] ^= 1  # of the checksum itself: the pixels are right
    message = "is damaged or cannot be read (the checksum of its pixels is wrong)"
    assert said(tmp_path / "image.png", bytes(content)) == message


def test_a_second_header_is_no_way_around_the_first(tmp_path: Path):
    second = chunk(b"IHDR", struct.pack(">2I5B", 3000, 2000, 16, 6, 0, 0, 0))
    assert "damaged or cannot be read" in said(tmp_path / "image.png", png(WIDE, bits=16, extra=second))


def test_a_filter_that_does_not_exist(tmp_path: Path):
    stream = bytearray(filtered(WIDE, 16))
    stream[0] = 5
    assert "damaged or cannot be read" in said(tmp_path / "image.png", png(WIDE, bits=16, stream=bytes(stream)))


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif", ".jpg", ".webp"])
def test_a_size_of_billions_is_refused_before_there_is_memory_for_it(tmp_path: Path, suffix: str):
    content = bytearray(encoded(SMALL, suffix))
    width, height = struct.pack(">I", 30), struct.pack(">I", 25)
    for number, size in ((width, 4), (height, 4), (width[2:], 2), (height[2:], 2)):
        number = number if suffix in (".png", ".jpg") else number[::-1]
        at = content.find(number, 2, 200)
        if at > 0:
            content[at : at + size] = {".png": b"\0\0\xea\x60", ".webp": b"\xff\x3f"}.get(suffix, b"\x60\xea\0\0")[
                :size
            ]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert said(tmp_path / f"image{suffix}", bytes(content)) != ""
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000


# --- truncated and damaged files of every format ---


def encoded(image: NDArray[np.uint8], suffix: str, **options: object) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, Image.registered_extensions()[suffix], **options)
    return file.getvalue()


def seeds() -> Iterator[tuple[str, bytes]]:
    for suffix in (".bmp", ".jpg", ".png", ".tif", ".webp"):
        yield suffix, encoded(SMALL, suffix)
    for bits, samples in ((8, SMALL), (16, WIDE), (16, WIDE[:, :, :1]), (16, WIDE[:, :, :2])):
        yield f"png {bits} {samples.shape}", png(samples, bits=bits)
        yield f"png {bits} {samples.shape} interlaced", png(samples, bits=bits, interlaced=True)
    for compression in ("tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"):
        yield compression, encoded(SMALL, ".tif", compression=compression)
    yield "fax", encoded(SMALL[:, :, 0] > 100, ".tif", compression="group4")
    yield "progressive", encoded(SMALL, ".jpg", progressive=True)
    yield "lossless", encoded(SMALL, ".webp", lossless=True)
    yield "animated", encoded(SMALL, ".webp", save_all=True, append_images=[Image.fromarray(255 - SMALL)])
    yield "animated png", encoded(SMALL, ".png", save_all=True, append_images=[Image.fromarray(255 - SMALL)])
    yield "gif", encoded(SMALL[:, :, 0], ".gif")
    yield "animated gif", encoded(SMALL, ".gif", save_all=True, append_images=[Image.fromarray(255 - SMALL)])
    yield "jpeg 2000", encoded(SMALL, ".jp2")
    yield "avif", encoded(SMALL, ".avif")
    yield "pages", encoded(SMALL, ".tif", save_all=True, append_images=[Image.fromarray(255 - SMALL)])


@pytest.mark.parametrize(("name", "content"), [pytest.param(*seed, id=seed[0]) for seed in seeds()])
def test_no_pixel_comes_from_memory_that_was_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], name: str, content: bytes
):
    path, rng = tmp_path / "image.png", random.Random(name)
    damaged = [content[: len(content) * part // 40] for part in range(40)]
    for _ in range(60):
        changed = bytearray(content)
        for _ in range(rng.choice([1, 2, 4])):
            at = rng.randrange(min(len(changed), rng.choice([200, 10_000])))
            changed[at] = rng.choice([0, 1, 255, rng.getrandbits(8)])
        damaged.append(bytes(changed))
    for data in damaged:
        path.write_bytes(data)
        on_black, on_white = read_twice(path, monkeypatch)
        if isinstance(on_black, str) or isinstance(on_white, str):
            assert on_black == on_white
        else:
            for one, other in zip(on_black, on_white, strict=True):
                np.testing.assert_array_equal(one, other)
    path.write_bytes(content)
    assert not isinstance(read_image(path), str)
    assert capfd.readouterr().err == ""  # libtiff writes there, past Python


@pytest.mark.parametrize("planar", [False, True])
def test_strips_that_are_not_there(tmp_path: Path, planar: bool):
    samples = picture(8, 9, 3)
    if planar:
        strips = [samples[y : y + 4, :, channel].tobytes() for channel in range(3) for y in (0, 4)]
    else:
        strips = [samples[y : y + 4].tobytes() for y in (0, 4)]
    options = {"bits": (8, 8, 8), "photometric": RGB, "rows": 4, "tags": {PLANAR: [1 + planar]}}
    whole, less = (tiff(part, (8, 9), **options) for part in (strips, strips[:-1]))
    assert said(tmp_path / "image.tif", less) == "is damaged or cannot be read (parts of its pixels are missing)"
    assert said(tmp_path / "image.tif", whole) == ""
    np.testing.assert_array_equal(read_image(tmp_path / "image.tif"), samples)


def test_a_tile_that_is_much_larger_than_its_image(tmp_path: Path):
    samples, (width, height, offset, count) = picture(75, 90, 3), (322, 323, 324, 325)
    tags = {COMPRESSION: [8], width: [2**24], height: [16], offset: [8], count: [75 * 90 * 3]}
    content = tiff([zlib.compress(samples.tobytes())], (75, 90), bits=(8, 8, 8), photometric=RGB, tags=tags)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    message = "is damaged or cannot be read (its tiles are larger than it is)"
    assert said(tmp_path / "image.tif", content) == message
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # kilobytes
