"""The page in Chromium, as its visitors use it: mouse, keyboard, fingers, screen reader, any screen."""

from pathlib import Path

import numpy as np
import pytest
from photographs import noisy_crop, save_image
from PIL import Image
from playwright.sync_api import expect
from sharp_or_blurred import NOISE
from web_browser import Visit
from web_page import TIMES, assert_shows, choose_model, in_python

from dni_deploy.image_files.read_write import read_image
from dni_runtime import estimate_noise

# The tasks that the page gives its worker from now on, in order.
COUNT_TASKS = """() => {
    window.tasks = [];
    const post = Worker.prototype.postMessage;
    Worker.prototype.postMessage = function (message, ...rest) {
        if (message && message.task) window.tasks.push(message.task);
        return post.call(this, message, ...rest);
    };
}"""
# What the page says from now on, and of what strength a part is shown with it.
LISTEN = """() => {
    window.said = [];
    const status = document.querySelector("#status");
    const hear = () => window.said.push([status.textContent, status.dataset.live ?? null]);
    new MutationObserver(hear).observe(status, { attributes: true, childList: true });
}"""
# On any machine, the page takes itself to be a slow one, where a tenth of a second is enough for 64 pixels a side.
SLOW_CLOCK = """() => {
    const now = performance.now.bind(performance);
    performance.now = () => 50 * now();
}"""


def test_a_photograph_goes_in_and_pythons_result_comes_out(visit: Visit, models: Path, photo: Path, tmp_path: Path):
    assert visit.page.title() == visit.text("h1") == "Less noise"
    assert visit.text("#status") == "Ready for a photograph"
    visit.open_photo(photo).shown("0.5")
    assert visit.text("#status").startswith(f"120 {TIMES} 90 in ")
    visit.slide(0.3)
    visit.shown("0.3")
    path = visit.download(tmp_path)
    assert path.name == "my.photo_alpha0.30.png"
    assert_shows(path, in_python(models, "denoise", read_image(photo), 0.3))


def test_grey_stays_grey(visit: Visit, models: Path, tmp_path: Path):
    image = noisy_crop(40, 50)[:, :, 0]
    visit.open_photo(save_image(tmp_path / "grey.png", image)).shown("0.5")
    assert_shows(visit.download(tmp_path), in_python(models, "denoise", image, 0.5))


def test_opacity_is_kept(visit: Visit, models: Path, tmp_path: Path):
    """Whole or none; a browser's canvas has no exact colours in between."""
    image = np.dstack([noisy_crop(40, 50), np.full((40, 50), 255, np.uint8)])
    image[5:20, 5:20, 3] = 0
    image[5:20, 5:20, :3] = 0
    visit.open_photo(save_image(tmp_path / "hole.png", image)).shown("0.5")
    result = read_image(visit.download(tmp_path))
    np.testing.assert_array_equal(result[:, :, 3], image[:, :, 3])
    expected = in_python(models, "denoise", image, 0.5)
    solid = image[:, :, 3] == 255
    assert np.abs(result[solid].astype(int) - expected[solid]).max() <= 1


def test_the_last_of_many_values_wins(visit: Visit, models: Path, tmp_path: Path):
    image = noisy_crop(100, 280)  # two tiles
    visit.open_photo(save_image(tmp_path / "photo.png", image)).shown("0.5")
    visit.page.evaluate(COUNT_TASKS)
    visit.slide(*(step / 100 for step in range(100)), 0.83, settled=False)
    visit.page.wait_for_timeout(30)
    visit.slide(*(step / 100 for step in range(100)), 0.27)
    visit.shown("0.27")
    assert_shows(visit.download(tmp_path), in_python(models, "denoise", image, 0.27))
    tasks = visit.page.evaluate("tasks")
    assert 1 <= tasks.count("enhance") <= 8  # 202 values were asked for


def test_while_the_slider_moves_a_part_is_shown_at_once(visit: Visit, models: Path, tmp_path: Path):
    image = np.tile(noisy_crop(130, 130), (2, 2, 1))  # four tiles, and too large to be shown whole at once
    visit.page.evaluate(SLOW_CLOCK)
    visit.open_photo(save_image(tmp_path / "photo.png", image)).shown("0.5")
    visit.page.evaluate(LISTEN)
    visit.slide(0.2, settled=False)
    visit.shown("0.2")  # and then the whole, without being asked
    assert visit.page.evaluate("said[0]") == ["Preview of the framed part", "0.2"]
    assert_shows(visit.download(tmp_path), in_python(models, "denoise", image, 0.2))


