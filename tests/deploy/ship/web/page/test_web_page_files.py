"""What is opened and what is missing: dropped, pasted and broken files, hosts without headers; nothing leaves."""

import base64
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from onnx_models import conv_stack, save
from photographs import noisy_crop
from playwright.sync_api import expect
from web_browser import Visit, visiting
from web_page import assert_shows, in_python
from web_sites import make_site, plain_host


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
