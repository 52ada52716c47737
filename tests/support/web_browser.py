"""A real Chromium and real sites for it: what the tests of the page share."""

import base64
import json
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

from dni_deploy.ship import ship_web

ROOT = Path(__file__).parents[2]
NPM = ROOT / ".npm" / "node_modules"
FLAGS = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
WIDE = {"width": 1180, "height": 720}
TIMEOUT_MS = 60_000

Image = NDArray[np.uint8]


def npm_package(name: str) -> Path:
    """The folder of an npm package that the tests need."""
    if not (NPM / name).is_dir():
        pytest.fail(f"{NPM / name} is missing; make it with: make .npm/.done")
    return NPM / name


@contextmanager
def chromium(*flags: str, drop: tuple[str, ...] = (), beside: Browser | None = None) -> Iterator[Browser]:
    """Debian's Chromium, headless, without a sandbox (a container's root cannot have one).

    `beside`: one that runs already; Playwright itself cannot be started twice.
    """
    program = shutil.which("chromium")
    if program is None:
        pytest.fail("chromium is missing; install the package chromium, as .ci/run does")
    chosen = [flag for flag in [*FLAGS, *flags] if flag not in drop]
    with ExitStack() as stack:
        kind = beside.browser_type if beside else stack.enter_context(sync_playwright()).chromium
        browser = kind.launch(executable_path=program, args=chosen, chromium_sandbox=False)
        try:
            yield browser
        finally:
            browser.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One for a module: longer, Playwright's event loop would be in the way of tests that run their own."""
    with chromium() as running:
        yield running


class Visit:
    """A page, and what it said and asked for meanwhile."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.problems: list[str] = []
        self.requests: list[str] = []
        page.set_default_timeout(TIMEOUT_MS)
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on("console", self._on_console)
        page.on("request", lambda request: self.requests.append(request.url))

    def _on_console(self, message: ConsoleMessage) -> None:
        # That is Chromium's comment on a machine without a graphics processor.
        if message.type in ("error", "warning") and "No available adapters" not in message.text:
            self.problems.append(message.text)

    def ready(self) -> "Visit":
        """Wait until a model is loaded."""
        return self.until("document.querySelector('#engine').textContent !== ''")

    def shown(self, alpha: str) -> "Visit":
        """Wait until the whole picture at `alpha` is on screen."""
        return self.until("a => document.querySelector('#status').dataset.shown === a", alpha)

    def until(self, predicate: str, argument: Any = None) -> "Visit":
        """Wait until `predicate` is true in the page; Playwright's own waiting needs the eval that the page forbids."""
        deadline = time.monotonic() + TIMEOUT_MS / 1000
        while not self.page.evaluate(predicate, argument):
            assert time.monotonic() < deadline, (predicate, argument, self.problems)
            self.page.wait_for_timeout(10)
        return self

    def text(self, selector: str) -> str:
        return self.page.locator(selector).inner_text()

    def open_photo(self, path: Path) -> "Visit":
        self.page.locator("#file").set_input_files(path)
        return self

    def slide(self, *alphas: float, settled: bool = True, index: int = 0) -> None:
        """Move the slider over `alphas`, as fast as events can come, and let go of it."""
        self.page.locator(f"#slider-{index}").evaluate(
            """(slider, [alphas, settled]) => {
                for (const alpha of alphas) {
                    slider.value = alpha;
                    slider.dispatchEvent(new Event("input", { bubbles: true }));
                }
                if (settled) slider.dispatchEvent(new Event("change", { bubbles: true }));
            }""",
            [list(alphas), settled],
        )

    def download(self, folder: Path) -> Path:
        with self.page.expect_download() as waiting:
            self.page.get_by_role("button", name="Download").click()
        path = folder / waiting.value.suggested_filename
        waiting.value.save_as(path)
        return path


@contextmanager
def visiting(browser: Browser, url: str, **options: Any) -> Iterator[Visit]:
    """`url` in a browser window of its own; nothing may go wrong in it that is not taken off `problems`."""
    context = browser.new_context(**{"viewport": WIDE, **options})
    try:
        visit = Visit(context.new_page())
        visit.page.goto(url)
        yield visit
        assert visit.problems == []
    finally:
        context.close()


