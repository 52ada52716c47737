"""HEIC, AVIF and JPEG 2000, of 8 bits and of more, as their own libraries write them."""

import io
import struct
import sys
from pathlib import Path

import imagecodecs
import numpy as np
import pillow_heif
import pytest
from onnx_models import picture
from PIL import Image

from dni_deploy.image_files.reading import read_file, read_header
from dni_runtime import DniError, InputError

SMOOTH = np.kron(picture(5, 7, 3), np.ones((8, 8, 1), np.uint8))
EXIF = b"II*\0\x08\0\0\0\1\0" + struct.pack("<HHIHH", 0x0112, 3, 1, 6, 0) + bytes(4)


def heic(path: Path, mode: str, data: bytes, **options: object) -> Path:
    made = pillow_heif.from_bytes(mode, (56, 40), data)
    made.save(path, quality=-1, chroma=444, matrix_coefficients=0, **options)
    return path


@pytest.mark.parametrize(("mode", "channels"), [("L", 1), ("RGB", 3), ("RGBA", 4)])
def test_heic_of_8_bits(tmp_path: Path, mode: str, channels: int):
    image = {1: SMOOTH[:, :, 0], 3: SMOOTH, 4: np.dstack([SMOOTH, SMOOTH[:, :, 0]])}[channels]
    file = read_file(heic(tmp_path / "a.heic", mode, image.tobytes()))
    (result,) = file.pictures
    assert result.dtype == np.uint8
    if mode == "L" and result.ndim == 3:
        result = result[:, :, 0]
    np.testing.assert_array_equal(result, image)
    header = read_header(tmp_path / "a.heic")
    assert (header.size, header.dtype, header.format) == ((40, 56), np.uint8, "HEIC")


def test_heic_of_10_bits(tmp_path: Path):
    image = np.random.default_rng(0).integers(0, 1024, (40, 56, 3), dtype=np.uint16)
    (result,) = read_file(heic(tmp_path / "a.heic", "RGB;16", (image << 6).tobytes())).pictures
    assert result.dtype == np.uint16
    np.testing.assert_array_equal(result, np.rint(image.astype(float) * 65535 / 1023))


def test_what_a_heic_says(tmp_path: Path):
    icc = bytes(range(200))
    source = heic(
        tmp_path / "a.heic", "RGB", SMOOTH.tobytes(), exif=b"Exif\0\0" + EXIF, xmp=b"<x/>", icc_profile=icc
    )  # fmt: skip
    file = read_file(source)
    assert (file.tags.icc, file.tags.xmp) == (icc, b"<x/>")
    assert file.tags.exif is not None
    assert file.tags.exif.startswith(b"II*\0")
    assert file.notes == ()


def test_further_pictures_of_a_heic_are_told(tmp_path: Path):
    made = pillow_heif.from_bytes("RGB", (56, 40), SMOOTH.tobytes())
    made.add_frombytes("RGB", (56, 40), SMOOTH.tobytes())
    made.save(tmp_path / "a.heic")
    file = read_file(tmp_path / "a.heic")
    assert (len(file.pictures), file.notes) == (1, ("1 more picture left out",))


def test_a_large_heic_is_refused_first(tmp_path: Path):
    heic(tmp_path / "a.heic", "RGB", SMOOTH.tobytes())
    with pytest.raises(InputError, match=r"has 0\.00224 million pixels; expected at most 0\.002"):
        read_file(tmp_path / "a.heic", max_megapixels=0.002)


@pytest.mark.parametrize("part", [0.1, 0.5, 0.9])
def test_a_truncated_heic(tmp_path: Path, part: float):
    content = heic(tmp_path / "a.heic", "RGB", SMOOTH.tobytes()).read_bytes()
    (tmp_path / "a.heic").write_bytes(content[: int(len(content) * part)])
    with pytest.raises(InputError, match=r"is (damaged|not an image)"):
        read_file(tmp_path / "a.heic")


