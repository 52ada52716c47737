import os

import numpy as np
import pytest
from onnx_models import picture
from PIL import Image, ImageOps
from png_files import png, read_png

from dni_deploy.image_files.read_write import IMAGE_SUFFIXES, read_image, write_image
from dni_deploy.image_files.reading import read_header
from dni_runtime import InputError, OutputError

LOSSLESS = [".png", ".tif", ".tiff", ".bmp"]


@pytest.mark.parametrize("suffix", sorted(IMAGE_SUFFIXES))
@pytest.mark.parametrize("shape", [(), (1,), (3,)])
def test_round_trip_8_bit(tmp_path, suffix, shape):
    image = np.kron(picture(3, 4, *shape), np.ones((8, 8, *(1,) * len(shape)), np.uint8))
    write_image(tmp_path / f"image{suffix}", image)
    result = read_image(tmp_path / f"image{suffix}")
    assert result.dtype == np.uint8
    if suffix in LOSSLESS:
        np.testing.assert_array_equal(result, image[:, :, 0] if shape == (1,) else image)
    else:
        if suffix in (".avif", ".webp") and shape != (3,):  # which come back as RGB
            image = np.repeat(image.reshape(24, 32, 1), 3, axis=2)
        # Random colours in squares of 8 pixels; WebP halves the resolution of colour.
        assert abs(result.astype(int) - image.reshape(result.shape)).mean() < 8


@pytest.mark.parametrize("kind", ["JPEG", "MPO"])
@pytest.mark.parametrize("progressive", [False, True])
def test_photographs_with_a_film_behind_them(tmp_path, kind, progressive):
    """As phones write them; in 40 MB of a film are some 600 bytes that might begin a scan."""
    path = tmp_path / "photo.jpg"
    photo = Image.new("RGB", (3000, 2000), (90, 40, 200))
    photo.save(path, kind, progressive=progressive, exif=b"Exif\0\0" + b"\xff\xd9\xff\xda" * 100)
    with path.open("ab") as file:
        file.write(np.random.default_rng(0).bytes(40_000_000))
    assert path.read_bytes().count(b"\xff\xda") > 500
    np.testing.assert_allclose(read_image(path)[::500, ::500].reshape(-1, 3), [[90, 40, 200]] * 24, atol=2)


@pytest.mark.parametrize(("suffix", "exact"), [(".png", True), (".tif", True), (".webp", False)])
def test_opacity(tmp_path, suffix, exact):
    image = np.kron(picture(3, 4, 4), np.ones((8, 8, 1), np.uint8))
    write_image(tmp_path / f"image{suffix}", image)
    result = read_image(tmp_path / f"image{suffix}")
    assert result.shape == (24, 32, 4)
    np.testing.assert_array_equal(result[:, :, 3], image[:, :, 3])
    if exact:
        np.testing.assert_array_equal(result, image)


@pytest.mark.parametrize("shape", [(), (3,), (4,)])
def test_16_bit_png_keeps_every_bit(tmp_path, shape):
    image = picture(9, 13, *shape, dtype=np.uint16)
    write_image(tmp_path / "image.png", image)
    np.testing.assert_array_equal(read_png(tmp_path / "image.png"), image.reshape(9, 13, -1))
    np.testing.assert_array_equal(read_image(tmp_path / "image.png"), image)


def test_16_bit_grey_tiff(tmp_path):
    image = picture(9, 13, dtype=np.uint16)
    write_image(tmp_path / "image.tif", image)
    np.testing.assert_array_equal(read_image(tmp_path / "image.tif"), image)


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_16_bit_png_of_others(tmp_path, channels, interlaced):
    image = picture(11, 7, channels, dtype=np.uint16)
    (tmp_path / "image.png").write_bytes(png(image, bits=16, interlaced=interlaced))
    expected = {1: image[:, :, 0], 2: image[:, :, [0, 0, 0, 1] if channels == 2 else 0]}.get(channels, image)
    np.testing.assert_array_equal(read_image(tmp_path / "image.png"), expected)


@pytest.mark.parametrize(
    ("mode", "shape"),
    [("1", ()), ("L", ()), ("LA", (4,)), ("P", (3,)), ("RGB", (3,)), ("RGBA", (4,)), ("CMYK", (3,))],
)
def test_kinds_of_pixels(tmp_path, mode, shape):
    source = Image.fromarray(picture(8, 9, 3))
    path = tmp_path / ("image.tif" if mode == "CMYK" else "image.png")
    source.convert(mode).save(path)
    assert read_image(path).shape == (8, 9, *shape)


