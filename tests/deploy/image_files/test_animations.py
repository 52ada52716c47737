"""Animations: each frame as it is shown, and how long, from every format that has them into every one."""

import struct
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx_models import picture
from PIL import Image
from png_files import chunk

from dni_deploy.image_files.image_file import ImageFile, Writing
from dni_deploy.image_files.reading import read_file
from dni_deploy.image_files.writing import fit_to, write_file
from dni_runtime import InputError

TIMES = (40, 100, 70, 1000)


def frames(channels: int) -> list[NDArray[np.uint8]]:
    """Pictures of which only a part changes, some with opacity."""
    result = []
    for number in range(4):
        frame = picture(20, 30, channels)
        frame[number * 4 : number * 4 + 6, 5:20] = picture(6, 15, channels, seed=number)
        result.append(frame)
    return result


def shown(path: Path) -> tuple[list[NDArray[np.uint8]], list[float]]:
    """What Pillow shows of a file."""
    with Image.open(path) as image:
        pixels, times = [], []
        for number in range(image.n_frames):  # type: ignore[attr-defined]
            image.seek(number)
            pixels.append(np.array(image.convert("RGBA")))
            times.append(image.info["duration"])
    return pixels, times


def assert_seen_alike(given: NDArray[np.generic], expected: NDArray[np.generic]) -> None:
    """What is hidden is of any colour."""
    given = given if given.shape[2] == 4 else np.dstack([given, np.full(given.shape[:2], 255, np.uint8)])
    np.testing.assert_array_equal(given[:, :, 3], expected[:, :, 3])
    np.testing.assert_array_equal(given[given[:, :, 3] > 0], expected[expected[:, :, 3] > 0])


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("to", ["png", "webp", "avif"])
@pytest.mark.parametrize("suffix", ["png", "webp", "gif", "avif"])
def test_all_frames_and_times(tmp_path: Path, suffix: str, to: str, channels: int):
    first, *others = (Image.fromarray(frame) for frame in frames(channels))
    options = {"webp": {"lossless": True}, "avif": {"quality": 100, "subsampling": "4:4:4"}}.get(suffix, {})
    first.save(tmp_path / f"a.{suffix}", save_all=True, append_images=others, duration=list(TIMES), loop=3, **options)
    pixels, times = shown(tmp_path / f"a.{suffix}")
    file = read_file(tmp_path / f"a.{suffix}")
    assert (len(file.pictures), list(file.durations_ms)) == (4, times)
    for frame, expected in zip(file.pictures, pixels, strict=True):
        assert_seen_alike(frame, expected)

    target = tmp_path / f"b.{to}"
    writing = Writing(lossless=to == "webp", quality=100 if to == "avif" else None)
    write_file(target, fit_to(file, target, writing), writing)
    again = read_file(target)
    assert again.durations_ms == file.durations_ms == TIMES
    assert again.notes == ()
    assert again.loop == (3 if "avif" not in (suffix, to) else 0)  # which goes on for ever
    for frame, expected in zip(again.pictures, file.pictures, strict=True):
        if to == "avif":
            assert frame.shape == expected.shape
            assert abs(frame.astype(int) - expected)[..., :3].max() <= 3
        else:
            full = np.full((*expected.shape[:2], 1), 255, np.uint8)
            assert frame.shape == expected.shape
            assert_seen_alike(frame, expected if expected.shape[2] == 4 else np.dstack([expected, full]))


@pytest.mark.parametrize("disposal", [0, 1, 2])
def test_frames_that_lie_over_others(tmp_path: Path, disposal: int):
    first, *others = (Image.fromarray(frame) for frame in frames(4))
    first.save(tmp_path / "a.png", save_all=True, append_images=others, duration=50, disposal=disposal, blend=1)
    pixels, _ = shown(tmp_path / "a.png")
    for frame, expected in zip(read_file(tmp_path / "a.png").pictures, pixels, strict=True):
        assert_seen_alike(frame, expected)


def test_a_picture_for_programs_without_animations(tmp_path: Path):
    default, *others = (Image.fromarray(frame) for frame in frames(3))
    default.save(tmp_path / "a.png", save_all=True, append_images=others, default_image=True, duration=50)
    file = read_file(tmp_path / "a.png")
    assert file.notes == ("the picture for programs without animations left out",)
    assert file.durations_ms == (50, 50, 50)
    np.testing.assert_array_equal(file.pictures[0], frames(3)[1])


@pytest.mark.parametrize(
    ("name", "count", "note"),
    [
        ("b.jpg", 1, "3 more pictures left out, for JPEG holds one"),
        ("b.bmp", 1, "3 more pictures left out, for BMP holds one"),
        ("b.tif", 4, "how long each picture is shown left out, for which TIFF has no place"),
    ],
)
def test_what_other_formats_hold(tmp_path: Path, name: str, count: int, note: str):
    file = fit_to(ImageFile(tuple(frames(3)), durations_ms=TIMES), tmp_path / name)
    assert (len(file.pictures), file.notes) == (count, (note,))
    write_file(tmp_path / name, file)
    assert len(read_file(tmp_path / name).pictures) == count