def make_site(folder: Path, *models: Path, **options: Any) -> Path:
    """A site of `models` in the new folder `folder`/site, with the installed onnxruntime-web."""
    site = folder / "site"
    ship_web(models, site, ort=npm_package("onnxruntime-web"), **{"webgpu": False, **options})
    return site


@contextmanager
def served(*arguments: object) -> Iterator[str]:
    """`dni ship web ARGUMENTS --serve` until the block ends; gives the URL."""
    program = Path(sys.executable).with_name("dni")
    command = [str(program), "ship", "web", *map(str, arguments), "--serve", "--port", "0", "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout and process.stderr
        line = process.stdout.readline()
        assert line, process.stderr.read()
        yield json.loads(line)["url"]
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
    assert process.returncode == 0


@contextmanager
def plain_host(folder: Path) -> Iterator[str]:
    """Any other static host: no headers of ours; gives the URL of `folder`."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


# Functions for pages that have loaded dni.js: images and tensors travel as text.
LIBRARY = """async () => {
    const dni = await import(new URL("dni/dni.js", document.baseURI).href);
    const toBytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
    const toText = (bytes) => {
        let text = "";
        for (let i = 0; i < bytes.length; i += 8192) text += String.fromCharCode(...bytes.subarray(i, i + 8192));
        return btoa(text);
    };
    const models = new Map();
    window.lib = {
        dni, toBytes, toText,
        async model(url, options = {}) {
            const key = url + JSON.stringify(options);
            if (!models.has(key)) models.set(key, await dni.load(url, options));
            return models.get(key);
        },
        image: ({ width, height, data }) => new ImageData(new Uint8ClampedArray(toBytes(data).buffer), width, height),
        plain: ({ width, height, data }) => ({ width, height, data: toText(data) }),
    };
}"""


def use_library(page: Page) -> None:
    page.evaluate(LIBRARY)


def to_rgba(image: Image) -> dict[str, Any]:
    """An image as Python has it, as ImageData has it."""
    pixels = np.full((*image.shape[:2], 4), 255, np.uint8)
    planes = image[:, :, None] if image.ndim == 2 else image
    pixels[:, :, : 4 if planes.shape[2] == 4 else 3] = planes
    return {
        "width": image.shape[1],
        "height": image.shape[0],
        "data": base64.b64encode(pixels.tobytes()).decode(),
    }


def from_rgba(answer: dict[str, Any]) -> Image:
    data = np.frombuffer(base64.b64decode(answer["data"]), np.uint8)
    return data.reshape(answer["height"], answer["width"], 4)


def run(page: Page, url: str, image: Image, alpha: Any, options: dict[str, Any] | None = None) -> Image:
    """`model.run` of dni.js; grey images are told to be so."""
    answer = page.evaluate(
        """async ([url, image, alpha, options]) => {
            const model = await lib.model(url);
            return lib.plain(await model.run(lib.image(image), alpha, options));
        }""",
        [url, to_rgba(image), alpha, {"grey": image.ndim == 2, **(options or {})}],
    )
    return from_rgba(answer)


def infer(page: Page, url: str, x: NDArray[np.float32], alpha: Any, load: dict[str, Any] | None = None) -> Any:
    """`model.infer` of dni.js: float32 (N, C, H, W) in and out."""
    answer = page.evaluate(
        """async ([url, text, dims, alpha, load]) => {
            const model = await lib.model(url, load);
            const { data, dims: out } = await model.infer(new Float32Array(lib.toBytes(text).buffer), dims, alpha);
            return [lib.toText(new Uint8Array(data.buffer, data.byteOffset, data.byteLength)), out];
        }""",
        [url, base64.b64encode(x.tobytes()).decode(), list(x.shape), alpha, load or {}],
    )
    return np.frombuffer(base64.b64decode(answer[0]), np.float32).reshape(answer[1])


def assert_same_pixels(result: Any, expected: Any) -> None:
    """At most 1 of 255 apart, and seldom that: the last bit of a float decides at .5."""
    reference = from_rgba(to_rgba(expected))
    assert result.shape == reference.shape
    difference = np.abs(result.astype(int) - reference.astype(int))
    assert difference.max() <= 1
    assert (difference > 0).mean() < 1e-3