def test_a_new_photograph_takes_the_place_of_one_at_work(visit: Visit, models: Path, tmp_path: Path):
    visit.open_photo(save_image(tmp_path / "large.png", noisy_crop(450, 480)))
    visit.until("document.querySelector('#status').textContent.startsWith('Tile 1 ')")
    image = noisy_crop(40, 60)
    visit.open_photo(save_image(tmp_path / "small.png", image))
    visit.until("text => document.querySelector('#status').textContent.startsWith(text)", f"60 {TIMES} 40")
    path = visit.download(tmp_path)
    assert path.name == "small_alpha0.50.png"
    assert_shows(path, in_python(models, "denoise", image, 0.5))


def test_the_strength_is_fitted_to_the_noise_in_the_photograph(visit: Visit, models: Path, photo: Path, tmp_path: Path):
    page = visit.page
    button = page.get_by_role("button", name="Fit to the noise")
    expect(button).to_be_hidden()  # the first model is not calibrated
    choose_model(visit, "fits noise")
    expect(button).to_be_disabled()  # there is no photograph yet
    image = read_image(photo)
    sigma = estimate_noise(image)
    assert sigma is not None
    alpha = NOISE.nearest(sigma)
    visit.open_photo(photo).shown("0.5")
    button.click()
    visit.shown(f"{alpha:g}")
    assert visit.text("#noise") == f"Noise about {sigma:.0f}"
    expect(page.get_by_role("spinbutton", name="Blend, as a number")).to_have_value(f"{alpha:.2f}")
    assert_shows(visit.download(tmp_path), in_python(models, "fits noise", image, alpha))
    visit.open_photo(save_image(tmp_path / "small.png", image[:50]))
    visit.until("document.querySelector('#noise').textContent === ''")  # that was another photograph's
    button.click()
    expect(page.get_by_role("alert")).to_contain_text(f"120 {TIMES} 50 pixels are too few to tell the noise")


def test_the_strength_is_fitted_to_the_quality_of_a_jpeg(visit: Visit, models: Path, photo: Path, tmp_path: Path):
    choose_model(visit, "fits quality")
    button = visit.page.get_by_role("button", name="Fit to the JPEG")
    Image.fromarray(read_image(photo)).save(tmp_path / "photo.jpg", quality=70)
    visit.open_photo(tmp_path / "photo.jpg").shown("0.5")
    button.click()
    visit.shown("0.7")
    assert visit.text("#noise") == "Quality 70"
    visit.open_photo(photo)
    visit.until("document.querySelector('#noise').textContent === ''")
    button.click()
    expect(visit.page.get_by_role("alert")).to_contain_text(
        "this is no JPEG, so it has no quality; give alpha as a numb"
    )


def test_models_of_every_kind(visit: Visit, models: Path, photo: Path, tmp_path: Path):
    page = visit.page
    expect(page.get_by_label("Model").locator("option")).to_have_text(
        ["denoise", "fits noise", "fits quality", "one strength", "twice", "with three"]
    )
    image = read_image(photo)
    visit.open_photo(photo).shown("0.5")

    choose_model(visit, "one strength")
    visit.shown("")
    expect(page.get_by_role("slider", name="Blend")).to_have_count(0)
    assert visit.text("#strength") == "This model was made for one strength, 0.7."
    path = visit.download(tmp_path)
    assert path.name == "my.photo_result.png"
    assert_shows(path, in_python(models, "one strength", image, None))

    choose_model(visit, "twice")
    visit.shown("0.25")  # the default of the model
    slider = page.get_by_role("slider", name="Blend")
    assert [slider.get_attribute(name) for name in ("min", "max")] == ["-0.5", "1.5"]
    assert visit.text(".ends").split() == ["-0.5", "1.5"]
    assert f"{TIMES} 2" in visit.text("#status")
    visit.slide(1.5)
    visit.shown("1.5")
    assert_shows(visit.download(tmp_path), in_python(models, "twice", image, 1.5))

    choose_model(visit, "with three")
    visit.shown("0.25,0.25")
    expect(page.get_by_role("group", name="Shares").get_by_role("slider")).to_have_count(2)
    visit.slide(0.9, index=1)
    visit.until("document.querySelector('#status').dataset.shown?.endsWith(',0.9')")
    shown = [float(each) for each in page.locator("#status").get_attribute("data-shown").split(",")]
    assert shown == pytest.approx([0.1, 0.9])  # the other share made room
    assert visit.page.locator("#strength .hint").inner_text().endswith(": 0.00")
    path = visit.download(tmp_path)
    assert path.name == "my.photo_alpha0.10,0.90.png"
    assert_shows(path, in_python(models, "with three", image, shown))
