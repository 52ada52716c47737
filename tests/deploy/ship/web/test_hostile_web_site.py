"""`dni ship web` of what strangers made: names, pictures, sizes and weights that no site should hold."""

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import onnx
import pytest
from commands import dni, names
from onnx_models import METADATA, conv_stack, noise, picture, save
from photographs import save_image
from PIL import Image

import dni_runtime
from dni_deploy.ship import ship_web
from dni_deploy.ship.model_file import read_model_file
from dni_deploy.ship.web.describe import model_bytes
from dni_runtime import Endpoint, Metadata, ModelError

SCRIPT = "</title><script>alert(1)</script>"
NOT_EVERYWHERE = "has a name that not every host and browser takes; expected at most 250 bytes, no control character"


BAD_NAMES = [
    "...onnx",
    ".hidden.onnx",
    "dot..onnx",
    "space .onnx",
    " space.onnx",
    "back\\slash.onnx",
    "..\\..\\up.onnx",
    "a?b.onnx",
    "a#b.onnx",
    "%2e%2e%2f.onnx",
    "a:b.onnx",
    "<b>.onnx",
    'quote".onnx',
    "a|b.onnx",
    "star*.onnx",
    "con.onnx",
    "COM1.onnx",
    "aux.net.onnx",
    "new\nline.onnx",
    "escape\x1b[2J.onnx",
    "\u202egnp.onnx",
    "nul\u200b.onnx",
    os.fsdecode(b"\xff\xfe.onnx"),
    "a" * 251,
    "\N{SMILING FACE WITH SUNGLASSES}" * 63,
]


@pytest.mark.parametrize("name", BAD_NAMES, ids=ascii)
def test_names_that_some_host_would_lose(ort: Path, tmp_path: Path, name: str):
    (tmp_path / "in").mkdir()
    model = save(conv_stack(), tmp_path / "in" / name)
    result = dni("ship", "web", model, "-o", tmp_path / "site", "--ort", ort)
    result.assert_error("has a name that not every host and browser takes")
    assert result.err.count("\n") == 1
    assert names(tmp_path) == ["in"]


GOOD_NAMES = ["a&b;c='d'", "\N{SNOWMAN} \u540d\u524d", "v1.2 (x4) [fast], +50", "constructor", "__proto__", "a" * 245]


def test_other_names_are_kept_and_found(ort: Path, tmp_path: Path):
    (tmp_path / "in").mkdir()
    for name in GOOD_NAMES:
        save(conv_stack(), tmp_path / "in" / f"{name}.onnx")
    site = ship_web([tmp_path / "in"], tmp_path / "site", ort=ort, webgpu=False, title=SCRIPT + "\udcff").site
    index = json.loads((site / "site.json").read_text())
    assert index["title"] == SCRIPT + "\udcff"
    assert sorted(entry["name"] for entry in index["models"]) == sorted(GOOD_NAMES)
    for entry in index["models"]:
        assert entry["url"].isascii() and not set(entry["url"]) & set("?#\\\"'<>& ")
        assert (site / unquote(entry["url"])).stat().st_size == entry["bytes"]
    assert SCRIPT not in (site / "index.html").read_text()


def polyglot(path: Path) -> Path:
    """An image that is a page, too."""
    image = Image.fromarray(picture(8, 8, 3))
    image.save(path, "JPEG", comment=b"<script>alert(1)</script>")
    return path


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda folder: polyglot(folder / "x.html"),
            "is not called as browsers show images; expected .bmp, .jpeg",
        ),
        (lambda folder: polyglot(folder / "x.js"), "is not called as browsers show images"),
        (lambda folder: polyglot(folder / "x.svg"), "is not called as browsers show images"),
        (lambda folder: polyglot(folder / "x.png"), "x.png is no PNG, as its suffix says; rename or convert it"),
        (lambda folder: save_image(folder / "x.tif", picture(8, 8, 3)), "is not called as browsers show images"),
        (lambda folder: save_image(folder / "a?b.png", picture(8, 8, 3)), NOT_EVERYWHERE),
        (lambda folder: save_image(folder / ".x.png", picture(8, 8, 3)), NOT_EVERYWHERE),
    ],
    ids=["html", "js", "svg", "jpeg called png", "tiff", "question mark", "hidden"],
)
def test_examples_that_are_more_than_a_picture(
    model: Path, ort: Path, tmp_path: Path, make: Callable[[Path], Path], message: str
):
    (tmp_path / "in").mkdir()
    example = make(tmp_path / "in")
    dni("ship", "web", model, "-o", tmp_path / "site", "--ort", ort, "--example", example).assert_error(message)
    assert names(tmp_path) == ["in", "stack.onnx"]


def test_a_pipe_as_an_example_is_not_waited_for(model: Path, ort: Path, tmp_path: Path):
    os.mkfifo(tmp_path / "x.png")
    dni("ship", "web", model, "-o", tmp_path / "site", "--ort", ort, "--example", tmp_path / "x.png").assert_error(
        "is a named pipe"
    )


def alphas(count: int, endpoints: int) -> onnx.ModelProto:
    """A model that takes `count` numbers, and says that it has `endpoints`."""
    named = replace(METADATA, endpoints=tuple(Endpoint(f"{i}.pth", "00") for i in range(endpoints)))
    model = conv_stack(metadata=named)
    model.graph.input[1].type.tensor_type.shape.dim[0].dim_value = count
    return model


