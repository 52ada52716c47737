"""What strangers call things, and the pictures that they send, in the page: shown as text, or refused in a sentence."""

import re
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx_models import METADATA, conv_stack, save
from photographs import noisy_crop, save_image
from playwright.sync_api import expect
from web_browser import Visit, visiting
from web_measures import chromium_mb
from web_sites import make_site, plain_host, served

from dni_deploy.ship.web.headers import POLICY, headers_file
from dni_runtime import Endpoint

SCRIPT = "</title></script><script>window.__pwned = 1</script><img src=x onerror='window.__pwned = 2'>"
ATTRIBUTE = "\"'><svg onload='window.__pwned = 3'>${window.__pwned = 4}javascript:window.__pwned=5"
TIMES = "\N{MULTIPLICATION SIGN}"


def renamed(model: onnx.ModelProto, names: dict[str, str]) -> onnx.ModelProto:
    """The same network with other names for some tensors."""
    for value in (*model.graph.input, *model.graph.output):
        value.name = names.get(value.name, value.name)
    for node in model.graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
    return model


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("names")
    endpoints = (Endpoint(f"{SCRIPT}.pth", "0"), Endpoint(f"{ATTRIBUTE}.pth", "1"))
    named = replace(METADATA, endpoints=endpoints, architecture=SCRIPT + ATTRIBUTE, tool=SCRIPT, verdict=SCRIPT)
    first = renamed(conv_stack(metadata=named), {"input": SCRIPT, "output": ATTRIBUTE})
    second = renamed(conv_stack(), {"input": "__proto__", "output": "constructor"})
    third = renamed(conv_stack(), {"output": "__proto__"})
    models = [
        save(first, folder / "a&lt;b'c='d=e;.onnx"),
        save(second, folder / "__proto__.onnx"),
        save(third, folder / "constructor.onnx"),
    ]
    example = save_image(folder / "x' onerror=y ;&amp;.png", noisy_crop(40, 50))
    return make_site(folder, *models, title=SCRIPT, example=example)


@contextmanager
def watched(browser: Any, url: str) -> Iterator[Visit]:
    """A visit during which no script of anybody else runs, no window opens, and nothing elsewhere is asked for."""
    dialogs: list[str] = []
    with visiting(browser, url) as visit:
        visit.page.on("dialog", lambda dialog: dialogs.append(dialog.message))
        visit.page.context.on("page", lambda page: dialogs.append(page.url))
        yield visit
        assert visit.page.evaluate("window.__pwned") is None
        assert dialogs == []
        assert [r for r in visit.requests if not r.startswith((url, f"blob:{url}", "data:image/svg"))] == []


@pytest.fixture(params=["with headers", "without"])
def visit(site: Path, browser: Any, request: pytest.FixtureRequest) -> Iterator[Visit]:
    if request.param == "without":
        with plain_host(site) as url, watched(browser, url) as arrived:
            yield arrived
    else:
        with served("-o", site) as url, watched(browser, url) as arrived:
            yield arrived


def test_names_are_shown_as_text(visit: Visit, tmp_path: Path):
    """With many threads and with one: the page's policy is enough for ONNX Runtime, and for nobody else."""
    visit.ready()
    assert visit.page.title() == SCRIPT
    assert visit.page.locator("h1").text_content() == SCRIPT
    about = visit.page.locator("#about").text_content()
    assert about.startswith(SCRIPT + ATTRIBUTE)
    assert visit.page.locator("#verdict").text_content() == f"The pair {SCRIPT}"
    assert visit.page.locator(".ends span").first.text_content().startswith("\"'><svg onload=")
    expect(visit.page.get_by_label("Model").locator("option")).to_have_text(
        ["a&lt;b'c='d=e;", "__proto__", "constructor"]
    )
    visit.page.get_by_role("button", name="Try the example").click()
    visit.shown("0.5")
    assert visit.page.get_by_role(
        "img", name="x' onerror=y ;&amp;.png, before and after at a blend of 0.50"
    ).is_visible()
    assert visit.page.locator("main script, h1 *, .panel script, .panel img, [onload], [onerror]").count() == 0
    threads = visit.page.evaluate("crossOriginIsolated && Math.min(8, navigator.hardwareConcurrency)") or 1
    assert f"Runs on WebAssembly, {threads} thread" in visit.page.locator("#engine").text_content()

    photo = tmp_path / "<img src=x onerror='window.__pwned = 6'>\u202egnp.exe"
    photo.write_bytes(save_image(tmp_path / "photo.png", noisy_crop(30, 40)).read_bytes())
    visit.open_photo(photo)
    visit.until(f"document.querySelector('#status').textContent.startsWith('40 {TIMES} 30')")
    assert visit.page.locator("#canvas").get_attribute("aria-label").startswith("<img src=x onerror=")
    assert visit.download(tmp_path).name.endswith("_alpha0.50.png")


def test_names_that_mean_something_to_javascript(site: Path, browser: Any, tmp_path: Path):
    """An input may be called __proto__; an output of that name is refused by ONNX Runtime."""
    photo = save_image(tmp_path / "photo.png", noisy_crop(30, 40))
    with plain_host(site) as url, watched(browser, url) as visit:
        visit.ready().open_photo(photo).shown("0.5")
        visit.page.get_by_label("Model").select_option("__proto__")
        visit.shown("0.5").download(tmp_path)
        visit.page.get_by_label("Model").select_option("constructor")
        alert = visit.page.get_by_role("alert")
        expect(alert).to_contain_text("could not be computed: failed to call OrtRun(). ERROR_CODE: 2")