def test_the_first_alone(tmp_path: Path):
    write_file(tmp_path / "a.webp", ImageFile(tuple(frames(3)), durations_ms=TIMES))
    file = read_file(tmp_path / "a.webp", first_only=True)
    assert (len(file.pictures), file.durations_ms, file.notes) == (1, (), ("3 more pictures left out",))


def test_the_limit_is_one_on_all_pictures(tmp_path: Path):
    write_file(tmp_path / "a.png", ImageFile(tuple(frames(3)), durations_ms=TIMES))
    assert len(read_file(tmp_path / "a.png", max_megapixels=0.0024).pictures) == 4
    message = r"has 0\.0024 million pixels in 4 pictures or more; expected at most 0\.0023"
    with pytest.raises(InputError, match=message):
        read_file(tmp_path / "a.png", max_megapixels=0.0023)


def test_grey_and_coloured_frames_are_of_one_kind(tmp_path: Path):
    grey = Image.fromarray(picture(20, 30))
    colored = Image.fromarray(picture(20, 30, 3)).quantize(100)
    grey.save(tmp_path / "a.gif", save_all=True, append_images=[colored], duration=50)
    assert {frame.shape for frame in read_file(tmp_path / "a.gif").pictures} == {(20, 30, 3)}


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [(), (3,), (4,)])
def test_frames_that_are_alike_stay_frames(tmp_path: Path, dtype: type, channels: tuple[int, ...]):
    frame = picture(20, 30, *channels, dtype=np.dtype(dtype))
    write_file(tmp_path / "a.png", ImageFile((frame,) * 3, durations_ms=(10, 70_000.0, 30)))
    with Image.open(tmp_path / "a.png") as image:
        assert image.n_frames == 3  # type: ignore[attr-defined]
        image.seek(1)
        assert image.info["duration"] == 70_000
    file = read_file(tmp_path / "a.png")
    np.testing.assert_array_equal(file.pictures[0], frame)
    assert len(file.pictures) == (3 if dtype == np.uint8 else 1)  # of 16 bits only the first is read, and told
    assert file.notes == (() if dtype == np.uint8 else ("2 more pictures left out",))


def test_a_frame_beyond_the_others_makes_all_larger(tmp_path: Path):
    small = picture(4, 5)
    Image.fromarray(small).save(tmp_path / "a.gif", save_all=True, append_images=[Image.fromarray(255 - small)])
    content = bytearray((tmp_path / "a.gif").read_bytes())
    at = content.rindex(b"\x2c" + bytes(4))  # the second frame's place and size
    content[at + 1] = 6
    (tmp_path / "a.gif").write_bytes(content)
    first, second = read_file(tmp_path / "a.gif").pictures
    assert first.shape == second.shape == (4, 11, 4)
    np.testing.assert_array_equal(first[:, :5, 0], small)
    assert not first[:, 5:, 3].any()
    np.testing.assert_array_equal(second[:, 6:, 0], 255 - small)


def test_a_transparent_colour_of_an_animation(tmp_path: Path):
    """Frames lie over what is before them where they are not of that colour."""
    red, green = (np.full((6, 8, 3), color, np.uint8) for color in ((255, 0, 0), (0, 255, 0)))
    green[:, :4] = (255, 0, 0)
    write_file(tmp_path / "a.png", ImageFile((red, green), durations_ms=(10, 10)))
    content = (tmp_path / "a.png").read_bytes()
    key = chunk(b"tRNS", struct.pack(">3H", 0, 255, 0))
    (tmp_path / "a.png").write_bytes(content[:33] + key + content[33:])
    pixels, _ = shown(tmp_path / "a.png")
    file = read_file(tmp_path / "a.png")
    for frame, expected in zip(file.pictures, pixels, strict=True):
        assert_seen_alike(frame, expected)


def test_what_no_frame_of_a_gif_covers_is_hidden(tmp_path: Path):
    small = picture(4, 5)
    Image.fromarray(small).save(tmp_path / "a.gif")
    content = bytearray((tmp_path / "a.gif").read_bytes())
    content[6:10] = struct.pack("<HH", 9, 7)
    (tmp_path / "a.gif").write_bytes(content)
    (result,) = read_file(tmp_path / "a.gif").pictures
    assert result.shape == (7, 9, 4)
    np.testing.assert_array_equal(result[:4, :5], np.dstack([small, small, small, np.full((4, 5), 255)]))
    assert not result[4:].any()
    assert not result[:, 5:].any()
