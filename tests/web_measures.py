"""How long and how much, in a page that runs in Chromium: what tests and benchmarks of it share."""

import os

import psutil
from web_browser import Visit


def renderer_mb(visit: Visit) -> float:
    """Resident memory of this page's own process, its worker and what WebAssembly took included."""
    visit.page.request_gc()
    (page_process,) = [p for p in chromium_processes() if "--type=renderer" in p.cmdline() and is_ours(p)]
    return page_process.memory_info().rss / 1e6


def chromium_processes() -> list[psutil.Process]:
    return [p for p in psutil.Process(os.getpid()).children(recursive=True) if "chromium" in p.name()]


def is_ours(process: psutil.Process) -> bool:
    """Not a spare renderer that Chromium keeps ready."""
    return process.memory_info().rss > 130e6


def move_ms(visit: Visit, alpha: float) -> float:
    """From the slider's event to the result on the canvas."""
    return visit.page.evaluate(
        """async (alpha) => {
            const status = document.querySelector("#status");
            const slider = document.querySelector("#slider-0");
            const start = performance.now();
            slider.value = alpha;
            slider.dispatchEvent(new Event("input"));
            const wanted = String(Number(slider.value));
            await new Promise((resolve) => {
                const seen = () => status.dataset.shown === wanted && resolve();
                new MutationObserver(seen).observe(status, { attributes: true, childList: true });
            });
            return performance.now() - start;
        }""",
        round(alpha, 2),
    )


def inference_ms(visit: Visit, alpha: float) -> float:
    """One call of the network alone, on as many pixels."""
    return visit.page.evaluate(
        """async (alpha) => {
            const model = await lib.model("models/denoise.onnx");
            const { inferenceMs } = await model.stream(new ImageData(256, 256), alpha, { tile: 0 });
            return inferenceMs;
        }""",
        alpha,
    )
