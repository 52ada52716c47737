"""dni.js in Chromium: the pixels that Python gives, for every kind of model and image, and what it refuses."""

import functools
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from exporting import three_endpoints
from onnx_models import METADATA, baked, conv_stack, noise, picture, save, unet
from photographs import noisy_crop
from playwright.sync_api import Error, Page
from web_browser import chromium, visiting
from web_library import assert_same_pixels, from_rgba, infer, run, to_rgba, use_library
from web_sites import make_site, plain_host, served

import dni_runtime
from dni_runtime import Metadata
from dni_runtime.images.enhance import enhance_images

FLOAT_LIMIT = 1e-4
GREY = (40, 50)
RGB = (40, 50, 3)
OPACITY = (40, 50, 4)

MODELS = {
    "stack": conv_stack,
    "double": functools.partial(conv_stack, scale=2),
    "half": functools.partial(conv_stack, scale=0.5),
    "unet": unet,
    "unet_known_reach": unet,
    "grey": functools.partial(conv_stack, channels=1),
    "grey_double": functools.partial(conv_stack, channels=1, scale=2),
    "fixed": functools.partial(conv_stack, shape=(1, 32, 24)),
    "default": functools.partial(conv_stack, alpha_default=0.25),
    "wide": functools.partial(conv_stack, metadata=replace(METADATA, alpha_range=(-0.5, 1.5))),
    "signed": functools.partial(conv_stack, metadata=replace(METADATA, value_range=(-1.0, 1.0))),
    "unknown_reach": functools.partial(conv_stack, metadata=replace(METADATA, overlap=None)),
    "baked": functools.partial(baked, 0.7),
}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory, denoiser: Path) -> Path:
    folder = tmp_path_factory.mktemp("models")
    for name, make in MODELS.items():
        save(make(), folder / f"{name}.onnx")
    (folder / "denoise.onnx").write_bytes(denoiser.read_bytes())
    (folder / "three.onnx").write_bytes(three_endpoints(tmp_path_factory.getbasetemp()).read_bytes())
    return folder


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, models: Path) -> Path:
    return make_site(tmp_path_factory.mktemp("dni"), models, webgpu=True)


@pytest.fixture(scope="module")
def page(site: Path, browser: Any) -> Iterator[Page]:
    with served("-o", site) as url, visiting(browser, url) as visit:
        use_library(visit.page)
        yield visit.page
        visit.problems[:] = [p for p in visit.problems if "status of 404" not in p]  # some are asked for in vain


def in_python(models: Path, name: str) -> dni_runtime.Model:
    return dni_runtime.load(models / f"{name}.onnx", "cpu")


@pytest.mark.parametrize("alpha", [0.0, 0.3, 0.5, 1.0])
@pytest.mark.parametrize("shape", [(1, 3, 64, 64), (2, 3, 33, 47)])
def test_floats_equal_python(page: Page, models: Path, shape: tuple[int, ...], alpha: float):
    x = noise(*shape)
    with in_python(models, "denoise") as model:
        expected = model(x, alpha)
    result = infer(page, "models/denoise.onnx", x, alpha)
    assert result.shape == expected.shape
    assert np.abs(result - expected).max() < FLOAT_LIMIT


def test_the_check_above_can_fail(page: Page, models: Path):
    x = noise(1, 3, 64, 64)
    with in_python(models, "denoise") as model:
        expected = model(x, 0.5)
    assert np.abs(infer(page, "models/denoise.onnx", x, 0.6) - expected).max() > 10 * FLOAT_LIMIT


@pytest.mark.parametrize("alpha", [0.0, 0.4, 1.0])
def test_the_denoiser_gives_pythons_picture(page: Page, models: Path, alpha: float):
    image = noisy_crop(150, 131)
    with in_python(models, "denoise") as model:
        expected = model.enhance(image, alpha)
    assert_same_pixels(run(page, "models/denoise.onnx", image, alpha), expected)


