"""The page under hands: keyboard, divider, wheel and fingers, for everybody and on every width."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from photographs import save_image
from playwright.sync_api import BrowserContext, Page, expect
from web_browser import Visit, visiting
from web_page import choose_model, in_python
from web_sites import npm_package

NARROW = {"width": 360, "height": 740}


# Keyboard, fingers, screen readers, screens.


def active(page: Page) -> str:
    return page.evaluate("document.activeElement.id || document.activeElement.tagName")


def test_everything_can_be_reached_and_done_by_keyboard(visit: Visit, photo: Path):
    page = visit.page
    visit.open_photo(photo).shown("0.5")
    reached = []
    page.locator("body").evaluate("body => body.focus()")
    for _ in range(20):
        page.keyboard.press("Tab")
        reached.append(active(page))
    order = ["view", "divider", "zoom-fit", "zoom-real", "zoom-out", "zoom-in", "model", "slider-0", "download"]
    assert [each for each in reached if each in order][: len(order)] == order
    outline = page.evaluate("getComputedStyle(document.querySelector('#download')).outlineStyle")
    assert outline != "hidden"

    page.get_by_role("slider", name="Blend").focus()
    page.keyboard.press("ArrowRight")
    visit.shown("0.51")
    number = page.get_by_role("spinbutton", name="Blend, as a number")
    number.fill("0.125")
    visit.shown("0.125")
    number.fill("7")  # out of range: not taken
    number.blur()
    expect(number).to_have_value("0.13")

    divider = page.get_by_role("slider", name="Divider")
    divider.focus()
    for key, value in (("ArrowLeft", "48"), ("PageUp", "58"), ("Home", "0"), ("End", "100")):
        page.keyboard.press(key)
        expect(divider).to_have_attribute("aria-valuenow", value)

    level = page.get_by_label("Zoom level")
    fitted = level.text_content()
    page.locator("#view").focus()
    page.keyboard.press("+")
    expect(level).not_to_have_text(fitted)
    page.keyboard.press("1")
    expect(level).to_have_text("100%")
    page.keyboard.press("0")
    expect(level).to_have_text(fitted)


def canvas_pixel(page: Page, x: float, y: float) -> list[int]:
    return page.evaluate(
        """([x, y]) => {
            const canvas = document.querySelector("#canvas");
            const one = new OffscreenCanvas(1, 1).getContext("2d");
            one.drawImage(canvas, -Math.round(x * canvas.width), -Math.round(y * canvas.height));
            return [...one.getImageData(0, 0, 1, 1).data];
        }""",
        [x, y],
    )


def test_the_divider_is_dragged_between_before_and_after(visit: Visit, models: Path, tmp_path: Path):
    image = np.full((100, 160, 3), 90, np.uint8)
    choose_model(visit, "twice")
    visit.open_photo(save_image(tmp_path / "plain.png", image)).shown("0.25")
    page = visit.page
    after = in_python(models, "twice", image, 0.25)[100, 160]
    page.wait_for_timeout(50)
    assert canvas_pixel(page, 0.3, 0.5)[:3] == [90, 90, 90]
    assert np.abs(np.array(canvas_pixel(page, 0.7, 0.5)[:3]) - after).max() <= 2
    stage = page.locator("#view").bounding_box()
    middle = (stage["x"] + stage["width"] / 2, stage["y"] + stage["height"] / 2)
    page.mouse.move(*middle)
    page.mouse.down()
    page.mouse.move(stage["x"] + 0.9 * stage["width"], middle[1], steps=4)
    page.mouse.up()
    page.wait_for_timeout(50)
    assert page.get_by_role("slider", name="Divider").get_attribute("aria-valuenow") == "90"
    assert canvas_pixel(page, 0.7, 0.5)[:3] == [90, 90, 90]


def test_the_wheel_zooms_and_the_mouse_moves(visit: Visit, photo: Path):
    page = visit.page
    visit.open_photo(photo).shown("0.5")
    level = page.get_by_label("Zoom level")
    before = level.text_content()
    stage = page.locator("#view").bounding_box()
    page.mouse.move(stage["x"] + 200, stage["y"] + 200)
    page.mouse.wheel(0, -400)
    expect(level).not_to_have_text(before)
    page.wait_for_timeout(50)
    pixel = canvas_pixel(page, 0.2, 0.3)
    page.mouse.down()
    page.mouse.move(stage["x"] + 290, stage["y"] + 260, steps=3)
    page.mouse.up()
    page.wait_for_timeout(50)
    assert canvas_pixel(page, 0.2 + 90 / stage["width"], 0.3 + 60 / stage["height"])[3] == 255
    assert canvas_pixel(page, 0.2, 0.3) != pixel


def test_two_fingers_zoom(url: str, browser: Any, photo: Path):
    with visiting(browser, url, viewport=NARROW, has_touch=True, is_mobile=True) as visit:
        visit.ready().open_photo(photo).shown("0.5")
        level = visit.page.get_by_label("Zoom level")
        before = int(level.text_content().rstrip("%"))
        box = visit.page.locator("#view").bounding_box()
        x, y = box["x"] + box["width"] / 4, box["y"] + box["height"] / 4
        touch = visit.page.context.new_cdp_session(visit.page)

        def fingers(kind: str, distance: float | None) -> None:
            points = [] if distance is None else [{"x": x - distance, "y": y}, {"x": x + distance, "y": y}]
            touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

        fingers("touchStart", 20)
        for distance in (25, 30, 40):
            fingers("touchMove", distance)
        fingers("touchEnd", None)
        visit.page.wait_for_timeout(100)
        after = int(level.text_content().rstrip("%"))
        assert after == pytest.approx(2 * before, rel=0.1)
        visit.page.get_by_role("button", name="Fit").tap()
        expect(level).to_have_text(f"{before}%")


def violations(page: Page) -> list[str]:
    """What axe-core, the accessibility checker, has to say against the page as it is now."""
    page.evaluate((npm_package("axe-core") / "axe.min.js").read_text())
    found = page.evaluate("axe.run(document)")["violations"]
    return [f"{v['id']}: {v['help']}: {[node['html'] for node in v['nodes']]}" for v in found]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [{"width": 1180, "height": 720}, NARROW], ids=["wide", "narrow"])
def test_it_is_accessible_and_fits(url: str, visitor: BrowserContext, photo: Path, scheme: Any, viewport: Any):
    with visiting(visitor, "about:blank") as visit:
        page = visit.page
        page.set_viewport_size(viewport)
        page.emulate_media(color_scheme=scheme)
        page.goto(url)
        visit.ready()
        assert violations(page) == []
        visit.open_photo(photo).shown("0.5")
        page.get_by_text("How it runs").click()
        choose_model(visit, "with three")
        visit.shown("0.25,0.25")
        visit.open_photo(Path(__file__))
        expect(page.get_by_role("alert")).to_be_visible()
        assert violations(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
        light = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (sum(json.loads("[" + light[4:-1] + "]")) > 384) == (scheme == "light")
        boxes = [page.locator(s).bounding_box() for s in ("#stage", ".panel")]
        below = boxes[1]["y"] >= boxes[0]["y"] + boxes[0]["height"]
        assert below == (viewport is NARROW)


def test_the_check_above_can_fail(visit: Visit):
    visit.page.evaluate("document.querySelector('label[for=model]').remove()")
    assert any("select-name" in each for each in violations(visit.page))
