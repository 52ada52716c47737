"""What the page costs in Chromium on this machine, and how it looks: benchmarks/results/web_page.json, .md and .jpg.

    make .venv/.done .npm/.done && .venv/bin/python benchmarks/web_page/run.py

Needs the program chromium. Nothing is timed before the page has given Python's result.
"""

import json
import os
import statistics
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).parents[2]
sys.path[:0] = map(str, (ROOT / "tests" / "support").iterdir())  # the browser, servers and measures of the tests

from web_browser import Visit, chromium, visiting  # noqa: E402
from web_library import infer, use_library  # noqa: E402
from web_measures import chromium_mb, inference_ms, move_ms  # noqa: E402
from web_sites import make_site, served  # noqa: E402

import dni_runtime  # noqa: E402
from dni_deploy import export, read_image, write_image  # noqa: E402
from dni_deploy.bench.measuring.hardware import hardware  # noqa: E402
from dni_deploy.demo import PHOTOGRAPH_NOISY, STRONG, WEAK  # noqa: E402

RESULTS = ROOT / "benchmarks" / "results"
URL = "models/denoise.onnx"
STARTS, MOVES, CHANGES = 5, 15, 500
LARGE = (1632, 2464)
FLOAT_LIMIT = 1e-4

Image = NDArray[np.uint8]


def main() -> None:
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        model = folder / "denoise.onnx"
        export([WEAK, STRONG], model, alpha_input=True)
        site = make_site(folder, model, title="Noise, as much as you like", example=PHOTOGRAPH_NOISY)
        with served("-o", site) as url:
            found = {"cold_start_s": cold_starts(url)}
            with chromium() as browser:
                found["browser"] = f"Chromium {browser.version}"
                with visiting(browser, url) as visit:
                    found["largest_difference"] = assert_equals_python(visit.ready(), model)
                    found |= threads_of(visit) | moves(visit, folder)
                with visiting(browser, url) as visit:
                    found["changes"] = changes(visit.ready(), folder)
                with visiting(browser, url) as visit:
                    found["large"] = large(visit.ready(), folder)
    found["hardware"] = asdict(hardware())
    found["load_average"] = os.getloadavg()
    (RESULTS / "web_page.json").write_text(json.dumps(found, indent=1) + "\n")
    (RESULTS / "web_page.md").write_text(as_markdown(found))
    print(as_markdown(found))


def cold_starts(url: str) -> list[float]:
    """Seconds from the address to a model that is ready, in a browser that never saw the page."""
    seconds = []
    for _ in range(STARTS):
        with chromium() as fresh:
            start = time.perf_counter()
            with visiting(fresh, url) as visit:
                visit.ready()
                seconds.append(time.perf_counter() - start)
    return seconds


def assert_equals_python(visit: Visit, path: Path) -> float:
    use_library(visit.page)
    x = crop(256).transpose(2, 0, 1)[None].astype(np.float32) / np.float32(255)
    x = np.ascontiguousarray(x)
    with dni_runtime.load(path, "cpu") as model:
        worst = max(float(np.abs(infer(visit.page, URL, x, a) - model(x, a)).max()) for a in (0.0, 0.3, 0.5, 1.0))
    assert worst < FLOAT_LIMIT, worst
    return worst


def crop(size: int) -> Image:
    return read_image(PHOTOGRAPH_NOISY)[:size, :size]


def save(folder: Path, image: Image) -> Path:
    path = folder / f"{image.shape[1]}x{image.shape[0]}.png"
    write_image(path, image)
    return path


def threads_of(visit: Visit) -> dict[str, Any]:
    return {"threads": visit.page.evaluate(f"async () => (await lib.model('{URL}')).threads")}


def moves(visit: Visit, folder: Path) -> dict[str, Any]:
    """A slider move on 256 x 256 pixels, beside one call of the network on as many."""
    visit.open_photo(save(folder, crop(256))).shown("0.5")
    alphas = [round(0.05 + index * 0.06, 2) for index in range(MOVES)]
    pairs = [(move_ms(visit, alpha), inference_ms(visit, alpha)) for alpha in alphas]
    return {
        "move_ms": [move for move, _ in pairs],
        "inference_ms": [inference for _, inference in pairs],
        "ratio": statistics.median(move / inference for move, inference in pairs),
    }


