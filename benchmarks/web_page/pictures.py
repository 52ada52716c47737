"""Pictures of the page for the README: benchmarks/results/web_page_*.jpg.

make .venv/.done .npm/.done && .venv/bin/python benchmarks/web_page/pictures.py
"""

import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path[:0] = map(str, (ROOT / "tests" / "support").iterdir())  # the browser and servers of the tests

from web_browser import Visit, chromium, visiting  # noqa: E402
from web_sites import make_site, served  # noqa: E402

from dni_deploy import export  # noqa: E402
from dni_deploy.demo import PHOTOGRAPH_NOISY, STRONG, WEAK  # noqa: E402

RESULTS = ROOT / "benchmarks" / "results"
WIDE = {"width": 1180, "height": 700}
NARROW = {"width": 390, "height": 780}
SHOTS: dict[str, dict[str, Any]] = {
    "light": {"viewport": WIDE, "color_scheme": "light"},
    "dark": {"viewport": WIDE, "color_scheme": "dark"},
    "narrow": {"viewport": NARROW, "color_scheme": "light", "has_touch": True, "device_scale_factor": 1.5},
}


def main() -> None:
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else RESULTS
    with tempfile.TemporaryDirectory() as text:
        model = Path(text) / "denoise.onnx"
        export([WEAK, STRONG], model, alpha_input=True)
        site = make_site(Path(text), model, example=PHOTOGRAPH_NOISY)
        with served("-o", site) as url, chromium() as browser:
            for name, options in SHOTS.items():
                with visiting(browser, url, **options) as visit:
                    work(visit.ready(), zoomed=name == "dark")
                    path = target / f"web_page_{name}.jpg"
                    visit.page.screenshot(path=path, type="jpeg", quality=82)
                    print(f"{path}  {path.stat().st_size / 1000:.0f} kB")


def work(visit: Visit, *, zoomed: bool) -> None:
    visit.open_photo(PHOTOGRAPH_NOISY).shown("0.5")
    visit.slide(0.4)
    visit.shown("0.4")
    if zoomed:
        visit.page.get_by_role("button", name="Zoom in").click(click_count=2)
        visit.page.mouse.click(5, 5)
    visit.page.wait_for_timeout(200)


if __name__ == "__main__":
    main()
