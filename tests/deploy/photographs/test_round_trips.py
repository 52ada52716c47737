"""A network that returns its input returns photographs of every kind as they are: pixels, pictures, what they say."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import imagecodecs
import numpy as np
import onnx
import pillow_heif
import pytest
import tifffile
from numpy.typing import NDArray
from onnx import TensorProto, helper
from onnx_models import METADATA, picture
from PIL import Image, ImageCms

from dni_deploy import enhance_files
from dni_deploy.image_files.image_file import ImageFile, Tags, Writing
from dni_deploy.image_files.reading import read_file
from dni_deploy.image_files.writing import write_file
from dni_runtime import Model, load, write_metadata

PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
EXIF = b"II*\0\x08\0\0\0\1\0\x0f\1\2\0\6\0\0\0\x1a\0\0\0\0\0\0\0Canon\0"
TAGS = Tags(icc=PROFILE, exif=EXIF, xmp=b"<x/>", dpi=(300.0, 300.0))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Model]:
    image, result = (
        helper.make_tensor_value_info(n, TensorProto.FLOAT, ["N", 3, "H", "W"]) for n in ("input", "output")
    )
    graph = helper.make_graph([helper.make_node("Identity", ["input"], ["output"])], "network", [image], [result])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    write_metadata(made, replace(METADATA, alpha_pinned=(1.0,), overlap=0))
    path = tmp_path_factory.mktemp("model") / "returning.onnx"
    onnx.save(made, path)
    with load(path, "cpu") as loaded:
        yield loaded


def samples(dtype: str, *channels: int) -> NDArray[np.generic]:
    if dtype == "float32":
        return picture(40, 50, *channels).astype(np.float32) / np.float32(256)  # the mean of three is exact
    return picture(40, 50, *channels, dtype=np.dtype(dtype))


def through(model: Model, source: Path, target: Path) -> tuple[ImageFile, ImageFile]:
    """A file and its result, as they are read."""
    (result,) = enhance_files(model, [source], target)
    assert (result.error, result.notes) == (None, ())
    return read_file(source), read_file(target)


def assert_same(one: ImageFile, other: ImageFile) -> None:
    assert len(one.pictures) == len(other.pictures)
    for picture_in, picture_out in zip(one.pictures, other.pictures, strict=True):
        assert picture_in.dtype == picture_out.dtype
        np.testing.assert_array_equal(picture_in, picture_out)
    assert (one.durations_ms, one.loop, one.tags) == (other.durations_ms, other.loop, other.tags)


KINDS = [
    *((".png", dtype, channels) for dtype in ("uint8", "uint16") for channels in ((), (3,), (4,))),
    *((".tif", dtype, channels) for dtype in ("uint8", "uint16", "float32") for channels in ((), (3,), (4,))),
]


@pytest.mark.parametrize(("suffix", "dtype", "channels"), KINDS)
def test_every_depth_and_opacity(model: Model, tmp_path: Path, suffix: str, dtype: str, channels: tuple[int, ...]):
    image = samples(dtype, *channels)
    tags = TAGS if suffix == ".tif" else Tags(icc=PROFILE, exif=EXIF, xmp=b"<x/>", chunks=((b"tEXt", b"Title\0a"),))
    write_file(tmp_path / f"a{suffix}", ImageFile((image,), tags=tags))
    before, after = through(model, tmp_path / f"a{suffix}", tmp_path / f"b{suffix}")
    np.testing.assert_array_equal(before.pictures[0], image)
    assert before.tags == tags
    assert_same(before, after)


@pytest.mark.parametrize(
    ("low", "high", "share"),
    [(0.0, 1.0, None), (-0.5, 1.5, "50"), (0.0, 1.01, r"0\.9\d"), (0.0, 1.00002, "less than 0.01")],
)
def test_floats_beyond_black_and_white_are_clipped_and_it_is_told(
    model: Model, tmp_path: Path, low: float, high: float, share: str | None
):
    image = np.linspace(low, high, 200 * 100 * 3, dtype=np.float32).reshape(200, 100, 3)
    write_file(tmp_path / "a.tif", ImageFile((image,)))
    (result,) = enhance_files(model, [tmp_path / "a.tif"], tmp_path / "b.tif")
    assert len(result.notes) == (share is not None)
    if share is not None:
        assert re.fullmatch(f"{share} % of its values are beyond 0 and 1, .* clipped to them", result.notes[0])
    np.testing.assert_array_equal(read_file(tmp_path / "b.tif").pictures[0], np.clip(image, 0, 1))


@pytest.mark.parametrize("channels", [(), (3,)])
def test_bmp(model: Model, tmp_path: Path, channels: tuple[int, ...]):
    write_file(tmp_path / "a.bmp", ImageFile((samples("uint8", *channels),)))
    assert_same(*through(model, tmp_path / "a.bmp", tmp_path / "b.bmp"))


def others(folder: Path) -> Iterator[Path]:
    """Files of the kinds that are not written, or not without a loss."""
    first, second = (Image.fromarray(picture(40, 50, 3, seed=seed)) for seed in (1, 2))
    hidden = Image.fromarray(picture(40, 50, 4))
    first.save(folder / "photo.jpg", quality=90)
    first.convert("CMYK").save(folder / "cmyk.tif")
    first.save(folder / "lossy.webp", quality=80)
    hidden.save(folder / "opacity.webp", lossless=True)
    first.save(folder / "animated.webp", save_all=True, append_images=[second], duration=[40, 90])
    first.quantize(16).save(folder / "still.gif", transparency=3)
    first.save(folder / "animated.gif", save_all=True, append_images=[second], duration=[40, 90], loop=0)
    first.save(folder / "animated.png", save_all=True, append_images=[second], duration=[40, 90], loop=2)
    first.quantize(16).save(folder / "palette.png", transparency=3)
    first.save(folder / "small.avif")
    first.save(folder / "small.jp2")
    deep = picture(40, 50, 3, dtype=np.uint16)
    (folder / "deep.jp2").write_bytes(imagecodecs.jpeg2k_encode(deep, level=0, codecformat="jp2"))
    (folder / "deep.avif").write_bytes(imagecodecs.avif_encode(deep >> 4, level=90, bitspersample=12))
    tifffile.imwrite(folder / "pages.tif", np.stack([deep, deep[::-1]]), photometric="rgb", compression="lzw")
    pillow_heif.from_pillow(first).save(folder / "phone.heic")
    yield from sorted(folder.iterdir())


def test_all_others_as_they_are_read(model: Model, tmp_path: Path):
    (tmp_path / "in").mkdir()
    (tmp_path / "out").mkdir()
    files = [*others(tmp_path / "in")]
    assert len(files) == 15
    for source in files:
        target = tmp_path / "out" / (source.name + (".tif" if source.suffix == ".tif" else ".png"))
        before, after = through(model, source, target)
        assert len(before.pictures) == (2 if source.stem in ("animated", "pages") else 1)
        for picture_in, picture_out in zip(before.pictures, after.pictures, strict=True):
            np.testing.assert_array_equal(picture_in, picture_out)
        assert before.durations_ms == after.durations_ms


def test_a_webp_without_a_loss(model: Model, tmp_path: Path):
    write_file(tmp_path / "a.webp", ImageFile((samples("uint8", 4),), tags=TAGS), Writing(lossless=True))
    (file,) = enhance_files(model, [tmp_path / "a.webp"], tmp_path / "b.png")
    assert file.error is None
    np.testing.assert_array_equal(read_file(tmp_path / "b.png").pictures[0], samples("uint8", 4))