CASES: list[tuple[str, tuple[int, ...], Any, dict[str, int]]] = [
    *[(name, shape, 0.3, {}) for name in ("stack", "double", "half", "grey", "grey_double") for shape in (GREY, RGB)],
    *[(name, OPACITY, 0.3, {}) for name in ("stack", "double", "half", "grey_double")],
    ("stack", RGB, 0.3, {"tile": 16}),
    ("double", OPACITY, 0.3, {"tile": 17, "overlap": 3}),
    ("half", RGB, 0.3, {"tile": 16, "overlap": 0}),
    ("unet", (41, 53, 3), 0.3, {}),  # no multiple of 4
    ("unet", (41, 153, 3), 0.3, {"tile": 64}),
    ("unet", (3, 2, 3), 0.3, {}),  # below the minimum
    ("unet", (1, 1, 3), 0.3, {}),
    ("fixed", (70, 61, 3), 0.3, {}),
    ("fixed", (5, 6, 4), 0.3, {}),
    ("default", RGB, None, {}),
    ("default", RGB, 0.8, {}),
    ("wide", RGB, -0.5, {}),
    ("wide", RGB, 1.5, {}),
    ("signed", RGB, 0.3, {}),
    ("unknown_reach", (30, 300, 3), 0.3, {"tile": 96}),
    ("baked", RGB, None, {}),
    ("baked", RGB, 0.7, {}),
    ("three", RGB, [0.2, 0.5], {}),
    ("stack", (280, 300, 3), 0.3, {}),  # four tiles here, one in Python
    ("stack", (1030, 1040, 3), 0.3, {}),  # tiled by both, not alike
]


@pytest.mark.parametrize(("name", "shape", "alpha", "options"), CASES, ids=str)
def test_images_equal_python(
    page: Page, models: Path, name: str, shape: tuple[int, ...], alpha: Any, options: dict[str, int]
):
    image = picture(*shape)
    with in_python(models, name) as model:
        expected = model.enhance(image, alpha, **options)
    assert_same_pixels(run(page, f"models/{name}.onnx", image, alpha, options), expected)


@pytest.mark.parametrize("name", ["stack", "double", "half", "unet", "fixed"])
@pytest.mark.parametrize("corner", [(0, 0), (31, 45), (77, 58)])
def test_a_region_is_that_part_of_the_whole(page: Page, name: str, corner: tuple[int, int]):
    image = picture(120, 110, 3)
    top, left = corner
    region = {"x": left, "y": top, "width": 42, "height": 40}
    whole = run(page, f"models/{name}.onnx", image, 0.3)
    part = run(page, f"models/{name}.onnx", image, 0.3, {"region": region, "tile": 0})
    factor = {"double": Fraction(2), "half": Fraction(1, 2)}.get(name, Fraction(1))
    rows, columns = (
        slice(int(start * factor), int(start * factor) + size)
        for start, size in ((top, part.shape[0]), (left, part.shape[1]))
    )
    assert part.shape[1] >= 42 * factor
    assert_same_pixels(part, whole[rows, columns])


# The tiles by themselves: their numbers are Python's to the last bit, with a network that both can compute.

TOY_NETWORK = """async ([about, image, options, scale, outputs]) => {
    const { enhance } = await import(new URL("dni/enhance.js", document.baseURI).href);
    const { pasteBlock } = await import(new URL("dni/region.js", document.baseURI).href);
    const third = Math.fround(0.3);
    const sum = (a, b) => Math.fround(a + b);
    const run = async (x, [n, channels, h, w]) => {
        const y = new Float32Array(n * outputs * h * w * scale * scale);
        let at = 0;
        for (let i = 0; i < n; i++) for (let c = 0; c < outputs; c++) {
            const plane = (i * channels + c) * h * w;
            const get = (row, column) =>
                row < 0 || column < 0 || row >= h || column >= w ? 0 : x[plane + row * w + column];
            for (let r = 0; r < h * scale; r++) for (let k = 0; k < w * scale; k++) {
                const [row, column] = [Math.floor(r / scale), Math.floor(k / scale)];
                const cross = sum(sum(get(row - 1, column), get(row + 1, column)),
                                  sum(get(row, column - 1), get(row, column + 1)));
                y[at++] = Math.fround(cross * third);
            }
        }
        return { data: y, dims: [n, outputs, h * scale, w * scale] };
    };
    const result = new ImageData(Math.ceil(image.width * scale), Math.ceil(image.height * scale));
    let tiles = 0;
    await enhance(run, lib.image(image), about, options, {
        onBlock: (block) => pasteBlock(result, block), onProgress: () => tiles++, pause: async () => {},
    });
    return { ...lib.plain(result), tiles };
}"""


def toy_network(x: Any, scale: float, outputs: int) -> Any:
    """A cross-shaped mean, enlarged or reduced; its sums are in the order of the one above."""
    p = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    y = ((p[:, :, :-2, 1:-1] + p[:, :, 2:, 1:-1]) + (p[:, :, 1:-1, :-2] + p[:, :, 1:-1, 2:])) * np.float32(0.3)
    y = y[:, :outputs]
    y = y.repeat(2, 2).repeat(2, 3) if scale == 2 else y[:, :, ::2, ::2] if scale == 0.5 else y
    return np.ascontiguousarray(y)


