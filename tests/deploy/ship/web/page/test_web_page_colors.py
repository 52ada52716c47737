"""Photographs whose numbers mean other colours than sRGB's: shown as they look, and given back as `dni run` does."""

from pathlib import Path

import numpy as np
import pytest
from photographs import noisy_crop
from PIL import Image, ImageCms
from profiles import swapped
from web_browser import Visit
from web_page import assert_shows, in_python

from dni_deploy.image_files.reading import read_file

PIXEL = """([x, y]) => {
    const canvas = document.querySelector("canvas");
    const context = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
    context.drawImage(canvas, -Math.round(canvas.width * x), -Math.round(canvas.height * y));
    return [...context.getImageData(0, 0, 1, 1).data];
}"""


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp"])
def test_the_numbers_and_the_profile_are_those_of_python(visit: Visit, models: Path, tmp_path: Path, suffix: str):
    profile = swapped()
    options = {".jpg": {"quality": 100, "subsampling": 0}, ".webp": {"lossless": True}}.get(suffix, {})
    path = tmp_path / f"photo{suffix}"
    Image.fromarray(noisy_crop(90, 120)).save(path, icc_profile=profile, **options)
    visit.open_photo(path).shown("0.5")
    result = visit.download(tmp_path)
    assert read_file(result).tags.icc == profile
    (numbers,) = read_file(path).pictures
    assert_shows(result, in_python(models, "denoise", numbers, 0.5))


def test_both_sides_look_as_the_profile_says(visit: Visit, tmp_path: Path):
    image = np.full((300, 400, 3), (200, 60, 30), np.uint8)
    Image.fromarray(image).save(tmp_path / "photo.png", icc_profile=swapped())
    visit.open_photo(tmp_path / "photo.png").shown("0.5")
    for side in (0.25, 0.75):
        red, green, blue, _ = visit.page.evaluate(PIXEL, [side, 0.5])
        assert (red, green, blue) == pytest.approx((30, 60, 200), abs=12)


def test_a_profile_of_srgb_stays(visit: Visit, tmp_path: Path):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.fromarray(noisy_crop(40, 50)).save(tmp_path / "photo.png", icc_profile=profile)
    visit.open_photo(tmp_path / "photo.png").shown("0.5")
    assert read_file(visit.download(tmp_path)).tags.icc == profile
