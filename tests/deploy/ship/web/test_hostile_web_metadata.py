"""A model.json from a stranger: dni.js and the page say what is wrong with it, and take no memory for it."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from onnx_models import conv_stack, save
from photographs import noisy_crop, save_image
from playwright.sync_api import Error, Page, expect
from web_browser import visiting
from web_library import use_library
from web_sites import make_site, plain_host

HUGE = "9" * 400
REMEDY = "does not describe a model that can run: "


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("metadata")
    return make_site(folder, save(conv_stack(), folder / "stack.onnx"), save(conv_stack(), folder / "zzz good.onnx"))


@pytest.fixture(scope="module")
def page(site: Path, browser: Any) -> Iterator[Page]:
    with plain_host(site) as url, visiting(browser, url) as visit:
        visit.ready()
        use_library(visit.page)
        yield visit.page


def changed(about: Any, field: str, value: str) -> str:
    """The JSON of `about` with `field` (names with dots between) written as `value`; left out where that is empty."""
    if not field:  # two that do not go together
        return json.dumps(about | {"scale": [1, 64], "size": {"multiple": 63, "minimum": 1}})
    *outer, last = field.split(".")
    about = json.loads(json.dumps(about))
    inner = about
    for name in outer:
        inner = inner[name]
    inner[last] = "PLACE"
    if not value:
        del inner[last]
    return json.dumps(about).replace('"PLACE"', value)


def curve(kind: str, levels: Any, alphas: Any) -> str:
    return json.dumps({"kind": kind, "levels": levels, "alphas": alphas})


NOT_WHOLE = "expected a whole number in 1..1024"
NO_SPAN = "expected two numbers in -1000000..1000000, the second larger by 0.000001 or more"
NO_SCALE = "expected [numerator, denominator] of a number in 1/64..64"
NO_SHAPE = "expected [N, 1 or 3, H, W], each but the second null or at most 4096"
WRONG: list[tuple[str, str, str]] = [
    ("alpha.knots", "[1, 0, 0.5]", "alpha.knots is [1, 0, 0.5]; expected a place for each endpoint, and the ends of"),
    ("alpha.knots", "[1, 0.5]", "alpha.knots is [1, 0.5]; expected a place for each endpoint"),
    ("alpha.knots", '[1, "0"]', 'alpha.knots is [1, "0"]; expected a list of numbers, or null'),
    ("scale", "[0, 1]", f"scale is [0, 1]; {NO_SCALE}"),
    ("scale", "[-1, 1]", f"scale is [-1, 1]; {NO_SCALE}"),
    ("scale", "[1, 0]", f"scale is [1, 0]; {NO_SCALE}"),
    ("scale", "[1, 2.5]", f"scale is [1, 2.5]; {NO_SCALE}"),
    ("scale", "[1000000000000000000, 1]", NO_SCALE),
    ("scale", "[65, 1]", NO_SCALE),
    ("scale", '["2", 1]', f'scale is ["2", 1]; {NO_SCALE}'),
    ("scale", '"2"', NO_SCALE),
    ("scale", "[2]", NO_SCALE),
    ("scale", "", f"scale is missing; {NO_SCALE}"),
    ("size.multiple", "0", f"size.multiple is 0; {NOT_WHOLE}"),
    ("size.multiple", "1000000000", f"size.multiple is 1000000000; {NOT_WHOLE}"),
    ("size.multiple", "2.5", f"size.multiple is 2.5; {NOT_WHOLE}"),
    ("size.multiple", "-4", NOT_WHOLE),
    ("size.multiple", '"4"', f'size.multiple is "4"; {NOT_WHOLE}'),
    ("size.multiple", "true", NOT_WHOLE),
    ("size.multiple", HUGE, f"size.multiple is Infinity; {NOT_WHOLE}"),
    ("size.minimum", "1e9", f"size.minimum is 1000000000; {NOT_WHOLE}"),
    ("size.minimum", "null", f"size.minimum is null; {NOT_WHOLE}"),
    ("size", "", "size is missing; expected an object"),
    ("size", "[4, 8]", "size.multiple is missing"),
    ("overlap", "-1", "overlap is -1; expected a whole number in 0..1024, or null"),
    ("overlap", "1e400", "overlap is Infinity"),
    ("range", "[1, 1]", f"range is [1, 1]; {NO_SPAN}"),
    ("range", "[1, 0]", NO_SPAN),
    ("range", '["0", "1"]', f'range is ["0", "1"]; {NO_SPAN}'),
    ("range", "[0, 1e400]", f"range is [0, Infinity]; {NO_SPAN}"),
    ("range", "[0]", NO_SPAN),
    ("alpha.range", "[1, 0]", f"alpha.range is [1, 0]; {NO_SPAN}"),
    ("alpha.range", "[0, null]", NO_SPAN),
    ("alpha.range", "[-1e300, 1e300]", NO_SPAN),
    ("alpha.default", "[7]", "alpha 7 is out of range; expected a finite number in 0..1"),
    ("alpha.default", "[0.1, 0.2]", "2 value(s); expected a finite number in 0..1"),
    ("alpha.default", '["0.5"]', 'alpha.default is ["0.5"]; expected a list of numbers, or null'),
    ("alpha.count", "1000000000", "alpha.count is 1000000000; expected a whole number in 1..256"),
    ("alpha.count", "2", "alpha.shape is [1]; expected room for 2 numbers"),
    ("alpha.shape", "[0]", "alpha.shape is [0]; expected a list of sizes"),
    ("alpha.name", "[[[[1]]]]", "alpha.name is [[...]]; expected a text"),
    ("alpha", '"yes"', 'alpha is "yes"; expected an object'),
    ("pinned", '"0.5"', "pinned is"),
    ("endpoints", '"ab"', "endpoints is"),
    ("endpoints", json.dumps(["e"] * 1000), 'endpoints is ["e", "e", "e", "e", ...]; expected a list of texts, 256'),
    ("architecture", '{"a": 1}', "architecture is an object; expected a text"),
    ("verdict", '["blends"]', 'verdict is ["blends"]; expected a text of at most 1000 characters, or null'),
    ("verdict", json.dumps("x" * 1001), "expected a text of at most 1000 characters, or null"),
    *(
        ("calibration", text, "expected {kind, levels, alphas} with 256 rising levels at most and an alpha for each")
        for text in (
            "5",
            "[]",
            "{}",
            curve("blur", [5, 9], [1, 0]),
            curve("constructor", [5, 9], [1, 0]),
            curve("noise", [5], [1]),
            curve("noise", [9, 5], [1, 0]),
            curve("noise", [5, 256], [1, 0]),
            curve("jpeg", [0, 50], [1, 0]),
            curve("noise", [5, 9], [1]),
            curve("noise", [5, 9], [1, "0"]),
            curve("noise", [*range(257)], [0] * 257),
            curve("noise", "ab", "cd"),
        )
    ),
    ("calibration", curve("noise", [5, 9], [1.5, 0]), "alpha 1.5 is out of range; expected a finite number in 0..1"),
    ("input.shape", "[1, 3, 100000, 100000]", f"input.shape is [1, 3, 100000, 100000]; {NO_SHAPE}"),
    ("input.shape", "[1, 4, null, null]", NO_SHAPE),
    ("input.shape", "[1, 3, 0, 0]", NO_SHAPE),
    ("input.shape", "[1, 3]", NO_SHAPE),
    ("input", '{"__proto__": {"name": "input", "shape": [1, 3, 8, 8]}}', "input.name is missing; expected a text"),
    ("output", "null", "output is null; expected an object"),
    ("", "", "with size.multiple, of 4032"),
    ("output", "[" * 50_000 + "]" * 50_000, "output.name is missing"),
]


def test_every_field_is_checked(page: Page, site: Path):
    """Each in a file of its own, but loaded in one go; the sentence names field, value and what was expected."""
    about = json.loads((site / "models" / "stack.json").read_text())
    texts = [changed(about, field, value) for field, value, _ in WRONG]
    told = page.evaluate(
        """async (texts) => {
            const { checkMetadata } = await import(new URL("dni/metadata.js", document.baseURI).href);
            const tell = (text) => { try { checkMetadata(JSON.parse(text), "m.json"); return null; }
                                     catch (error) { return error.message; } };
            return texts.map(tell);
        }""",
        texts,
    )
    wrong = [
        (field, value[:60], got)
        for (field, value, message), got in zip(WRONG, told, strict=True)
        if got is None or not got.startswith(f"m.json {REMEDY}") or message not in got or len(got) > 300
    ]
    assert wrong == []


NO_METADATA = [
    ("null", "does not describe a model in format 1; write the site again with dni ship web"),
    ("[]", "does not describe a model in format 1"),
    ('"text"', "does not describe a model in format 1"),
    ("{}", "does not describe a model in format 1"),
    ('{"format": 2}', "does not describe a model in format 1"),
    ('{"__proto__": {"format": 1}}', "does not describe a model in format 1"),
    ('{"format": 1}', "name is missing; expected a text"),
    ("<!doctype html><script>window.__pwned = 1</script>", "does not describe a model in format 1"),
    ('{"format": 1, "name": "' + "a" * 9_000_000 + '"}', "case8.json cannot be loaded: it has more than 8 MB"),
    ("", "does not describe a model in format 1"),
]


@pytest.mark.parametrize("number", range(len(NO_METADATA)))
def test_what_is_no_description(page: Page, site: Path, number: int):
    text, message = NO_METADATA[number]
    (site / "models" / f"case{number}.json").write_text(text)
    with pytest.raises(Error) as caught:
        page.evaluate(f"() => lib.dni.load('models/case{number}.onnx')")
    assert message in caught.value.message
    assert page.evaluate("window.__pwned") is None


def test_what_is_allowed_runs(page: Page, site: Path):
    """The ends of what is allowed, and fields that nobody asks for."""
    about = json.loads((site / "models" / "stack.json").read_text())
    about |= {"size": {"multiple": 64, "minimum": 1024}, "more": {"__proto__": 1}, "overlap": 1024}
    about["verdict"] = "\N{ARTIST PALETTE}" * 1000  # characters, not halves of them
    size = page.evaluate(
        """async (text) => {
            const model = await lib.dni.load("models/stack.onnx", { metadata: JSON.parse(text) });
            const result = await model.run(new ImageData(10, 20), 0.5);
            model.close();
            return [result.width, result.height, Object.keys(model.metadata).includes("more")];
        }""",
        json.dumps(about),
    )
    assert size == [10, 20, False]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"size": {"multiple": 0, "minimum": 1}}, f"{REMEDY}size.multiple is 0; {NOT_WHOLE}"),
        ({"scale": [2, 1]}, "expected "),
        ({"input": {"name": "other", "shape": [None, 3, None, None]}}, "the network takes input (float32), alpha"),
    ],
    ids=["refused at once", "refused by the network's own output", "another network's"],
)
def test_the_page_says_it_and_stays_usable(
    site: Path,
    browser: Any,
    tmp_path: Path,
    changes: dict[str, Any],
    sentence: str,
):
    copy = tmp_path / "site"
    shutil.copytree(site, copy, copy_function=lambda a, b: Path(b).symlink_to(a))
    about = json.loads((site / "models" / "stack.json").read_text())
    (copy / "models" / "stack.json").unlink()
    (copy / "models" / "stack.json").write_text(json.dumps(about | changes))
    image = noisy_crop(40, 50)
    with plain_host(copy) as url, visiting(browser, url) as visit:
        visit.until("['Ready for a photograph', ''].includes(document.querySelector('#status').textContent)")
        visit.open_photo(save_image(tmp_path / "photo.png", image))
        alert = visit.page.get_by_role("alert")
        expect(alert).to_contain_text(sentence)
        assert visit.text("#status") == ""
        visit.page.get_by_label("Model").select_option("zzz good")
        visit.shown("0.5")
        expect(alert).to_be_hidden()


def test_tiles_of_one_pixel_are_not_listed_all_at_once(page: Page):
    """A network of fixed 1x1 pixels and a photograph of 64 million: four gigabytes, were each tile an entry."""
    count, first, took_mb = page.evaluate(
        """async () => {
            const { planTiles } = await import(new URL("dni/tiling.js", document.baseURI).href);
            const { Seams } = await import(new URL("dni/seams.js", document.baseURI).href);
            const size = { multiple: 1, minimum: 1 };
            const model = { input: { shape: [1, 3, 1, 1] }, scale: [1, 1], size, overlap: 2 };
            const before = performance.memory.usedJSHeapSize;
            const seams = new Seams(...planTiles(8000, 8000, model), [1, 1]);
            const { value } = seams.tiles().next();
            return [seams.count, value.map(({ start }) => start), (performance.memory.usedJSHeapSize - before) / 1e6];
        }"""
    )
    assert (count, first) == (64_000_000, [0, 0])
    assert took_mb < 100
