"""Results of another size than the network's: band by band what Pillow makes of the whole, for every kind of image."""

from pathlib import Path

import numpy as np
import pytest
from commands import dni, results_in
from onnx_models import conv_stack, picture, save
from photographs import save_image
from PIL import Image

from dni_deploy.image_files.read_write import read_image
from dni_deploy.photographs.made_with import sized
from dni_deploy.photographs.making import resized as module
from dni_deploy.photographs.making.resized import resized

SIZES = [(20, 31), (40, 62), (61, 90), (7, 93), (1, 1)]


@pytest.fixture(autouse=True)
def narrow_bands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BAND_PIXELS", 500)


def lanczos(plane: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return np.asarray(Image.fromarray(plane).resize(size[::-1], Image.Resampling.LANCZOS))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("shape", [(40, 62), (40, 62, 3)])
def test_8_bits_are_what_pillow_makes_of_the_whole_in_floats(size: tuple[int, int], shape: tuple[int, ...]):
    image = picture(*shape)
    planes = np.atleast_3d(image).astype(np.float32)
    expected = np.stack([lanczos(planes[:, :, c], size) for c in range(planes.shape[2])], axis=2).clip(0, 255)
    made = resized(image, size)
    assert (made.dtype, made.shape) == (np.uint8, (*size, *shape[2:]))
    assert np.abs(np.atleast_3d(made) - expected).max() < 0.5001


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("channels", [1, 3])
def test_16_bits_and_floats_keep_their_depth(size: tuple[int, int], channels: int):
    deep = (picture(40, 62, channels).astype(np.uint16) << 8) + picture(40, 62, channels, seed=2)
    deep = deep[:, :, 0] if channels == 1 else deep
    planes = deep[:, :, None] if channels == 1 else deep
    expected = np.stack([lanczos(planes[:, :, c].astype(np.float32), size) for c in range(channels)], axis=2)
    expected = expected[:, :, 0] if channels == 1 else expected
    made = resized(deep, size)
    assert (made.dtype, made.shape) == (np.uint16, (*size, *deep.shape[2:]))
    assert np.abs(made - expected.clip(0, 65535)).max() <= 1
    floats = deep.astype(np.float32) / 65535 * 3 - 1  # from -1 to 2
    made = resized(floats, size)
    assert made.dtype == np.float32
    np.testing.assert_allclose(made, expected / 65535 * 3 - 1, atol=1e-4)
    assert size == (1, 1) or (made.min() < 0 and made.max() > 1)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_hidden_colours_stay_hidden(dtype: type):
    top = 1.0 if dtype is np.float32 else np.iinfo(dtype).max
    image = np.zeros((32, 32, 4), dtype)
    image[:, :16] = (0, top, 0, top)
    image[:, 16:] = (top, 0, 0, 0)  # red that nobody sees
    made = resized(image, (21, 21))
    seen = made[:, :, 3] > top / 100
    assert 9 <= seen.any(axis=0).sum() <= 13
    assert made[seen][:, 0].max() <= top * 1e-5
    assert np.abs(made[seen][:, 1].astype(float) - top).max() <= max(1, top * 1e-5) * (dtype is not np.float32) + 1e-4
    hidden = made[:, :, 3] <= 0
    assert made[hidden][:, 0].max() > 0.9 * top  # the colour that was there, for whoever takes the opacity away
    opaque = np.concatenate([picture(32, 32, 3), np.full((32, 32, 1), 255, np.uint8)], axis=2)
    made = resized(opaque, (21, 25))
    assert (made[:, :, 3] == 255).all()
    assert np.abs(made[:, :, :3].astype(int) - resized(opaque[:, :, :3], (21, 25))).max() <= 1


def test_the_edges_of_a_seamless_tile_meet():
    image = picture(40, 60, 3)
    made = resized(image, (20, 30), wrap=True)
    rolled = resized(np.roll(image, (14, 22), (0, 1)), (20, 30), wrap=True)
    assert np.abs(rolled.astype(int) - np.roll(made, (7, 11), (0, 1))).max() <= 1
    assert np.abs(made.astype(int) - resized(image, (20, 30))).max() > 1  # which does not know


def test_nothing_happens_to_an_image_of_that_size_already():
    image = picture(40, 60, 3)
    assert resized(image, (40, 60)) is image


def test_sizes_are_rounded_up_but_not_for_a_number_that_is_not_exact():
    assert sized(1.1, 100, 30) == (110, 33)
    assert sized(0.5, 101, 1) == (51, 1)
    assert sized(2.5, 3, 4) == (8, 10)


def test_from_the_command_line(tmp_path: Path):
    model = save(conv_stack(scale=2), tmp_path / "model.onnx")
    source = save_image(tmp_path / "photos" / "a.png", picture(12, 17, 3))
    run = ("run", model, source.parent, "--alpha", "0.5", "-o", tmp_path / "out")
    dni(*run).assert_ok()
    whole = read_image(tmp_path / "out" / "a.png")
    dni(*run, "--output-scale", "1.5").assert_error("exists already, and not just as this run would make it")
    dni(*run, "--output-scale", "1.5", "--force").assert_ok()
    np.testing.assert_array_equal(read_image(tmp_path / "out" / "a.png"), resized(whole, (18, 26)))
    dni(*run, "--output-scale", "0.5", "--force", "--json").assert_ok()
    assert read_image(tmp_path / "out" / "a.png").shape == (6, 9, 3)
    assert results_in(tmp_path / "out") == ["a.png"]
    dni(*run, "--output-scale", "0").assert_usage("--output-scale")
