"""Kinds of pixels that Pillow turns into others without a word: the exact values come out, or a sentence."""

import struct
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx_models import picture
from PIL import Image
from png_files import chunk, png
from tiff_files import BLACK_IS_ZERO, CMYK, EXTRA, FORMAT, RGB, WHITE_IS_ZERO, tiff

from dni_deploy.image_files.read_write import read_image
from dni_runtime import InputError

DEEP = picture(6, 9, dtype=np.uint16)


def read(path: Path, content: bytes) -> NDArray[np.generic]:
    path.write_bytes(content)
    return read_image(path)


def assert_refused(path: Path, content: bytes, message: str) -> None:
    path.write_bytes(content)
    with pytest.raises(InputError) as refused:
        read_image(path)
    assert str(refused.value) == f"{path} {message}"


# --- PNG: one grey or colour that is transparent ---


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
def test_a_transparent_grey(tmp_path: Path, bits: int, interlaced: bool):
    limit = 2**bits - 1
    samples = np.random.default_rng(bits).integers(0, limit + 1, (11, 13, 1), dtype=np.uint16)
    key = int(samples[3, 4, 0])
    if bits == 16:
        samples[0, 0] = key ^ 1  # the same in its upper 8 bits
    extra = chunk(b"tRNS", struct.pack(">H", key))
    result = read(tmp_path / "image.png", png(samples, bits=bits, interlaced=interlaced, extra=extra))
    most = 65535 if bits == 16 else 255
    grey = samples[:, :, 0].astype(int) * most // limit
    assert result.dtype == (np.uint16 if bits == 16 else np.uint8)
    for channel in range(3):
        np.testing.assert_array_equal(result[:, :, channel], grey)
    np.testing.assert_array_equal(result[:, :, 3], np.where(samples[:, :, 0] == key, 0, most))


@pytest.mark.parametrize("bits", [8, 16])
def test_a_transparent_colour(tmp_path: Path, bits: int):
    samples = picture(11, 13, 3, dtype=np.uint16 if bits == 16 else np.uint8)
    key = tuple(int(value) for value in samples[3, 4])
    samples[5, 5], samples[6, 6] = key, key
    samples[6, 6, 2] ^= 1
    extra = chunk(b"tRNS", struct.pack(">3H", *key))
    result = read(tmp_path / "image.png", png(samples, bits=bits, extra=extra))
    np.testing.assert_array_equal(result[:, :, :3], samples)
    np.testing.assert_array_equal(result[:, :, 3] == 0, (samples == key).all(axis=2))
    assert result[5, 5, 3] == 0
    assert result[6, 6, 3] == np.iinfo(samples.dtype).max


