"""The page in Chromium, as its visitors use it: mouse, keyboard, fingers, screen reader, any screen."""

import base64
import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from exporting import three_endpoints
from onnx_models import METADATA, baked, conv_stack, save
from photographs import noisy_crop, save_image
from playwright.sync_api import Page, expect
from web_browser import Visit, visiting
from web_library import assert_same_pixels, from_rgba, to_rgba
from web_sites import make_site, npm_package, plain_host, served

import dni_runtime
from dni_deploy.image_files.read_write import read_image
from dni_runtime import Endpoint

TIMES = "\N{MULTIPLICATION SIGN}"
NARROW = {"width": 360, "height": 740}
# The tasks that the page gives its worker, in order.
COUNT_TASKS = """
    window.tasks = [];
    const post = Worker.prototype.postMessage;
    Worker.prototype.postMessage = function (message, ...rest) {
        if (message && message.task) window.tasks.push(message.task);
        return post.call(this, message, ...rest);
    };
"""


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory, denoiser: Path) -> Path:
    """The first letters are the order of the selector."""
    folder = tmp_path_factory.mktemp("models")
    (folder / "denoise.onnx").write_bytes(denoiser.read_bytes())
    save(baked(0.7), folder / "one strength.onnx")
    named = replace(METADATA, alpha_range=(-0.5, 1.5), endpoints=(Endpoint("mild.pth", "0"), Endpoint("bold.pth", "1")))
    save(conv_stack(scale=2, alpha_default=0.25, metadata=named), folder / "twice.onnx")
    (folder / "with three.onnx").write_bytes(three_endpoints(tmp_path_factory.getbasetemp()).read_bytes())
    return folder


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory, models: Path) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("page")
    example = save_image(folder / "an example.png", noisy_crop(64, 64))
    site = make_site(folder, models, title="Less noise", example=example, webgpu=True)
    with served("-o", site) as address:
        yield address


@pytest.fixture
def visit(url: str, browser: Any) -> Iterator[Visit]:
    with visiting(browser, url) as arrived:
        yield arrived.ready()


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    return save_image(tmp_path / "my.photo.png", noisy_crop(150, 200))


def in_python(models: Path, name: str, image: Any, alpha: Any) -> Any:
    with dni_runtime.load(models / f"{name}.onnx", "cpu") as model:
        return model.enhance(image, alpha)


def assert_shows(path: Path, expected: Any) -> None:
    """A downloaded file against Python's image."""
    assert_same_pixels(from_rgba(to_rgba(read_image(path))), expected)


def choose_model(visit: Visit, name: str) -> None:
    visit.page.get_by_label("Model").select_option(name)
    visit.ready()


def test_a_photograph_goes_in_and_pythons_result_comes_out(visit: Visit, models: Path, photo: Path, tmp_path: Path):
    assert visit.page.title() == visit.text("h1") == "Less noise"
    assert visit.text("#status") == "Ready for a photograph"
    visit.open_photo(photo).shown("0.5")
    assert visit.text("#status").startswith(f"200 {TIMES} 150 in ")
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


def test_the_last_of_many_values_wins(url: str, browser: Any, models: Path, tmp_path: Path):
    image = noisy_crop(300, 400)
    context = browser.new_context()
    context.add_init_script(COUNT_TASKS)
    visit = Visit(context.new_page())
    visit.page.goto(url)
    visit.ready().open_photo(save_image(tmp_path / "photo.png", image)).shown("0.5")
    visit.page.evaluate("tasks.length = 0")
    visit.slide(*(step / 100 for step in range(100)), 0.83, settled=False)
    visit.page.wait_for_timeout(30)
    visit.slide(*(step / 100 for step in range(100)), 0.27)
    visit.shown("0.27")
    assert_shows(visit.download(tmp_path), in_python(models, "denoise", image, 0.27))
    tasks = visit.page.evaluate("tasks")
    assert tasks.count("enhance") <= 8  # 202 values were asked for
    assert visit.problems == []
    context.close()


def test_while_the_slider_moves_a_part_is_shown_at_once(visit: Visit, models: Path, tmp_path: Path):
    image = np.tile(noisy_crop(200, 200), (4, 4, 1))  # many tiles on any machine
    visit.open_photo(save_image(tmp_path / "photo.png", image)).shown("0.5")
    visit.slide(0.2, settled=False)
    visit.until("document.querySelector('#status').dataset.live === '0.2'")
    assert visit.text("#status") == "Preview of the framed part"
    visit.shown("0.2")  # and then the whole, without being asked
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


