"""dni.js called from Python, in a page that runs in Chromium: images and tensors go there and come back."""

import base64
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from playwright.sync_api import Page

import dni_runtime

Image = NDArray[np.uint8]

# Functions for pages that have loaded dni.js: images and tensors travel as text.
LIBRARY = """async () => {
    const dni = await import(new URL("dni/dni.js", document.baseURI).href);
    const toBytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
    const toText = (bytes) => {
        let text = "";
        for (let i = 0; i < bytes.length; i += 8192) text += String.fromCharCode(...bytes.subarray(i, i + 8192));
        return btoa(text);
    };
    const models = new Map();
    window.lib = {
        dni, toBytes, toText,
        async model(url, options = {}) {
            const key = url + JSON.stringify(options);
            if (!models.has(key)) models.set(key, await dni.load(url, options));
            return models.get(key);
        },
        image: ({ width, height, data }) => new ImageData(new Uint8ClampedArray(toBytes(data).buffer), width, height),
        plain: ({ width, height, data }) => ({ width, height, data: toText(data) }),
    };
}"""


def use_library(page: Page) -> None:
    page.evaluate(LIBRARY)


def to_rgba(image: Image) -> dict[str, Any]:
    """An image as Python has it, as ImageData has it."""
    pixels = np.full((*image.shape[:2], 4), 255, np.uint8)
    planes = image[:, :, None] if image.ndim == 2 else image
    pixels[:, :, : 4 if planes.shape[2] == 4 else 3] = planes
    return {
        "width": image.shape[1],
        "height": image.shape[0],
        "data": base64.b64encode(pixels.tobytes()).decode(),
    }


def from_rgba(answer: dict[str, Any]) -> Image:
    data = np.frombuffer(base64.b64decode(answer["data"]), np.uint8)
    return data.reshape(answer["height"], answer["width"], 4)


def run(page: Page, url: str, image: Image, alpha: Any, options: dict[str, Any] | None = None) -> Image:
    """`model.run` of dni.js; grey images are told to be so."""
    answer = page.evaluate(
        """async ([url, image, alpha, options]) => {
            const model = await lib.model(url);
            return lib.plain(await model.run(lib.image(image), alpha, options));
        }""",
        [url, to_rgba(image), alpha, {"grey": image.ndim == 2, **(options or {})}],
    )
    return from_rgba(answer)


def infer(page: Page, url: str, x: NDArray[np.float32], alpha: Any, load: dict[str, Any] | None = None) -> Any:
    """`model.infer` of dni.js: float32 (N, C, H, W) in and out."""
    answer = page.evaluate(
        """async ([url, text, dims, alpha, load]) => {
            const model = await lib.model(url, load);
            const { data, dims: out } = await model.infer(new Float32Array(lib.toBytes(text).buffer), dims, alpha);
            return [lib.toText(new Uint8Array(data.buffer, data.byteOffset, data.byteLength)), out];
        }""",
        [url, base64.b64encode(x.tobytes()).decode(), list(x.shape), alpha, load or {}],
    )
    return np.frombuffer(base64.b64decode(answer[0]), np.float32).reshape(answer[1])


def assert_same_pixels(result: Any, expected: Any) -> None:
    """At most 1 of 255 apart, and seldom that: the last bit of a float decides at .5."""
    reference = from_rgba(to_rgba(expected))
    assert result.shape == reference.shape
    difference = np.abs(result.astype(int) - reference.astype(int))
    assert difference.max() <= 1
    assert (difference > 0).mean() < 1e-3


FLOAT_LIMIT = 1e-4


def in_python(models: Path, name: str) -> dni_runtime.Model:
    return dni_runtime.load(models / f"{name}.onnx", "cpu")
