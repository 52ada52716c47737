"""A slider along a path: where the endpoints lie is marked and named, and the pixels are Python's."""

from pathlib import Path
from typing import Any

from along_paths import path_model
from photographs import noisy_crop, save_image
from web_browser import visiting
from web_page import assert_shows
from web_sites import make_site, plain_host

import dni_runtime


def test_a_path_is_one_slider_with_a_mark_for_each_endpoint(
    tmp_path: Path, browser: Any, tmp_path_factory: Any
) -> None:
    model, image = path_model(tmp_path_factory.getbasetemp(), "straight"), noisy_crop(40, 50)
    with plain_host(make_site(tmp_path, model)) as url, visiting(browser, url) as visit:
        visit.ready()
        marks = visit.page.locator("#knots-0 option").evaluate_all("all => all.map((each) => [each.value, each.label])")
        names = [f"endpoint {number} ({place})" for number, place in ((1, 0), (2, 1), (3, 2), (4, 4))]
        assert marks == [[place, name] for place, name in zip("0124", names, strict=True)]
        assert visit.page.locator("#slider-0").get_attribute("list") == "knots-0"
        assert visit.page.locator("#ends-0 span").all_inner_texts() == [names[0], names[-1]]
        assert "extrapolates" not in visit.text("body")
        visit.open_photo(save_image(tmp_path / "photo.png", image)).shown("2")
        assert visit.page.locator("#slider-0").get_attribute("aria-valuetext") == names[2]
        with dni_runtime.load(model, "cpu") as ours:
            for alpha, text in ((1, "endpoint 2 (1)"), (3.4, "3.40")):
                visit.slide(alpha)
                visit.shown(f"{alpha}")
                assert visit.page.locator("#slider-0").get_attribute("aria-valuetext") == text
                assert_shows(visit.download(tmp_path), ours.enhance(image, alpha))
