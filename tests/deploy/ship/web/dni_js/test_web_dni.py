"""dni.js in Chromium: the pixels that Python gives, for every kind of model and image, and what it refuses."""

import base64
import io
import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx_models import noise, picture
from photographs import noisy_crop
from PIL import Image
from playwright.sync_api import Page
from web_library import FLOAT_LIMIT, assert_same_pixels, from_rgba, in_python, infer, run, to_rgba

from dni_deploy.image_files.jpeg_quality import jpeg_quality
from dni_runtime import Metadata
from dni_runtime.images.enhance import enhance_images

GREY = (40, 50)
RGB = (40, 50, 3)
OPACITY = (40, 50, 4)


@pytest.mark.parametrize("alpha", [0.0, 0.3, 0.5, 1.0])
@pytest.mark.parametrize("shape", [(1, 3, 64, 64), (2, 3, 33, 47)])
def test_floats_equal_python(page: Page, models: Path, shape: tuple[int, ...], alpha: float):
    x = noise(*shape)
    with in_python(models, "denoise") as model:
        expected = model(x, alpha)
    result = infer(page, "models/denoise.onnx", x, alpha)
    assert result.shape == expected.shape
    assert np.abs(result - expected).max() < FLOAT_LIMIT


@pytest.mark.parametrize(
    ("name", "alpha"),
    [
        ("knob", [0.2, 0.9]),
        ("knob", [1, 1]),
        ("knob", {"late": 0.9, "alpha": 0.2}),
        ("knob", 0.4),
        ("knob_default", None),
        ("knob_default", {"late": 0.1}),
    ],
    ids=str,
)
def test_knobs_equal_python(page: Page, models: Path, name: str, alpha: Any):
    x = noise(1, 3, 33, 47)
    with in_python(models, name) as model:
        expected = model(x, alpha)
        others = [model(x, (0.9, 0.2)), model(x, 0.55)]
    result = infer(page, f"models/{name}.onnx", x, alpha)
    assert np.abs(result - expected).max() < FLOAT_LIMIT
    assert min(float(np.abs(result - other).max()) for other in others) > 10 * FLOAT_LIMIT


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
    ("knob_baked", RGB, None, {}),
    ("knob_baked", RGB, [0.3, 0.8], {}),
    ("knob_baked", RGB, {"late": 0.8, "alpha": 0.3}, {}),
    ("knob_baked_level", RGB, 0.6, {}),
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


@pytest.mark.parametrize(("name", "options"), [("stack", {}), ("double", {"tile": 40}), ("grey_double", {})])
def test_hidden_colours_are_filled_as_python_fills_them(page: Page, models: Path, name: str, options: dict[str, int]):
    image = picture(100, 130, 4)
    y, x = np.mgrid[:100, :130]
    image[(y - 40) ** 2 + (x - 60) ** 2 > 30**2, 3] = 0
    image[:, -5:, 3] = 99
    with in_python(models, name) as model:
        expected = model.enhance(image, 0.3, **options)
    assert_same_pixels(run(page, f"models/{name}.onnx", image, 0.3, options), expected)


def jpeg(pixels: Any, **options: Any) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", **options)
    return file.getvalue()


def damaged(content: bytes) -> list[bytes]:
    """Cut in its head, in its tables, and with bytes of them turned to nothing."""
    table = content.index(b"\xff\xdb") + 5
    return [content[:length] for length in (0, 1, 3, table, table + 63)] + [
        content[:table] + bytes(8) + content[table + 8 :],
        b"\x89PNG" + content,
    ]


def test_the_quality_of_jpegs_is_pythons(page: Page, tmp_path: Path):
    pixels = picture(40, 56, 3)
    files = [jpeg(pixels, quality=quality) for quality in (1, 2, 10, 30, 49, 50, 51, 75, 90, 99, 100)]
    files += [jpeg(pixels, quality=40, progressive=True), jpeg(pixels, quality=40, exif=b"Exif" + bytes(60000))]
    files += [jpeg(picture(40, 56), quality=70), jpeg(pixels, qtables=[[3 + i for i in range(64)]] * 2)]
    files += damaged(files[5])
    expected = []
    for content in files:
        (tmp_path / "a.jpg").write_bytes(content)
        expected.append(jpeg_quality(tmp_path / "a.jpg"))
    assert expected[:11] == [1, 2, 10, 30, 49, 50, 51, 75, 90, 99, 100] and None in expected
    told = page.evaluate(
        "(files) => Promise.all(files.map((text) => lib.dni.jpegQuality(new Blob([lib.toBytes(text)]))))",
        [base64.b64encode(content).decode() for content in files],
    )
    assert told == expected


