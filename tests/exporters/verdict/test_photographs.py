"""What networks are tried on."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dni_exporters import inspect_endpoints
from dni_exporters.verdict.photographs import BUILT_IN, MOST, Photograph, built_in, network_input, read_photographs
from dni_runtime import InputError


def write(path: Path, color: tuple[int, int, int], size: tuple[int, int] = (40, 30)) -> None:
    Image.new("RGB", size, color).save(path)


def test_the_built_in_ones_are_small_and_their_origins_are_told():
    found = built_in()
    assert len(found) == MOST
    assert {photograph.pixels.shape for photograph in found} == {(96, 96, 3)}
    assert BUILT_IN.stat().st_size < 160_000
    origins = BUILT_IN.with_name("ORIGINS.md").read_text(encoding="utf-8")
    assert all(f"| `{photograph.name}` |" in origins for photograph in found)


def test_a_folder_gives_six_that_are_spread_over_its_names(tmp_path: Path):
    for number in range(11):
        write(tmp_path / f"{number:02}.png", (number, 0, 0))
    (tmp_path / "notes.txt").write_text("no photograph")
    (tmp_path / "folder.png").mkdir()
    found = read_photographs(tmp_path)
    assert [photograph.name for photograph in found] == ["00.png", "02.png", "04.png", "06.png", "08.png", "10.png"]
    assert found[1].pixels[0, 0].tolist() == [2, 0, 0]


def test_what_is_no_photograph_is_refused_before_the_checkpoints_are_read(tmp_path: Path):
    with pytest.raises(InputError, match=r"nowhere is no folder; expected one with photographs \(.bmp, .jpeg"):
        inspect_endpoints({}, {}, photos=tmp_path / "nowhere")
    with pytest.raises(InputError, match=r"there is no photograph in .*; expected files named .bmp"):
        inspect_endpoints({}, {}, photos=tmp_path)
    (tmp_path / "a.png").write_text("text")
    with pytest.raises(InputError, match=r"a.png cannot be read as a photograph \(cannot identify"):
        read_photographs(tmp_path)


def test_grey_of_16_bits_is_no_white(tmp_path: Path):
    levels = np.arange(256, dtype=np.uint16).reshape(16, 16)
    Image.fromarray(levels * 257).save(tmp_path / "a.png")
    assert np.array_equal(read_photographs(tmp_path)[0].pixels, np.repeat(levels[..., None], 3, axis=2))
    Image.fromarray(np.ones((16, 16), np.float32)).save(tmp_path / "a.tif")
    with pytest.raises(InputError, match=r"a.tif cannot be read as a photograph \(it holds numbers of 32 bits"):
        read_photographs(tmp_path)


def test_a_window_is_the_part_with_most_to_see_and_is_not_resized():
    pixels = np.zeros((100, 200, 3), np.uint8)
    pixels[60:, 150:, 0] = np.arange(50) % 2 * 250
    photograph = Photograph("it", pixels)
    window = photograph.window(40, 50)
    assert window.dtype == np.float32
    assert window[0, :, 0] * 255 == pytest.approx(np.arange(50) % 2 * 250)
    assert photograph.window(40, 50, 1).std() < window.std()


def test_a_photograph_that_is_too_small_is_mirrored():
    pixels = np.arange(30, dtype=np.uint8).reshape(2, 5, 3)
    window = Photograph("it", pixels).window(4, 4) * 255
    assert window[:2, :4] == pytest.approx(pixels[:, :4]) or window[:2, :4] == pytest.approx(pixels[:, 1:])
    assert window[2:] == pytest.approx(window[:2][::-1])


def test_grey_networks_get_what_pillow_calls_grey():
    photograph = built_in()[0]
    grey = network_input(photograph.window(96, 96), 1)
    wanted = np.asarray(Image.fromarray(photograph.pixels).convert("L"), np.float32) / 255
    assert grey.shape == (1, 1, 96, 96)
    assert grey[0, 0] == pytest.approx(wanted, abs=0.6 / 255)
    assert network_input(photograph.window(96, 96), 3).shape == (1, 3, 96, 96)