def metadata(**changes: object) -> Metadata:
    return replace(METADATA, **changes)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: conv_stack(shape=(1, 10**12, 64)),
            "[1, 3, 1000000000000, 64], larger than any image",
        ),
        (lambda: conv_stack(shape=(1, 64, 4097)), "takes 4097 pixels along a side; expected sizes of at most 4096"),
        (lambda: conv_stack(scale=0.5, shape=(1, 64, 33)), "which the scale 1/2 makes whole numbers of, or free ones"),
        (lambda: alphas(10**9, 2), "'alpha' has the shape [1000000000]; expected [1]"),
        (lambda: alphas(1, 4), "takes 1 numbers as alpha, and its metadata has 3"),
        (
            lambda: conv_stack(scale=1 / 64, metadata=metadata(size_multiple=63)),
            "takes sizes that are multiples of 4032 alone; a page pads to at most 1024",
        ),
        (lambda: conv_stack(scale=1e18), "scale is 1e+18; expected a number in 0.015625..64"),
        (lambda: conv_stack(metadata=metadata(value_range=(1.0, 1.0))), "range is [1.0, 1.0]; expected two numbers"),
        (lambda: conv_stack(metadata=metadata(size_multiple=10**9)), "size.multiple is 1000000000; expected a whole"),
    ],
    ids=lambda value: value[:30] if isinstance(value, str) else "",
)
def test_sizes_that_no_page_can_take(ort: Path, tmp_path: Path, make: Callable[[], onnx.ModelProto], message: str):
    model = save(make(), tmp_path / "m.onnx")
    dni("ship", "web", model, "-o", tmp_path / "site", "--ort", ort).assert_error(message)
    assert names(tmp_path) == ["m.onnx"]


# Weights beside the model.


def moved(folder: Path, location: str) -> Path:
    """A model whose weights are said to be in `location`."""
    path = save(conv_stack(), folder / "stack.onnx", external=True)
    model = onnx.load(path, load_external_data=False)
    for tensor in model.graph.initializer:
        for entry in tensor.external_data:
            entry.value = location if entry.key == "location" else entry.value
    onnx.save(model, path)
    return path


@pytest.mark.parametrize("location", ["../secret.bin", "/etc/passwd", "link.bin", "pipe", "inner/../../secret.bin"])
def test_weights_from_outside_are_not_put_into_a_site(ort: Path, tmp_path: Path, location: str):
    folder = tmp_path / "in"
    folder.mkdir()
    (tmp_path / "secret.bin").write_bytes(b"secret" * 10_000)
    (folder / "link.bin").symlink_to("../secret.bin")
    os.mkfifo(folder / "pipe")
    model = moved(folder, location)
    dni("ship", "web", model, "-o", tmp_path / "site", "--ort", ort).assert_error("and is not read; expected a file in")
    assert names(tmp_path) == ["in", "secret.bin"]


def test_weights_inside_are_put_into_the_file(ort: Path, tmp_path: Path):
    """Also through links that stay inside, and of a file with several names, which onnx itself does not read."""
    (tmp_path / "in" / "inner").mkdir(parents=True)
    model = moved(tmp_path / "in", "inner/w.bin")
    (tmp_path / "in" / "inner" / "w.bin").symlink_to("../stack.onnx.data")
    os.link(tmp_path / "in" / "stack.onnx.data", tmp_path / "in" / "other name")
    site = ship_web([model], tmp_path / "site", ort=ort, webgpu=False).site
    shipped = site / "models" / "stack.onnx"
    assert not any(tensor.external_data for tensor in onnx.load(shipped, load_external_data=False).graph.initializer)
    x = noise(1, 3, 16, 16)
    with dni_runtime.load(model, "cpu") as a, dni_runtime.load(shipped, "cpu") as b:
        np.testing.assert_array_equal(a(x, 0.25), b(x, 0.25))


def test_more_than_two_gigabytes_are_refused_before_they_are_read(tmp_path: Path):
    """Files of 3 GB that take no room; reading them would take it."""
    model = conv_stack()
    much = onnx.TensorProto(name="much", dims=[3 * 10**8, 10], data_type=onnx.TensorProto.INT8)
    much.data_location = onnx.TensorProto.EXTERNAL
    much.external_data.add(key="location", value="much.bin")
    model.graph.initializer.append(much)
    path = save(model, tmp_path / "stack.onnx")
    with (tmp_path / "much.bin").open("wb") as file:
        file.truncate(3 * 10**9)
    with pytest.raises(ModelError, match=r"has 3\.0 GB with its weights; a browser takes one file, of 2 GB"):
        model_bytes(read_model_file(path))
    with (tmp_path / "much.bin").open("r+b") as file:
        file.truncate(1000)
    with pytest.raises(ModelError, match="which has 1000: it is damaged"):
        read_model_file(path)


def test_scripts_that_lie_about_are_not_put_into_a_site(ort: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """In a folder above, which may be anybody's, a package that says that it is the right one."""
    package = tmp_path / "node_modules" / "onnxruntime-web"
    shutil.copytree(
        ort / "dist", package / "dist", ignore=lambda _, all_names: {n for n in all_names if "wasm" not in n}
    )
    (package / "package.json").write_text((ort / "package.json").read_text())
    with (package / "dist" / "ort.wasm.min.mjs").open("a") as file:
        file.write("fetch('http://evil.example/')")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("DNI_CACHE_DIR", "")
    monkeypatch.setenv("PATH", str(tmp_path))  # no npm
    model = save(conv_stack(), tmp_path / "stack.onnx")
    dni("ship", "web", model, "-o", "site", "--no-webgpu").assert_error("which is not installed here, and npm, which")
    assert names(tmp_path / "here") == []
    shutil.copyfile(ort / "dist" / "ort.wasm.min.mjs", package / "dist" / "ort.wasm.min.mjs")
    dni("ship", "web", model, "-o", "site", "--no-webgpu").assert_ok()