def test_models_of_every_kind(visit: Visit, models: Path, photo: Path, tmp_path: Path):
    page = visit.page
    expect(page.get_by_label("Model").locator("option")).to_have_text(
        ["denoise", "one strength", "twice", "with three"]
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


def test_the_example(visit: Visit, models: Path, tmp_path: Path):
    visit.page.get_by_role("button", name="Try the example").click()
    visit.shown("0.5")
    path = visit.download(tmp_path)
    assert path.name == "an example_alpha0.50.png"
    assert_shows(path, in_python(models, "denoise", noisy_crop(64, 64), 0.5))


# Ways in.

GIVE_FILE = """([text, name, kind]) => {
    const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
    const data = new DataTransfer();
    data.items.add(new File([bytes], name, { type: "image/png" }));
    const event = kind === "paste"
        ? new ClipboardEvent("paste", { clipboardData: data, bubbles: true })
        : new DragEvent(kind, { dataTransfer: data, bubbles: true, cancelable: true });
    document.querySelector("#stage").dispatchEvent(event);
}"""


@pytest.mark.parametrize("way", ["drop", "paste"])
def test_a_photograph_is_dropped_or_pasted(visit: Visit, photo: Path, way: str):
    data = base64.b64encode(photo.read_bytes()).decode()
    if way == "drop":
        visit.page.evaluate(GIVE_FILE, [data, "my.png", "dragover"])
        expect(visit.page.get_by_text("Drop it here")).to_be_visible()
    visit.page.evaluate(GIVE_FILE, [data, "my.png", way])
    visit.shown("0.5")
    expect(visit.page.get_by_text("Drop it here")).not_to_be_visible()
    assert visit.page.get_by_role("img", name="my.png, before and after at a blend of 0.50").is_visible()


def test_a_photograph_is_chosen(visit: Visit, photo: Path):
    with visit.page.expect_file_chooser() as waiting:
        visit.page.get_by_role("button", name="Choose a photograph").click()
    waiting.value.set_files(photo)
    visit.shown("0.5")
    with visit.page.expect_file_chooser() as waiting:
        visit.page.get_by_role("button", name="Another photograph").click()
    waiting.value.set_files(photo)  # the same again
    visit.until("document.querySelector('#status').dataset.shown === undefined")
    visit.shown("0.5")


def test_nothing_leaves_the_page(visit: Visit, url: str, photo: Path, tmp_path: Path):
    methods: list[str] = []
    visit.page.on("request", lambda request: methods.append(request.method))
    visit.open_photo(photo).shown("0.5")
    visit.download(tmp_path)
    assert visit.requests
    assert all(request.startswith((url, "blob:", "data:")) for request in visit.requests)
    assert set(methods) <= {"GET"}
    # And it could not if it wanted to.
    blocked = visit.page.evaluate("fetch('http://127.0.0.1:9/').then(() => 'sent', (error) => error.name)")
    assert blocked == "TypeError"
    assert any("Content Security Policy" in problem for problem in visit.problems)
    visit.problems.clear()


# Errors.


def test_files_that_are_no_image(visit: Visit, photo: Path, tmp_path: Path):
    text = tmp_path / "letter.txt"
    text.write_text("dear")
    visit.open_photo(text)
    alert = visit.page.get_by_role("alert")
    expect(alert).to_have_text(
        "letter.txt (text/plain) is not an image that this browser can read; try JPEG, PNG, WebP or AVIF"
    )
    damaged = tmp_path / "damaged.png"
    damaged.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(50))
    visit.open_photo(damaged)
    expect(alert).to_contain_text("damaged.png (image/png) is not an image")
    visit.open_photo(photo).shown("0.5")
    expect(alert).to_be_hidden()


def broken_site(url_site: Path, folder: Path, *missing: str) -> Path:
    site = folder / "broken"
    shutil.copytree(url_site, site, copy_function=lambda a, b: Path(b).symlink_to(a))
    for name in missing:
        (site / name).unlink()
    return site


@pytest.fixture(scope="module")
def small_site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("small")
    paths = [save(conv_stack(), folder / f"{name}.onnx") for name in ("first", "second")]
    return make_site(folder, *paths)


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        (
            "models/first.onnx",
            "first could not be loaded: .*models/first.onnx cannot be loaded: the server answered 404",
        ),
        (
            "models/first.json",
            "first could not be loaded: .*models/first.json cannot be loaded: the server answered 404",
        ),
        ("dni/ort/ort-wasm-simd-threaded.wasm", "first could not be loaded: "),
        ("dni/ort/ort.wasm.min.mjs", "first could not be loaded: "),
        ("dni/worker.js", "first could not be loaded: the worker failed: its code cannot be loaded"),
        ("site.json", "This page could not start: site.json cannot be loaded: the server answered 404"),
    ],
)
def test_missing_files_are_told(
    small_site: Path,
    browser: Any,
    photo: Path,
    tmp_path: Path,
    missing: str,
    message: str,
):
    with plain_host(broken_site(small_site, tmp_path, missing)) as address, visiting(browser, address) as visit:
        expect(visit.page.get_by_role("alert")).to_have_text(re.compile(message), timeout=20_000)
        if missing.startswith("models"):  # another model still works
            visit.page.get_by_label("Model").select_option("second")
            visit.ready().open_photo(photo).shown("0.5")
            expect(visit.page.get_by_role("alert")).to_be_hidden()
        visit.problems.clear()  # the browser's own words about the 404


def test_no_webgpu_is_told(visit: Visit, photo: Path):
    page = visit.page
    visit.open_photo(photo).shown("0.5")
    page.get_by_text("How it runs").click()
    assert visit.text("#engine").startswith("Runs on WebAssembly, ")
    assert "no WebGPU: " in visit.text("#engine")
    page.get_by_label("Run on").select_option("WebGPU")
    expect(page.get_by_role("alert")).to_contain_text("denoise could not be loaded: WebGPU cannot be used: ")
    expect(page.get_by_role("button", name="Download")).to_be_disabled()
    page.get_by_label("Run on").select_option("WebAssembly")
    visit.ready().shown("0.5")
    expect(page.get_by_role("alert")).to_be_hidden()


def test_a_host_without_headers_and_a_folder_of_it(small_site: Path, browser: Any, photo: Path):
    with (
        plain_host(small_site.parent) as address,
        visiting(browser, f"{address}{small_site.name}/") as visit,
    ):
        visit.ready().open_photo(photo).shown("0.5")
        engine = visit.page.locator("#engine").text_content()
        assert "1 thread" in engine
        assert "one thread only, as the server sends no COOP and COEP headers" in engine


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
def test_it_is_accessible_and_fits(url: str, browser: Any, photo: Path, scheme: str, viewport: Any):
    with visiting(browser, url, viewport=viewport, color_scheme=scheme) as visit:
        page = visit.ready().page
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