def changes(visit: Visit, folder: Path) -> dict[str, Any]:
    """Memory of the browser while the slider moves on 128 x 128 pixels."""
    visit.open_photo(save(folder, crop(128))).shown("0.5")
    for step in range(20):
        move_ms(visit, step / 100)
    before = chromium_mb(visit)
    for step in range(CHANGES):
        move_ms(visit, (step * 37) % 100 / 100)
    return {"count": CHANGES, "before_mb": before, "after_mb": chromium_mb(visit)}


def large(visit: Visit, folder: Path) -> dict[str, Any]:
    """Four megapixels: memory, time, and how soon a part of it is shown while the slider moves."""
    photo = read_image(PHOTOGRAPH_NOISY)
    repeats = (-(-LARGE[0] // photo.shape[0]), -(-LARGE[1] // photo.shape[1]), 1)
    path = save(folder, np.tile(photo, repeats)[: LARGE[0], : LARGE[1]])
    before = chromium_mb(visit)
    start = time.perf_counter()
    visit.open_photo(path)
    peak = before
    while visit.page.locator("#status").get_attribute("data-shown") is None:
        peak = max(peak, chromium_mb(visit, collected=False))
        time.sleep(0.05)
    seconds = time.perf_counter() - start
    previews = []
    for alpha in (0.1, 0.9, 0.3, 0.7, 0.2):
        start = time.perf_counter()
        visit.slide(alpha, settled=False)
        visit.until("a => document.querySelector('#status').dataset.live === a", str(alpha))
        previews.append(1000 * (time.perf_counter() - start))
    return {"size": LARGE, "before_mb": before, "peak_mb": peak, "seconds": seconds, "preview_ms": previews}


def as_markdown(found: dict[str, Any]) -> str:
    machine, median = found["hardware"], statistics.median
    grown, wide = found["changes"], found["large"]
    rows = [
        ("cold start, empty browser to ready model", f"{median(found['cold_start_s']):.2f} s"),
        ("largest difference from Python, float32, 256x256, four alphas", f"{found['largest_difference']:.1e}"),
        ("slider moved on 256x256 to the new result on screen", f"{median(found['move_ms']):.0f} ms"),
        ("the network alone on as many pixels", f"{median(found['inference_ms']):.0f} ms"),
        ("the one over the other, median of pairs", f"{found['ratio']:.2f}"),
        (
            f"memory of all of Chromium over {grown['count']} moves",
            f"{grown['before_mb']:.0f} to {grown['after_mb']:.0f} MB",
        ),
        (f"{wide['size'][1]}x{wide['size'][0]} pixels, all of it", f"{wide['seconds']:.1f} s"),
        ("its memory, before and at most", f"{wide['before_mb']:.0f} and {wide['peak_mb']:.0f} MB"),
        ("a part of it after the slider has moved", f"{median(wide['preview_ms']):.0f} ms"),
    ]
    lines = [
        "# The page in the browser",
        "",
        f"The bundled denoiser (76 thousand parameters) in headless {found['browser']}, WebAssembly, "
        f"{found['threads']} thread(s), on {machine['processor']}, {machine['cores']} core(s), "
        f"load average {found['load_average'][1]:.1f}. Medians; `benchmarks/web_page/run.py`.",
        *_caution(found["load_average"][1], machine["cores"]),
        "",
        "| what | measured |",
        "|---|---:|",
        *(f"| {what} | {value} |" for what, value in rows),
    ]
    return "\n".join(lines) + "\n"


def _caution(load: float, cores: int) -> list[str]:
    if load < cores + 1:
        return []
    return [
        "",
        "**Other programs took most of the machine meanwhile**: times are several times too long; differences and",
        "memory stand, and the one over the other as far as both were disturbed alike.",
    ]


if __name__ == "__main__":
    main()
