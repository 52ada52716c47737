"""TIFF files of 16 bits and of floating-point values, in and out, as tifffile and libtiff make and read them."""

from pathlib import Path

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from onnx_models import picture
from PIL import Image
from tiff_files import EXTRA, RGB, tiff

from dni_deploy.image_files.decoding import deep_tiff
from dni_deploy.image_files.image_file import ImageFile, Tags
from dni_deploy.image_files.reading import read_file, read_header
from dni_deploy.image_files.writing import fit_to, write_file
from dni_runtime import InputError, OutputError


def samples(dtype: str, *channels: int) -> NDArray[np.generic]:
    if dtype.startswith("float"):
        # Beyond black and white too; exact in 16 bits.
        return (picture(40, 50, *channels).astype(np.float32) / 128 - 0.5).astype(dtype)
    return picture(40, 50, *channels, dtype=np.dtype(dtype))


@pytest.mark.parametrize("channels", [(), (3,), (4,)])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_round_trip(tmp_path: Path, dtype: str, channels: tuple[int, ...]):
    image = samples(dtype, *channels)
    write_file(tmp_path / "a.tif", ImageFile((image,)))
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "a.tif"), image)
    (result,) = read_file(tmp_path / "a.tif").pictures
    assert result.dtype == image.dtype
    np.testing.assert_array_equal(result, image)
    header = read_header(tmp_path / "a.tif")
    assert (header.size, header.dtype, header.channels) == ((40, 50), image.dtype, (*channels, 1)[0])


@pytest.mark.parametrize("channels", [(), (3,), (4,)])
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_libtiff_reads_what_is_written(tmp_path: Path, dtype: str, channels: tuple[int, ...]):
    image = samples(dtype, *channels)
    write_file(tmp_path / "a.tif", ImageFile((image,)))
    with Image.open(tmp_path / "a.tif") as opened:
        assert opened.mode == {(): "I;16" if dtype == "uint16" else "L", (3,): "RGB", (4,): "RGBA"}[channels]
        expected = image if dtype == "uint8" or not channels else image >> 8  # as many bits as Pillow keeps
        np.testing.assert_array_equal(np.asarray(opened), expected)


@pytest.mark.parametrize("options", [
    {"compression": "zlib"}, {"compression": "zlib", "predictor": True}, {"compression": "lzw", "predictor": True},
    {"compression": "zstd"}, {"compression": "packbits"}, {"planarconfig": "separate"}, {"tile": (16, 32)},
    {"tile": (16, 32), "planarconfig": "separate", "compression": "lzw"}, {"byteorder": ">"}, {"bigtiff": True},
    {"rowsperstrip": 7, "compression": "zlib"},
], ids=str)  # fmt: skip
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float16", "float32", "float64"])
def test_what_others_write(tmp_path: Path, dtype: str, options: dict[str, object]):
    image = samples(dtype, 3)
    if options.get("compression") == "packbits" and dtype.startswith("float"):
        options = {}
    given = np.moveaxis(image, 2, 0) if options.get("planarconfig") == "separate" else image
    tifffile.imwrite(tmp_path / "a.tif", given, photometric="rgb", **options)
    (result,) = read_file(tmp_path / "a.tif").pictures
    assert result.dtype == (np.float32 if dtype.startswith("float") else dtype)
    np.testing.assert_array_equal(result, image)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("color", [1, 3])
