"""A real Chromium that visits pages as a person does."""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright

# Two pages of Chromium's own for its address bar, which nobody sees, are half of what each window costs. The last list
# counts: the first lines are Playwright's, without what it knows of another browser.
WITHOUT = (
    "AvoidUnnecessaryBeforeUnloadCheckSync", "DestroyProfileOnBrowserClose", "HttpsUpgrades",
    "HttpsFirstBalancedModeAutoEnable", "LensOverlay", "MediaRouter", "PaintHolding", "ThirdPartyStoragePartitioning",
    "AvoidCorsURLLoaderRestartOnRedirect", "TcpPortRandomizationWin", "OptimizationHints", "NetworkTimeServiceQuerying",
    "AimEnabled", "PreconnectToSearch",
    "WebUIOmniboxPopup", "WebUIOmniboxAimPopup",
)  # fmt: skip
FLAGS = (
    f"--disable-features={','.join(WITHOUT)}",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
WIDE = {"width": 1180, "height": 720}
TIMEOUT_MS = 60_000


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
        """Wait until `predicate` is true in the page; Playwright's own waiting needs the eval that the page forbids.

        The page asks itself, every 10 ms: each question from here would cost as much as an inference.
        """
        program = f"""async ([argument, limit]) => {{
            const isMet = () => {{
                const found = {predicate};
                return typeof found === "function" ? found(argument) : found;
            }};
            const deadline = Date.now() + limit;
            while (!isMet() && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 10));
            return Boolean(isMet());
        }}"""
        assert self.page.evaluate(program, [argument, TIMEOUT_MS]), (predicate, argument, self.problems)
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
def visiting(browser: Browser | BrowserContext, url: str, **options: Any) -> Iterator[Visit]:
    """`url` in a browser window of its own; nothing may go wrong in it that is not taken off `problems`.

    From a Browser: as somebody who was never there. From a context: as one who was, with the files still there, which
    costs half as much; the pages keep nothing else. `options`: of a context.
    """
    if isinstance(browser, Browser):
        context = browser.new_context(**{"viewport": WIDE, **options})
        with context, visiting(context, url) as visit:
            yield visit
        return
    page = browser.new_page()
    try:
        visit = Visit(page)
        page.goto(url)
        yield visit
        assert visit.problems == []
    finally:
        page.close()