class Meta(HTMLParser):
    policy = ""

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        found = dict(attributes)
        if tag == "meta" and found.get("http-equiv") == "Content-Security-Policy":
            self.policy = found["content"] or ""


def test_page_and_headers_say_the_same(site: Path):
    parser = Meta()
    parser.feed((site / "index.html").read_text())
    assert parser.policy == POLICY
    assert (site / "_headers").read_text() == headers_file()
    assert f"/dni/*\n  Content-Security-Policy: {POLICY}\n" in headers_file()
    for word in ("unsafe-inline", "unsafe-eval'", "*", "http", "default-src 'self'"):
        assert word not in POLICY.replace("wasm-unsafe-eval'", "")


def test_the_policy_holds(site: Path, browser: Any):
    """What a hole in the page, if there were one, could not do."""
    attacks = [
        "document.body.append(Object.assign(document.createElement('script'), { text: 'window.__pwned = 1' }))",
        "document.body.innerHTML += '<img src=data:, onerror=window.__pwned=2>'",
        "setTimeout('window.__pwned = 3')",
        "fetch('http://127.0.0.1:9/').then(() => window.__pwned = 4, () => 0)",
        "new Worker(URL.createObjectURL(new Blob(['fetch(\"http://127.0.0.1:9/\")'])))",
    ]
    with plain_host(site) as url, watched(browser, url) as visit:
        visit.ready()
        for attack in attacks:
            visit.problems.clear()
            visit.page.evaluate(f"() => {{ {attack}; }}")
            visit.page.wait_for_timeout(100)
            assert any("Content Security Policy" in problem for problem in visit.problems), attack
        visit.problems.clear()
        visit.requests.clear()  # they are told of, though they were never sent


# Pictures.


def png(width: int, height: int, data: bytes = b"") -> bytes:
    """A grey PNG of black pixels, or of `data` instead."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    if not data:
        packer = zlib.compressobj(9)
        data = b"".join(packer.compress(bytes(1 + width)) for _ in range(height)) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


SVG = b"""<svg xmlns="http://www.w3.org/2000/svg" width="50" height="50" onload="window.__pwned = 1">
<script>window.__pwned = 1; parent.__pwned = 1; fetch("http://127.0.0.1:9/")</script>
<image href="http://127.0.0.1:9/x.png" width="9" height="9"/><rect width="9" height="9"/></svg>"""
NO_IMAGE = "is not an image that this browser can read; try JPEG, PNG, WebP or AVIF"
PICTURES = {
    "wide.png": (png(60_000, 60_000, zlib.compress(bytes(99))), f"wide.png (image/png) {NO_IMAGE}"),
    "many.png": (png(9_000, 9_000), f"many.png has 9000 {TIMES} 9000 pixels; at most 64 million, 16384 along a side"),
    "long.png": (png(20_000, 2), f"long.png has 20000 {TIMES} 2 pixels; at most 64 million, 16384 along a side, fit"),
    "short.png": (png(100, 100)[:-30], f"short.png (image/png) {NO_IMAGE}"),
    "few rows.png": (png(100, 100, zlib.compress(bytes(101 * 50))), f"few rows.png (image/png) {NO_IMAGE}"),
    "drawn.svg": (SVG, f"drawn.svg (image/svg+xml) {NO_IMAGE}"),
    "drawn.png": (SVG, f"drawn.png (image/png) {NO_IMAGE}"),
    "nothing.png": (b"", f"nothing.png (image/png) {NO_IMAGE}"),
    "page.jpg": (b"<script>window.__pwned = 1</script>", f"page.jpg (image/jpeg) {NO_IMAGE}"),
}


@pytest.fixture(scope="module")
def open_visit(site: Path, browser: Any) -> Iterator[Visit]:
    with served("-o", site) as url, watched(browser, url) as arrived:
        yield arrived


@pytest.mark.parametrize("name", PICTURES)
def test_pictures_that_are_none(open_visit: Visit, tmp_path: Path, name: str):
    data, sentence = PICTURES[name]
    (tmp_path / name).write_bytes(data)
    before = chromium_mb(open_visit.ready())
    open_visit.open_photo(tmp_path / name)
    expect(open_visit.page.get_by_role("alert")).to_contain_text(sentence)
    assert chromium_mb(open_visit, collected=False) - before < 150
    open_visit.open_photo(save_image(tmp_path / "good.png", noisy_crop(30, 40)))
    open_visit.until("document.querySelector('#canvas').ariaLabel.startsWith('good.png, before and after')")
    expect(open_visit.page.get_by_role("alert")).to_be_hidden()


def drop(visit: Visit, *paths: Path) -> None:
    """As the system does it: with folders, too."""
    session = visit.page.context.new_cdp_session(visit.page)
    data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        session.send("Input.dispatchDragEvent", {"type": kind, "x": 300, "y": 300, "data": data})


def test_a_folder_and_a_hundred_files(open_visit: Visit, tmp_path: Path):
    alert = open_visit.ready().page.get_by_role("alert")
    (tmp_path / "folder.png").mkdir()
    drop(open_visit, tmp_path / "folder.png")
    expect(alert).to_have_text(re.compile(rf"folder\.png.* {NO_IMAGE}"))
    photos = [save_image(tmp_path / f"{number:03}.png", noisy_crop(20 + number, 30)) for number in range(100)]
    drop(open_visit, *photos)
    expect(alert).to_have_text("100 files were given; the first one is shown")
    open_visit.until(f"document.querySelector('#status').textContent.startsWith('30 {TIMES} 20 ')")
    assert open_visit.problems == ["Failed to load resource: net::ERR_FILE_NOT_FOUND"]  # what the folder holds
    open_visit.problems.clear()