def test_opacity(tmp_path: Path, dtype: str, color: int):
    image = samples(dtype, color + 1)
    tifffile.imwrite(
        tmp_path / "a.tif", image, photometric="rgb" if color == 3 else "minisblack", extrasamples=["unassalpha"],
        planarconfig="contig",
    )  # fmt: skip
    (result,) = read_file(tmp_path / "a.tif").pictures
    np.testing.assert_array_equal(result, image if color == 3 else image[:, :, [0, 0, 0, 1]])


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_colours_that_were_multiplied_with_their_opacity(tmp_path: Path, dtype: str):
    most = 1 if dtype == "float32" else np.iinfo(dtype).max
    image = (np.random.default_rng(0).random((40, 50, 4)) * most).astype(dtype)
    image[:5, :, 3] = 0
    image[:, :, :3] = np.minimum(image[:, :, :3], image[:, :, 3:])
    tifffile.imwrite(tmp_path / "a.tif", image, photometric="rgb", extrasamples=["assocalpha"])
    (result,) = read_file(tmp_path / "a.tif").pictures
    np.testing.assert_array_equal(result[:, :, 3], image[:, :, 3])
    again = result[:, :, :3].astype(float) * result[:, :, 3:] / most
    np.testing.assert_allclose(again, image[:, :, :3], atol=1e-6 if dtype == "float32" else 1)
    assert not result[:5, :, :3].any()


def test_channels_without_a_meaning_are_told(tmp_path: Path):
    image = samples("uint16", 4)
    tifffile.imwrite(tmp_path / "a.tif", image, photometric="rgb", extrasamples=["unspecified"])
    file = read_file(tmp_path / "a.tif")
    np.testing.assert_array_equal(file.pictures[0], image[:, :, :3])
    assert file.notes == ("channels that are neither colour nor opacity left out",)


def test_white_is_zero_in_floats(tmp_path: Path):
    image = samples("float32")
    tifffile.imwrite(tmp_path / "a.tif", image, photometric="miniswhite")
    np.testing.assert_allclose(read_file(tmp_path / "a.tif").pictures[0], 1 - image, atol=1e-7)


def test_pages_of_any_sizes_and_kinds(tmp_path: Path):
    pages = (samples("uint16", 3), samples("float32", 4)[:7], samples("uint8"), samples("uint16"))
    write_file(tmp_path / "a.tif", ImageFile(pages))
    result = read_file(tmp_path / "a.tif").pictures
    assert len(result) == 4
    for page, expected in zip(result, pages, strict=True):
        np.testing.assert_array_equal(page, expected)
    file = fit_to(read_file(tmp_path / "a.tif"), tmp_path / "b.png")
    assert file.notes == ("3 more pictures left out, for PNG holds pictures of an animation only",)


