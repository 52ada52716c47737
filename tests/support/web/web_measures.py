"""How long and how much, in a page that runs in Chromium: what tests and benchmarks of it share."""

import os
from contextlib import suppress

import psutil
from web_browser import Visit


def chromium_mb(visit: Visit, *, collected: bool = True) -> float:
    """Resident memory of all of Chromium's processes together; `collected`: after JavaScript's garbage is gone."""
    if collected:
        visit.page.request_gc()
    total = 0
    for process in psutil.Process(os.getpid()).children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            total += process.memory_info().rss if "chromium" in process.name() else 0
    return total / 1e6


def move_ms(visit: Visit, alpha: float) -> float:
    """From the slider's events, moved and let go, to the result on the canvas."""
    return visit.page.evaluate(
        """async (alpha) => {
            const status = document.querySelector("#status");
            const slider = document.querySelector("#slider-0");
            const start = performance.now();
            slider.value = alpha;
            slider.dispatchEvent(new Event("input"));
            slider.dispatchEvent(new Event("change"));
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