def test_palette_with_a_transparent_entry(tmp_path):
    source = Image.fromarray(picture(8, 9, 3)).quantize(8)
    source.save(tmp_path / "image.png", transparency=0)
    result = read_image(tmp_path / "image.png")
    assert set(np.unique(result[:, :, 3])) == {0, 255}


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_exif_orientation(tmp_path, orientation, suffix):
    source = Image.fromarray(picture(4, 6, 3))
    exif = source.getexif()
    exif[0x0112] = orientation
    source.save(tmp_path / f"image{suffix}", exif=exif)
    with Image.open(tmp_path / f"image{suffix}") as saved:
        expected = np.array(ImageOps.exif_transpose(saved))
    np.testing.assert_array_equal(read_image(tmp_path / f"image{suffix}"), expected)


def test_first_frame_of_an_animation(tmp_path):
    frames = [Image.fromarray(picture(8, 9, 3, seed=seed)) for seed in range(2)]
    frames[0].save(tmp_path / "image.webp", save_all=True, append_images=frames[1:], lossless=True)
    np.testing.assert_array_equal(read_image(tmp_path / "image.webp"), np.array(frames[0]))


# --- what cannot be read ---


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(InputError, match=r"none\.png does not exist; expected an image file"):
        read_image(tmp_path / "none.png")
    with pytest.raises(InputError, match="is a folder; expected an image file"):
        read_image(tmp_path)


@pytest.mark.parametrize("content", [b"", b"hello", b"\x89PNG\r\n\x1a\n"])
def test_not_an_image(tmp_path, content):
    (tmp_path / "image.png").write_bytes(content)
    with pytest.raises(InputError, match=r"image\.png is (not an image|damaged)"):
        read_image(tmp_path / "image.png")


@pytest.mark.parametrize("suffix", sorted(IMAGE_SUFFIXES))
@pytest.mark.parametrize("part", [0.3, 0.6, 0.9])
def test_truncated(tmp_path, suffix, part):
    path = tmp_path / f"image{suffix}"
    write_image(path, picture(64, 64, 3))
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * part)])
    with pytest.raises(InputError, match=r"is (not an image|damaged or cannot be read)"):
        read_image(path)


@pytest.mark.parametrize("part", [0.05, 0.5, 0.95])
def test_truncated_16_bit_png(tmp_path, part):
    path = tmp_path / "image.png"
    write_image(path, picture(64, 64, 3, dtype=np.uint16))
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * part)])
    with pytest.raises(InputError, match="damaged or cannot be read"):
        read_image(path)


@pytest.mark.parametrize("limit", [50, 20])  # a warning of Pillow's above its limit, an error above twice that
def test_too_many_pixels(tmp_path, monkeypatch, limit):
    write_image(tmp_path / "image.png", picture(8, 9, 3))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
    message = (
        r"image\.png has 7.2e-05 million pixels; expected at most .*: cut it into smaller images, or allow more with"
    )
    with pytest.raises(InputError, match=message):
        read_image(tmp_path / "image.png", max_megapixels=limit / 1e6)
    assert read_image(tmp_path / "image.png").shape == (8, 9, 3)


def test_float_images(tmp_path):
    image = np.linspace(-0.5, 1.5, 16, dtype=np.float32).reshape(4, 4)
    Image.fromarray(image).save(tmp_path / "image.tif")
    np.testing.assert_array_equal(read_image(tmp_path / "image.tif"), image)


def test_16_bit_color_tiff_is_not_reduced(tmp_path):
    image = picture(4, 5, 3, dtype=np.uint16)
    (tmp_path / "image.tif").write_bytes(color_tiff_16_bit(image))
    np.testing.assert_array_equal(read_image(tmp_path / "image.tif"), image)


def color_tiff_16_bit(image):
    """A minimal baseline TIFF: header, pixels, the three bit depths, one directory."""
    import struct

    height, width, channels = image.shape
    pixels = image.astype("<u2").tobytes()
    bits_at = 8 + len(pixels)
    entries = [
        (256, 3, 1, width),
        (257, 3, 1, height),
        (258, 3, channels, bits_at),
        (259, 3, 1, 1),
        (262, 3, 1, 2),
        (273, 4, 1, 8),
        (277, 3, 1, channels),
        (278, 3, 1, height),
        (279, 4, 1, len(pixels)),
    ]
    directory = struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", *e) for e in entries)
    header = struct.pack("<2sHI", b"II", 42, bits_at + 2 * channels)
    return header + pixels + struct.pack("<3H", 16, 16, 16) + directory + struct.pack("<I", 0)