def test_a_reduced_page_is_none(tmp_path: Path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        writer.write(samples("uint16", 3), photometric="rgb")
        writer.write(samples("uint16", 3)[::2, ::2], photometric="rgb", subfiletype=1)
    file = read_file(tmp_path / "a.tif")
    assert (len(file.pictures), file.notes) == (1, ("a smaller picture or mask of it left out",))


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_what_is_said_beside_them(tmp_path: Path, dtype: str):
    tags = Tags(icc=bytes(range(200)), xmp=b"<x/>", dpi=(300.0, 150.5))
    write_file(tmp_path / "a.tif", ImageFile((samples(dtype, 3),), tags=tags))
    assert read_file(tmp_path / "a.tif").tags == tags


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp", "a.avif"])
def test_floats_have_no_place_elsewhere(tmp_path: Path, name: str):
    with pytest.raises(OutputError, match=r"holds no floating-point image; write \.tif"):
        fit_to(ImageFile((samples("float32", 3),)), tmp_path / name)


# --- damaged ones ---


@pytest.mark.parametrize("dtype", ["uint16", "float32"])
@pytest.mark.parametrize("part", [0.1, 0.5, 0.9])
def test_truncated(tmp_path: Path, dtype: str, part: float):
    tifffile.imwrite(tmp_path / "a.tif", samples(dtype, 3), photometric="rgb", compression="zlib")
    content = (tmp_path / "a.tif").read_bytes()
    (tmp_path / "a.tif").write_bytes(content[: int(len(content) * part)])
    with pytest.raises(InputError, match=r"is (damaged|not an image)"):
        read_file(tmp_path / "a.tif")


def test_strips_that_are_not_there(tmp_path: Path):
    deep = samples("uint16", 3)
    strips = [deep[top : top + 20].astype("<u2").tobytes() for top in (0, 20)]
    for given, message in ((strips, ""), (strips[:1], "parts of its pixels are missing")):
        (tmp_path / "a.tif").write_bytes(tiff(given, (40, 50), bits=(16,) * 3, photometric=RGB, rows=20))
        if message:
            with pytest.raises(InputError, match=message):
                read_file(tmp_path / "a.tif")
        else:
            np.testing.assert_array_equal(read_file(tmp_path / "a.tif").pictures[0], deep)


def test_a_size_of_billions_takes_no_memory(tmp_path: Path):
    content = tiff([bytes(100)], (2**20, 2**20), bits=(16,) * 4, photometric=RGB, tags={EXTRA: [2]})
    (tmp_path / "a.tif").write_bytes(content)
    with pytest.raises(InputError, match=r"has 1.1e\+06 million pixels; expected at most 200"):
        read_file(tmp_path / "a.tif")


@pytest.mark.parametrize("seed", range(4))
def test_any_byte_may_be_wrong(tmp_path: Path, seed: int):
    rng = np.random.default_rng(seed)
    dtype, options = [("uint16", {}), ("float32", {"compression": "zlib"}), ("uint16", {"tile": (16, 16)}),
                      ("uint16", {"compression": "lzw", "planarconfig": "separate"})][seed]  # fmt: skip
    image = samples(dtype, 3)
    given = np.moveaxis(image, 2, 0) if "planarconfig" in options else image
    tifffile.imwrite(tmp_path / "a.tif", given, photometric="rgb", **options)
    content = (tmp_path / "a.tif").read_bytes()
    for _ in range(150):
        changed = bytearray(content)
        for at in rng.integers(0, min(len(changed), rng.choice([300, len(changed)])), 3):
            changed[at] = rng.integers(256)
        (tmp_path / "b.tif").write_bytes(changed)
        try:
            assert all(0 < page.size < 1e8 for page in read_file(tmp_path / "b.tif").pictures)
        except InputError as error:
            assert "\n" not in str(error)


def test_what_a_bigtiff_says(tmp_path: Path):
    tifffile.imwrite(
        tmp_path / "a.tif", samples("uint8", 3), photometric="rgb", bigtiff=True, description="a long description",
        software="a camera", resolution=(30, 40), resolutionunit="CENTIMETER", metadata=None,
    )  # fmt: skip
    file = read_file(tmp_path / "a.tif")
    assert file.tags.dpi == pytest.approx((76.2, 101.6))
    write_file(tmp_path / "b.tif", fit_to(file, tmp_path / "b.tif"))
    with Image.open(tmp_path / "b.tif") as image:
        tags = image.tag_v2  # type: ignore[attr-defined]
        assert (tags[270], tags[305]) == ("a long description", "a camera")
        assert image.info["dpi"] == pytest.approx((76.2, 101.6))


def test_the_tags_are_those_of_the_first_page(tmp_path: Path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        for name in ("one", "two"):
            writer.write(samples("uint8", 3), photometric="rgb", description=name, metadata=None)
    assert b"one\0" in (read_file(tmp_path / "a.tif").tags.exif or b"")


@pytest.mark.parametrize("channels", [(), (3,), (4,)])
def test_more_pixels_than_pillow_takes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, channels: tuple[int, ...]):
    """As a photograph of 45 million pixels has, enlarged twice: 180 million."""
    image = samples("uint8", *channels)
    write_file(tmp_path / "a.tif", ImageFile((image,)))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 500)
    monkeypatch.setattr(deep_tiff, "_MOST_PIXELS_OF_PILLOW", 1000)
    np.testing.assert_array_equal(read_file(tmp_path / "a.tif", max_megapixels=None).pictures[0], image)