TILED: list[tuple[tuple[int, ...], dict[str, Any], dict[str, Any]]] = [
    ((100, 70, 3), {}, {"tile": 32}),
    ((100, 70, 3), {}, {"tile": 32, "overlap": 0}),
    ((61, 47, 3), {"size_multiple": 4, "size_minimum": 8}, {"tile": 16, "overlap": 2}),
    ((61, 47, 4), {"scale": 2.0}, {"tile": 20}),
    ((61, 47), {}, {"tile": 20}),
    ((61, 47, 4), {"scale": 2.0, "channels": 1}, {"tile": 20}),
    ((61, 47, 3), {"scale": 0.5, "overlap": 2}, {"tile": 20}),
    ((50, 70, 3), {"sizes": (None, 32, 32)}, {}),
    ((50, 70, 4), {"sizes": (1, 32, 32), "channels": 1, "scale": 2.0}, {}),
    ((5, 3, 3), {"sizes": (1, 32, 24)}, {}),
    ((33, 34, 3), {"value_range": (-1.0, 1.0)}, {"tile": 16}),
    ((40, 44), {"outputs": 1}, {}),
    ((130, 129, 3), {"overlap": None}, {"tile": 100, "overlap": 40}),
    ((1040, 1030, 3), {"overlap": None}, {}),
]


@pytest.mark.parametrize(("shape", "about", "options"), TILED, ids=str)
def test_tiles_are_pythons_to_the_last_bit(
    page: Page, shape: tuple[int, ...], about: dict[str, Any], options: dict[str, Any]
):
    about = {"channels": 3, "sizes": (None, None, None), "scale": 1.0, "overlap": 1, **about}
    channels, sizes = about.pop("channels"), about.pop("sizes")
    outputs = about.pop("outputs", channels)
    metadata = Metadata(**about)
    network_shape = (sizes[0], channels, *sizes[1:])
    image = picture(*shape)
    count = 0

    def network(x: Any) -> Any:
        return toy_network(x, metadata.scale or 1, outputs)

    def counted(done: int, total: int) -> None:
        nonlocal count
        count = total

    (expected,) = enhance_images(network, [image], metadata, network_shape, **options, progress=counted)
    scale = Fraction(metadata.scale or 1)
    described = {
        "input": {"shape": network_shape},
        "scale": [scale.numerator, scale.denominator],
        "size": {"multiple": metadata.size_multiple, "minimum": metadata.size_minimum},
        "overlap": metadata.overlap,
        "range": metadata.value_range,
    }
    told = {"grey": image.ndim == 2, **options}
    answer = page.evaluate(TOY_NETWORK, [described, to_rgba(image), told, metadata.scale, outputs])
    assert answer["tiles"] == count
    np.testing.assert_array_equal(from_rgba(answer), from_rgba(to_rgba(expected)))


# Calls that are refused, ended, or made at the same time.

REFUSALS: list[tuple[str, str, str]] = [
    ("stack", "model.run(image, 1.2)", "alpha 1.2 is out of range; expected a finite number in 0..1"),
    ("stack", "model.run(image, NaN)", "alpha NaN is out of range"),
    ("stack", "model.run(image, '0.5')", "alpha 0.5 is out of range"),
    ("stack", "model.run(image)", "0 value(s); expected a finite number in 0..1"),
    ("three", "model.run(image, 0.5)", "1 value(s); expected 2 finite numbers, each and their sum in 0..1"),
    ("three", "model.run(image, [0.7, 0.7])", "alpha 0.7,0.7 is out of range"),
    ("baked", "model.run(image, 0.2)", "alpha is 0.2; this model is baked for 0.7 and takes none"),
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


def test_threads_need_the_headers_and_change_nothing(site: Path, models: Path, browser: Any):
    x = noise(1, 3, 40, 40)
    with in_python(models, "denoise") as model:
        expected = model(x, 0.4)
    url = "models/denoise.onnx"
    with served("-o", site) as address, visiting(browser, address) as visit:
        use_library(visit.page)
        result = infer(visit.page, url, x, 0.4, {"threads": 3})
        assert visit.page.evaluate(f"async () => (await lib.model('{url}', {{ threads: 3 }})).threads") == 3
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
)


def test_webgpu_gives_pythons_numbers_too(site: Path, models: Path, browser: Any):
    x, image = noise(1, 3, 40, 40), picture(61, 47, 3)
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