# --- what cannot be written ---


@pytest.mark.parametrize("name", ["image.xyz", "image", "image.gif"])
def test_unknown_suffix(tmp_path, name):
    with pytest.raises(OutputError, match=r"has the suffix '.*'; expected one of \.avif, \.bmp, .*\.webp"):
        write_image(tmp_path / name, picture(4, 4, 3))


@pytest.mark.parametrize("suffix", [".jpg", ".bmp"])
def test_opacity_is_not_dropped(tmp_path, suffix):
    with pytest.raises(OutputError, match=r"holds no opacity; write \.png or \.webp"):
        write_image(tmp_path / f"image{suffix}", picture(4, 4, 4))


@pytest.mark.parametrize(("suffix", "shape"), [(".jpg", ()), (".webp", (3,)), (".avif", (3,)), (".bmp", ())])
def test_16_bits_are_not_dropped(tmp_path, suffix, shape):
    with pytest.raises(OutputError, match=r"holds no 16-bit image of this kind; write \.png"):
        write_image(tmp_path / f"image{suffix}", picture(4, 4, *shape, dtype=np.uint16))


def test_missing_folder(tmp_path):
    with pytest.raises(OutputError, match=r"cannot be written \(.*No such file"):
        write_image(tmp_path / "none" / "image.png", picture(4, 4, 3))


def test_a_failed_write_leaves_the_old_file_alone(tmp_path):
    path = tmp_path / "image.webp"
    write_image(path, picture(4, 4, 3))
    before = path.read_bytes()
    with pytest.raises(OutputError, match="cannot be written"):
        write_image(path, picture(1, 16384, 3))  # wider than WebP can be
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["image.webp"]


def test_a_reader_of_the_old_file_is_not_disturbed(tmp_path):
    path = tmp_path / "image.png"
    write_image(path, picture(4, 4, 3))
    before = path.read_bytes()
    with open(path, "rb") as reader:
        write_image(path, picture(40, 40, 3))
        assert reader.read() == before


def test_the_file_can_be_read_by_others(tmp_path):
    (tmp_path / "plain").touch()
    write_image(tmp_path / "image.png", picture(4, 4, 3))
    assert (tmp_path / "image.png").stat().st_mode == (tmp_path / "plain").stat().st_mode


# --- what a header tells before the pixels ---


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_the_header_of_a_png(tmp_path, channels, dtype):
    image = picture(11, 7, channels, dtype=dtype)
    (tmp_path / "image.png").write_bytes(png(image, bits=16 if dtype == np.uint16 else 8))
    header, result = read_header(tmp_path / "image.png"), read_image(tmp_path / "image.png")
    assert (header.size, header.dtype) == ((11, 7), dtype)
    assert header.channels == (1 if result.ndim == 2 else result.shape[2])


@pytest.mark.parametrize("suffix", sorted(IMAGE_SUFFIXES))
@pytest.mark.parametrize("shape", [(), (3,)])
def test_the_header_of_others(tmp_path, suffix, shape):
    write_image(tmp_path / f"image{suffix}", picture(11, 7, *shape))
    header, result = read_header(tmp_path / f"image{suffix}"), read_image(tmp_path / f"image{suffix}")
    assert (header.size, header.dtype) == ((11, 7), np.uint8)
    assert header.channels == (1 if result.ndim == 2 else result.shape[2])


@pytest.mark.parametrize("suffix", [".png", ".tif", ".jpg"])
@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((4, 5, 2), np.uint8), r"the image has shape \(4, 5, 2\); expected \(H, W\)"),
        (np.zeros((4, 5, 5), np.uint8), r"the image has shape \(4, 5, 5\); expected \(H, W\)"),
        (np.zeros((0, 5, 3), np.uint8), "expected at least one pixel"),
        (np.zeros((4, 5, 3)), "the image has dtype float64; expected uint8 or uint16"),
        ([[0]], "the image is of type list; expected a NumPy array"),
    ],
)
def test_what_is_no_image_is_not_written(tmp_path, suffix, image, message):
    with pytest.raises(InputError, match=message):
        write_image(tmp_path / f"image{suffix}", image)
    assert list(tmp_path.iterdir()) == []
