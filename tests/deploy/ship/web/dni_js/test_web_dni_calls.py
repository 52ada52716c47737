"""Calls of dni.js: what it refuses, stops, closes and leaves alone; threads and WebGPU."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx_models import noise, picture
from playwright.sync_api import Error, Page
from web_browser import chromium, visiting
from web_library import FLOAT_LIMIT, assert_same_pixels, from_rgba, in_python, infer, to_rgba, use_library
from web_sites import plain_host, served

REFUSALS: list[tuple[str, str, str]] = [
    ("stack", "model.run(image, 1.2)", "alpha 1.2 is out of range; expected a finite number in 0..1"),
    ("stack", "model.run(image, NaN)", "alpha NaN is out of range"),
    ("stack", "model.run(image, '0.5')", "alpha 0.5 is out of range"),
    ("stack", "model.run(image)", "0 value(s); expected a finite number in 0..1"),
    ("three", "model.run(image, 0.5)", "1 value(s); expected 2 finite numbers, each and their sum in 0..1"),
    ("three", "model.run(image, [0.7, 0.7])", "alpha 0.7,0.7 is out of range"),
    ("knob", "model.run(image, [0.1, 0.2, 0.3])", "3 value(s); expected a finite number in 0..1, or 2 of them"),
    ("knob", "model.run(image, { late: 0.2 })", 'alpha is {"late":0.2}; expected a finite number in 0..1, or 2 of'),
    ("knob", "model.run(image, { alpha: 0.1, early: 0.2 })", 'alpha is {"alpha":0.1,"early":0.2}; expected a finite'),
    ("stack", "model.run(image, { alpha: 0.1 })", 'alpha is {"alpha":0.1}; expected a finite number in 0..1'),
    ("knob", "model.run(image, [0.1, 1.2])", "alpha 0.1,1.2 is out of range; expected a finite number in 0..1, or 2"),
    ("baked", "model.run(image, 0.2)", "alpha is 0.2; this model is baked for 0.7 and takes none"),
    ("knob_baked", "model.run(image, 0.3)", "alpha is 0.3; this model is baked for 0.3,0.8 and takes none"),
    ("knob_baked", "model.run(image, { late: 0.8 })", 'alpha is {"late":0.8}; this model is baked for 0.3,0.8'),
    ("stack", "model.run(image, 'auto')", "this model is not calibrated (dni calibrate), so nothing tells which alpha"),
    (
        "baked",
        "model.chooseAlpha(image)",
        "this model is baked, so there is no alpha to choose; give alpha as a number",
    ),
    ("calibrated_for_jpeg", "model.run(image, 'auto')", "the quality of JPEGs, which is in a file and not in pixels"),
    (
        "calibrated_for_jpeg",
        "model.run(image, 'auto', { file: new Blob(['no']) })",
        "this is no JPEG, so it has no qual",
    ),
    ("calibrated", "model.run(image, 'auto')", "12 pixels are too few to tell the noise; give alpha as a number"),
    ("stack", "model.run(image, 0.5, { tile: -1 })", "tile is -1; expected a whole number of pixels, 0 or more"),
    ("stack", "model.run(image, 0.5, { tile: 8, overlap: 4 })", "tile 8 is too small for overlap 4"),
    ("stack", "model.run(image, 0.5, { region: { x: 5, y: 0, width: 8, height: 8 } })", "expected a part of 12x12"),
    ("stack", "model.infer(new Float32Array(5), [1, 3, 1, 1], 0.5)", "expected a Float32Array of N x C x H x W values"),
    ("stack", "lib.dni.load('models/stack.onnx', { device: 'tpu' })", "expected auto, webgpu or wasm"),
    ("stack", "lib.dni.load('models/none.onnx')", "models/none.json cannot be loaded: the server answered 404"),
    ("stack", "lib.dni.load('site.json')", "site.json does not describe a model"),
    (
        "stack",
        "lib.dni.load('models/none.onnx', { metadata: model.metadata })",
        "models/none.onnx cannot be loaded: the server answered 404",
    ),
    ("stack", "lib.dni.load('index.html', { metadata: model.metadata })", "protobuf"),
]


@pytest.mark.parametrize(("name", "call", "message"), REFUSALS)
def test_what_it_refuses(page: Page, name: str, call: str, message: str):
    program = f"""async (name) => {{
        const model = await lib.model(`models/${{name}}.onnx`);
        const image = new ImageData(12, 12);
        await {call};
    }}"""
    with pytest.raises(Error) as caught:
        page.evaluate(program, name)
    assert message in str(caught.value)


def test_the_output_has_to_be_a_picture(page: Page):
    """Metadata that does not fit the network: told, not shown."""
    program = """async ([changes, image]) => {
        const { metadata } = await lib.model("models/stack.onnx");
        const model = await lib.dni.load("models/stack.onnx", { metadata: { ...metadata, ...changes } });
        try { await model.run(lib.image(image), 0.5); } finally { model.close(); }
    }"""
    image = to_rgba(picture(12, 12, 3))
    with pytest.raises(Error, match="the network made 12x12 pixels of 12x12; expected 24x24"):
        page.evaluate(program, [{"scale": [2, 1]}, image])
    with pytest.raises(Error, match="NaN"):
        page.evaluate(program.replace("{ ...metadata, ...changes }", "{ ...metadata, range: [NaN, 1] }"), [{}, image])


def test_an_aborted_run_ends_between_two_tiles(page: Page):
    answer = page.evaluate(
        """async () => {
            const model = await lib.model("models/stack.onnx");
            const image = new ImageData(200, 200);
            const control = new AbortController();
            const seen = [];
            const onProgress = (done, total) => { seen.push([done, total]); if (done === 2) control.abort(); };
            const error = await model.run(image, 0.5, { tile: 16, onProgress, signal: control.signal }).catch((e) => e);
            const after = await model.run(image, 0.5, { tile: 0 });
            const early = await model.run(image, 0.5, { signal: AbortSignal.abort() }).catch((e) => e);
            return { seen, names: [error.name, early.name], width: after.width };
        }"""
    )
    assert answer["names"] == ["AbortError", "AbortError"]
    assert answer["seen"][-1][0] == 2
    assert answer["seen"][0][1] > 100
    assert answer["width"] == 200


def test_calls_at_the_same_time_do_not_mix(page: Page, models: Path):
    image = picture(30, 30, 3)
    alphas = [0.0, 0.25, 0.5, 0.75, 1.0]
    answers = page.evaluate(
        """async ([image, alphas]) => {
            const model = await lib.model("models/stack.onnx");
            return Promise.all(alphas.map(async (a) => lib.plain(await model.run(lib.image(image), a, { tile: 16 }))));
        }""",
        [to_rgba(image), alphas],
    )
    with in_python(models, "stack") as model:
        for alpha, answer in zip(alphas, answers, strict=True):
            assert_same_pixels(from_rgba(answer), model.enhance(image, alpha))


def test_a_closed_model_says_so(page: Page):
    answer = page.evaluate(
        """async () => {
            const model = await lib.dni.load("models/stack.onnx");
            const running = model.run(new ImageData(300, 300), 0.5).catch((error) => error.message);
            model.close();
            return [await running, await model.run(new ImageData(3, 3), 0.5).catch((error) => error.message)];
        }"""
    )
    assert answer == ["the model was closed"] * 2


def test_the_image_of_the_caller_is_left_alone(page: Page):
    assert page.evaluate(
        """async () => {
            const image = new ImageData(new Uint8ClampedArray(4 * 9 * 9).fill(77), 9, 9);
            const model = await lib.model("models/double.onnx");
            await model.run(image, 0.5);
            await model.run(image, 0.5, { region: { x: 1, y: 1, width: 4, height: 4 } });
            return image.data.length === 4 * 81 && image.data.every((value) => value === 77);
        }"""
    )


# Where it runs.


def test_threads_need_the_headers_and_change_nothing(page: Page, site: Path, models: Path, browser: Any):
    x = noise(1, 3, 40, 40)
    with in_python(models, "denoise") as model:
        expected = model(x, 0.4)
    url = "models/denoise.onnx"
    result = infer(page, url, x, 0.4, {"threads": 3})
    assert page.evaluate(f"async () => (await lib.model('{url}', {{ threads: 3 }})).threads") == 3
    assert np.abs(result - expected).max() < FLOAT_LIMIT
    # A host that sends no headers, and the site in a folder of it.
    with plain_host(site.parent) as address, visiting(browser, f"{address}site/index.html") as visit:
        use_library(visit.page)
        result = infer(visit.page, url, x, 0.4, {"threads": 3})
        assert visit.page.evaluate(f"async () => (await lib.model('{url}', {{ threads: 3 }})).threads") == 1
        assert np.abs(result - expected).max() < FLOAT_LIMIT


def test_webgpu_is_asked_for_in_vain(page: Page):
    with pytest.raises(Error, match=r"WebGPU cannot be used: .*; choose WebAssembly"):
        page.evaluate("async () => lib.dni.load('models/stack.onnx', { device: 'webgpu' })")
    told = page.evaluate("async () => { const m = await lib.model('models/stack.onnx'); return [m.device, m.note]; }")
    assert told[0] == "wasm"
    assert told[1].startswith("no WebGPU: ")


# A graphics processor made of software: slow, but the same code runs as on a real one.
WEBGPU_FLAGS = (
    "--enable-unsafe-webgpu",
    "--use-webgpu-adapter=swiftshader",
    "--enable-features=Vulkan",
    "--use-vulkan=swiftshader",
    "--disable-gpu-compositing",  # it is for the network, not for the page
    "--js-flags=--liftoff-only",  # and to optimize WebAssembly that hardly runs takes a third of the time
)


def test_webgpu_gives_pythons_numbers_too(site: Path, models: Path, browser: Any):
    x, image = noise(1, 3, 20, 24), picture(31, 27, 3)
    with (
        chromium(*WEBGPU_FLAGS, drop=("--disable-gpu",), beside=browser) as with_gpu,
        served("-o", site) as address,
        visiting(with_gpu, address) as visit,
    ):
        use_library(visit.page)
        for name, alphas in (("denoise", (0.0, 0.4, 1.0)), ("unet", (0.3,))):
            with in_python(models, name) as model:
                for alpha in alphas:
                    result = infer(visit.page, f"models/{name}.onnx", x, alpha, {"device": "webgpu"})
                    assert np.abs(result - model(x, alpha)).max() < FLOAT_LIMIT
        told = visit.page.evaluate(
            """async (image) => {
                const model = await lib.model("models/double.onnx", { device: "webgpu" });
                const result = lib.plain(await model.run(lib.image(image), 0.3));
                const other = await lib.dni.load("models/stack.onnx");
                return { device: model.device, result, automatic: other.device, note: other.note };
            }""",
            to_rgba(image),
        )
    assert (told["device"], told["automatic"]) == ("webgpu", "wasm")
    assert told["note"] == "no WebGPU: it would run on the processor"
    with in_python(models, "double") as model:
        assert_same_pixels(from_rgba(told["result"]), model.enhance(image, 0.3))