@pytest.mark.parametrize("bits", [10, 12])
@pytest.mark.parametrize("channels", [3, 4])
def test_avif_of_more_bits(tmp_path: Path, bits: int, channels: int):
    image = np.random.default_rng(bits).integers(0, 2**bits, (40, 56, channels), dtype=np.uint16)
    (tmp_path / "a.avif").write_bytes(imagecodecs.avif_encode(image, level=100, bitspersample=bits, pixelformat="444"))
    (result,) = read_file(tmp_path / "a.avif").pictures
    np.testing.assert_array_equal(result, np.rint(image.astype(float) * 65535 / (2**bits - 1)))
    assert read_header(tmp_path / "a.avif").dtype == np.uint16


@pytest.mark.parametrize("channels", [3, 4])
def test_avif_of_8_bits(tmp_path: Path, channels: int):
    image = np.dstack([SMOOTH, SMOOTH[:, :, 0]])[:, :, :channels]
    (tmp_path / "a.avif").write_bytes(imagecodecs.avif_encode(np.ascontiguousarray(image), level=100))
    np.testing.assert_array_equal(read_file(tmp_path / "a.avif").pictures[0], image)


def test_grey_avif_is_grey(tmp_path: Path):
    Image.fromarray(SMOOTH[:, :, 0]).save(tmp_path / "a.avif", quality=100)
    (result,) = read_file(tmp_path / "a.avif").pictures
    assert result.shape == (40, 56)
    assert abs(result.astype(int) - SMOOTH[:, :, 0]).max() <= 2


def test_an_avif_that_lies_on_its_side(tmp_path: Path):
    Image.fromarray(SMOOTH).save(tmp_path / "a.avif", quality=100, subsampling="4:4:4", exif=b"Exif\0\0" + EXIF)
    (result,) = read_file(tmp_path / "a.avif").pictures
    assert result.shape == (56, 40, 3)
    assert abs(result.astype(int) - np.rot90(SMOOTH, -1)).max() <= 3
    assert read_header(tmp_path / "a.avif").size == (56, 40)


@pytest.mark.parametrize("form", ["jp2", "j2k"])
@pytest.mark.parametrize("bits", [8, 12, 16])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_jpeg_2000(tmp_path: Path, channels: int, bits: int, form: str):
    dtype = np.uint8 if bits == 8 else np.uint16
    image = np.random.default_rng(bits).integers(0, 2**bits, (40, 56, channels), dtype=dtype)
    image = image[:, :, 0] if channels == 1 else image
    encoded = imagecodecs.jpeg2k_encode(image, level=0, bitspersample=bits, codecformat=form, reversible=True)
    (tmp_path / "a.jp2").write_bytes(encoded)
    (result,) = read_file(tmp_path / "a.jp2").pictures
    most = 255 if bits == 8 else 65535
    if channels == 1 and bits == 12:  # by Pillow, which shifts
        np.testing.assert_array_equal(result >> 4, image)
    else:
        np.testing.assert_array_equal(result, np.rint(image / (2**bits - 1) * most))
    assert read_header(tmp_path / "a.jp2").dtype == dtype


@pytest.mark.parametrize(
    ("package", "message"),
    [
        ("pillow_heif", "reading HEIC files needs pillow_heif"),
        ("imagecodecs", "reading AVIF files of 10 bits a channel needs imagecodecs"),
        ("tifffile", "reading TIFF files of 16 bits in colours, or of floating-point values, needs tifffile"),
    ],
)
def test_without_the_extra_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str, message: str):
    if package == "pillow_heif":
        content = heic(tmp_path / "a", "RGB", SMOOTH.tobytes()).read_bytes()
    elif package == "imagecodecs":
        content = imagecodecs.avif_encode(SMOOTH.astype(np.uint16) * 4, level=100, bitspersample=10)
    else:
        import tifffile

        made = io.BytesIO()
        tifffile.imwrite(made, SMOOTH.astype(np.float32), photometric="rgb")
        content = made.getvalue()
    (tmp_path / "a").write_bytes(content)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(DniError, match=message) as refused:
        read_file(tmp_path / "a")
    assert str(refused.value).endswith('which is not installed: pip install "dni-deploy[photographs]"')