def test_auto_takes_the_alpha_for_a_jpeg(page: Page, models: Path):
    image = picture(40, 56, 3)
    program = """async ([image, text]) => {
        const model = await lib.model("models/calibrated_for_jpeg.onnx");
        const file = new Blob([lib.toBytes(text)]);
        const chosen = await model.chooseAlpha(lib.image(image), { file });
        return [chosen, lib.plain(await model.run(lib.image(image), "auto", { file }))];
    }"""
    chosen, answer = page.evaluate(program, [to_rgba(image), base64.b64encode(jpeg(image, quality=70)).decode()])
    assert chosen == {"alpha": pytest.approx(0.7), "kind": "jpeg", "level": 70}
    with in_python(models, "calibrated_for_jpeg") as model:
        assert_same_pixels(from_rgba(answer), model.enhance(image, 0.7))


def noisy(sigma: float, *shape: int) -> Any:
    """Grey in the middle, light and dark at the sides, where noise is clipped; and some texture."""
    rng = np.random.default_rng(3)
    clean = np.linspace(20, 235, shape[1])[:, None] + 30 * (np.arange(shape[1])[:, None] % 7 == 0)
    values = clean[None] + sigma * rng.standard_normal((*shape, 1)[:3])
    return values.round().clip(0, 255).astype(np.uint8).reshape(shape)


@pytest.mark.parametrize("sigma", [0, 8, 30, 70])
@pytest.mark.parametrize("shape", [(90, 130, 3), (64, 64), (75, 100, 4), (1040, 1030, 3)])
def test_noise_and_the_alpha_for_it_equal_python(page: Page, models: Path, shape: tuple[int, ...], sigma: float):
    image = noisy(sigma, *shape)
    with in_python(models, "calibrated") as model:
        alpha, sigma = model.choose_alpha(image)
    told = page.evaluate(
        """async ([image, grey]) => {
            const model = await lib.model("models/calibrated.onnx");
            return model.chooseAlpha(lib.image(image), { grey });
        }""",
        [to_rgba(image), image.ndim == 2],
    )
    # Whole numbers until they are added up, in another order.
    assert told["level"] == pytest.approx(sigma, rel=1e-9, abs=1e-9)
    assert told["alpha"] == pytest.approx(alpha, abs=1e-9)


def test_auto_gives_pythons_picture(page: Page, models: Path):
    image = noisy(25, 90, 130, 3)
    with in_python(models, "calibrated") as model:
        expected = model.enhance(image, "auto")
        assert not np.array_equal(expected, model.enhance(image, model.choose_alpha(image)[0] + 0.1))
    assert_same_pixels(run(page, "models/calibrated.onnx", image, "auto"), expected)


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
    ((61, 47, 3), {"overlap": None}, {"tile": 16}),
    ((130, 129, 3), {"overlap": None, "size_multiple": 16}, {"tile": 32}),
    ((61, 47, 3), {"size_grid": 8}, {"tile": 24}),
    ((61, 47, 3), {"size_grid": 6, "size_multiple": 4, "overlap": 4}, {"tile": 16}),
    ((61, 47, 3), {"size_grid": 8, "overlap": None, "scale": 2.0}, {"tile": 33}),
    ((300, 290, 3), {"size_grid": 16, "overlap": 5}, {"tile": 100, "overlap": 9}),
    ((61, 17, 3), {"size_multiple": 8, "size_square": True}, {}),
    ((61, 17, 3), {"size_multiple": 8, "size_square": True, "overlap": None}, {"tile": 24}),
    ((61, 17, 3), {"size_multiple": 8, "size_square": True, "overlap": None}, {"tile": 0}),
    ((1300, 400, 3), {"size_multiple": 8, "size_square": True, "overlap": None}, {}),
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
        "size": json.loads(metadata.to_json())["size"],
        "overlap": metadata.overlap,
        "range": metadata.value_range,
    }
    told = {"grey": image.ndim == 2, **options}
    answer = page.evaluate(TOY_NETWORK, [described, to_rgba(image), told, metadata.scale, outputs])
    assert answer["tiles"] == count
    np.testing.assert_array_equal(from_rgba(answer), from_rgba(to_rgba(expected)))