def test_a_palette_with_opacities(tmp_path: Path):
    samples = np.random.default_rng(0).integers(0, 4, (11, 13, 1))
    palette, opacities = bytes(range(100, 112)), bytes([0, 100, 255])  # the fourth is opaque
    extra = chunk(b"PLTE", palette) + chunk(b"tRNS", opacities)
    result = read(tmp_path / "image.png", png(samples, bits=2, color=3, extra=extra))
    entries = np.array([[100, 101, 102, 0], [103, 104, 105, 100], [106, 107, 108, 255], [109, 110, 111, 255]])
    np.testing.assert_array_equal(result, entries[samples[:, :, 0]])


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_grey_of_few_bits(tmp_path: Path, bits: int):
    samples = np.random.default_rng(bits).integers(0, 2**bits, (11, 13, 1))
    result = read(tmp_path / "image.png", png(samples, bits=bits))
    np.testing.assert_array_equal(result, samples[:, :, 0] * 255 // (2**bits - 1))


# --- TIFF ---


@pytest.mark.parametrize("bits", [8, 16])
def test_white_is_zero(tmp_path: Path, bits: int):
    samples = DEEP if bits == 16 else DEEP.astype(np.uint8)
    content = tiff(
        [samples.astype("<u2" if bits == 16 else "u1").tobytes()], (6, 9), bits=[bits], photometric=WHITE_IS_ZERO
    )
    np.testing.assert_array_equal(read(tmp_path / "image.tif", content), np.iinfo(samples.dtype).max - samples)


@pytest.mark.parametrize("order", ["<", ">"])
def test_16_bit_grey_of_either_byte_order(tmp_path: Path, order: str):
    content = tiff([DEEP.astype(f"{order}u2").tobytes()], (6, 9), bits=[16], order=order)
    np.testing.assert_array_equal(read(tmp_path / "image.tif", content), DEEP)


def test_12_bits_are_spread_over_16(tmp_path: Path):
    samples = np.array([[0, 1, 2047, 2048, 4094, 4095, 100, 200]])
    pairs = samples.reshape(-1, 2)
    packed = np.stack([pairs[:, 0] >> 4, (pairs[:, 0] & 15) << 4 | pairs[:, 1] >> 8, pairs[:, 1] & 255], axis=1)
    result = read(tmp_path / "image.tif", tiff([packed.astype(np.uint8).tobytes()], (1, 8), bits=[12]))
    np.testing.assert_array_equal(result, np.rint(samples * 65535 / 4095))


@pytest.mark.parametrize("dtype", ["i1", "<i2", "<i4"])
def test_signed_values(tmp_path: Path, dtype: str):
    values = np.linspace(-100, 100, 54).reshape(6, 9).astype(dtype)
    content = tiff([values.tobytes()], (6, 9), bits=[values.itemsize * 8], tags={FORMAT: [2]})
    assert_refused(tmp_path / "image.tif", content, "has signed values; expected unsigned ones, 8 or 16 bits a channel")


@pytest.mark.parametrize(("bits", "photometric"), [((16,) * 4, CMYK), ((32,), BLACK_IS_ZERO)])
def test_more_bits_than_come_out_are_refused(tmp_path: Path, bits: tuple[int, ...], photometric: int):
    content = tiff([bytes(6 * 9 * sum(bits) // 8)], (6, 9), bits=bits, photometric=photometric)
    assert_refused(tmp_path / "image.tif", content, f"is a TIFF with {bits[0]} bits a channel; save it as a 16-bit PNG")


@pytest.mark.parametrize("tags", [{}, {530: [2, 1]}])
def test_subsampled_colours_that_are_not_compressed(tmp_path: Path, tags: dict[int, list[int]]):
    content = tiff([bytes(6 * 8 * 3)], (6, 8), bits=(8, 8, 8), photometric=6, tags=tags)
    assert_refused(tmp_path / "image.tif", content, "is an uncompressed TIFF of subsampled YCbCr; save it as PNG")


def test_colours_that_are_not_subsampled(tmp_path: Path):
    grey = np.dstack([picture(6, 8), np.full((6, 8, 2), 128, np.uint8)])
    content = tiff([grey.tobytes()], (6, 8), bits=(8, 8, 8), photometric=6, tags={530: [1, 1]})
    np.testing.assert_array_equal(read(tmp_path / "image.tif", content), np.repeat(grey[:, :, :1], 3, axis=2))


def test_opacity_and_what_is_none(tmp_path: Path):
    samples = picture(6, 9, 4)
    for kind, expected in ((0, samples[:, :, :3]), (2, samples)):
        content = tiff([samples.tobytes()], (6, 9), bits=(8,) * 4, photometric=RGB, tags={EXTRA: [kind]})
        np.testing.assert_array_equal(read(tmp_path / "image.tif", content), expected)


def test_the_first_page(tmp_path: Path):
    pages = [Image.fromarray(picture(6, 9, 3, seed=seed)) for seed in range(3)]
    pages[0].save(tmp_path / "image.tif", save_all=True, append_images=pages[1:])
    np.testing.assert_array_equal(read_image(tmp_path / "image.tif"), np.array(pages[0]))


def test_pages_in_a_circle(tmp_path: Path):
    content = tiff([bytes(54)], (6, 9))
    (start,) = struct.unpack("<I", content[4:8])
    circle = content[:-4] + struct.pack("<I", start)
    np.testing.assert_array_equal(read(tmp_path / "image.tif", circle), np.zeros((6, 9)))


@pytest.mark.parametrize(
    ("kind", "count", "value"),
    [
        (2, 2, b"6\0\0\0"),  # text
        (3, 1, b"\0\0\0\0"),
        (3, 1, b"\xff\xff\0\0"),
        (3, 2**30, b"\x1a\0\0\0"),  # as many as would not fit
        (4, 1, b"\x09\0\0\0"),
        (5, 1, b"\x1a\0\0\0"),  # 0 / 0
        (6, 1, b"\xfa\0\0\0"),  # -6
        (12, 1, b"\xff\xff\xff\xff"),  # beyond the end
        (99, 1, b"\6\0\0\0"),
    ],
)
def test_an_orientation_that_is_none_turns_nothing(tmp_path: Path, kind: int, count: int, value: bytes):
    exif = b"II*\0\x08\0\0\0\1\0" + struct.pack("<2HI", 0x0112, kind, count) + value + bytes(4) + bytes(8)
    samples = picture(6, 9, 3)
    result = read(tmp_path / "image.png", png(samples, extra=chunk(b"eXIf", exif)))
    np.testing.assert_array_equal(result, samples)
