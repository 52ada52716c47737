"""A slider for each knob, which no other slider moves; the pixels are Python's."""

from pathlib import Path
from typing import Any

from onnx_models import save
from photographs import noisy_crop, save_image
from web_browser import visiting
from web_page import assert_shows
from web_sites import make_site, plain_host
from with_knobs import with_knob

import dni_runtime


def test_each_knob_has_a_slider_of_its_own(tmp_path: Path, browser: Any) -> None:
    (tmp_path / "models").mkdir()
    model, image = save(with_knob(), tmp_path / "models" / "two.onnx"), noisy_crop(40, 50)
    with plain_host(make_site(tmp_path, model)) as url, visiting(browser, url) as visit:
        visit.ready()
        assert visit.page.locator("label[for^=slider]").all_inner_texts() == ["All others", "late"]
        assert visit.page.locator("fieldset legend").all_inner_texts() == ["Blends"]
        assert "Share of" not in visit.text("body")
        visit.open_photo(save_image(tmp_path / "photo.png", image)).shown("0.5,0.5")
        with dni_runtime.load(model, "cpu") as ours:
            visit.slide(1)
            visit.shown("1,0.5")
            visit.slide(0.9, index=1)
            visit.shown("1,0.9")
            assert_shows(visit.download(tmp_path), ours.enhance(image, {"alpha": 1, "late": 0.9}))
