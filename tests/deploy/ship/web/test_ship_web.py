"""`dni ship web`: what the site holds, where ONNX Runtime comes from, what is refused; no browser needed."""

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from commands import command, dni, names
from onnx_models import METADATA, baked, conv_stack, noise, picture, save, unet
from photographs import save_image
from sharp_or_blurred import NOISE, saved
from web_sites import ROOT, npm_package

import dni_runtime
from dni_deploy.ship import ship_web
from dni_deploy.ship.web.describe import describe
from dni_deploy.ship.web.onnxruntime_web import VERSION, copy_onnxruntime_web
from dni_runtime import DniError, Endpoint, InputError, ModelError, OutputError
from dni_runtime.shares import Path as AlphaPath

WASM = ["ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm", "ort.wasm.min.mjs"]
WEBGPU = ["ort-wasm-simd-threaded.asyncify.mjs", "ort-wasm-simd-threaded.asyncify.wasm", "ort.webgpu.min.mjs"]


def read(path: Path) -> object:
    return json.loads(path.read_text())


def test_it_writes_page_models_and_onnx_runtime(model: Path, ort: Path, tmp_path: Path):
    photo = save_image(tmp_path / "a photo.png", picture(8, 9, 3))
    other = save(unet(), tmp_path / "u net.onnx")
    site = tmp_path / "new" / "site"
    result = dni(
        "ship", "web", model, other, "-o", site, "--ort", ort, "--example", photo, "--title", "Less noise"
    ).assert_ok()
    assert result.out == f"{site}  {size_of(site) / 1e6:.1f} MB  stack, u net\n"
    assert f"dni ship web -o {site} --serve" in result.err
    assert names(site) == ["_headers", "dni", "example", "index.html", "models", "page", "site.json"]
    assert names(site / "dni" / "ort") == sorted([*WASM, *WEBGPU])
    assert names(site / "models") == ["stack.json", "stack.onnx", "u net.json", "u net.onnx"]
    assert (site / "models" / "stack.onnx").read_bytes() == model.read_bytes()
    assert (site / "example" / "a photo.png").read_bytes() == photo.read_bytes()
    assert read(site / "site.json") == {
        "format": 1,
        "title": "Less noise",
        "models": [
            {"name": "stack", "url": "models/stack.onnx", "bytes": model.stat().st_size},
            {"name": "u net", "url": "models/u%20net.onnx", "bytes": other.stat().st_size},
        ],
        "example": "example/a%20photo.png",
        "webgpu": True,
    }
    assert "Cross-Origin-Opener-Policy: same-origin" in (site / "_headers").read_text()
    assert not list(site.parent.glob(".*"))


def size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def test_json_and_no_webgpu(model: Path, ort: Path, tmp_path: Path):
    site = tmp_path / "site"
    told = dni("ship", "web", model, "-o", site, "--ort", ort, "--no-webgpu", "--json").assert_ok().json
    assert told == {"site": str(site), "models": ["stack"], "bytes": size_of(site)}
    assert names(site / "dni" / "ort") == WASM
    assert 14e6 < told["bytes"] < 16e6


def about(path: Path) -> dict:
    from dni_deploy.ship.model_file import read_model_file

    return describe(read_model_file(path))


def test_the_page_is_told_what_the_metadata_says(tmp_path: Path):
    assert about(save(unet(), tmp_path / "u.onnx")) == {
        "format": 1,
        "name": "u",
        "input": {"name": "input", "shape": [None, 3, None, None]},
        "output": {"name": "output"},
        "alpha": {
            "name": "alpha",
            "shape": [1],
            "count": 1,
            "range": [0.0, 1.0],
            "default": None,
            "knots": None,
        },
        "pinned": None,
        "names": None,
        "endpoints": ["a", "b"],
        "architecture": "UNet",
        "scale": [1, 1],
        "size": {"multiple": 4, "minimum": 8},
        "overlap": 16,
        "range": [0.0, 1.0],
        "verdict": None,
        "calibration": None,
    }
    square = replace(METADATA, size_multiple=128, size_square=True)
    told = about(save(conv_stack(metadata=square), tmp_path / "square.onnx"))
    assert told["size"] == {"multiple": 128, "minimum": 1, "square": True}
    named = replace(METADATA, verdict="blends: at 0.5")
    assert about(save(conv_stack(metadata=named), tmp_path / "judged.onnx"))["verdict"] == "blends: at 0.5"
    assert about(saved(tmp_path / "calibrated.onnx", NOISE))["calibration"] == NOISE.to_dict()
    half = conv_stack(scale=0.5, shape=(1, 32, 48), alpha_default=0.25, metadata=replace(METADATA, alpha_range=(-1, 2)))
    told = about(save(half, tmp_path / "half.onnx"))
    assert (told["scale"], told["input"]["shape"]) == ([1, 2], [1, 3, 32, 48])
    assert (told["alpha"]["range"], told["alpha"]["default"]) == ([-1.0, 2.0], [0.25])
    path = replace(
        METADATA, endpoints=METADATA.endpoints[:1] * 3, alpha_path=AlphaPath((4.0, 0.0), (1,)), alpha_range=(0, 4)
    )
    told = about(save(conv_stack(metadata=path), tmp_path / "path.onnx"))
    assert (told["alpha"]["knots"], told["alpha"]["count"], told["endpoints"]) == ([4.0, 0.0], 1, ["a", "a"])
    told = about(save(baked(0.7), tmp_path / "baked.onnx"))
    assert (told["alpha"], told["pinned"]) == (None, [0.7])


def test_the_model_becomes_one_file_whose_alpha_has_no_value(ort: Path, tmp_path: Path):
    """onnxruntime-web takes no weights beside the file by itself, and no alpha that has a value in the graph."""
    original = save(conv_stack(alpha_default=0.25), tmp_path / "stack.onnx", external=True)
    ship_web([original], tmp_path / "site", ort=ort, webgpu=False)
    shipped = tmp_path / "site" / "models" / "stack.onnx"
    assert names(shipped.parent) == ["stack.json", "stack.onnx"]
    assert "alpha" not in {tensor.name for tensor in onnx.load(shipped).graph.initializer}
    x = noise(1, 3, 16, 16)
    with dni_runtime.load(original, "cpu") as a, dni_runtime.load(shipped, "cpu") as b:
        np.testing.assert_array_equal(a(x, 0.25), b(x, 0.25))
    (tmp_path / "stack.onnx.data").unlink()
    with pytest.raises(ModelError, match=r"stack\.onnx needs a weights file that is missing"):
        ship_web([original], tmp_path / "site2", ort=ort)
    assert not (tmp_path / "site2").exists()


def test_a_folder_of_models(ort: Path, tmp_path: Path):
    for alpha in (0.5, 0.25):
        save(baked(alpha), tmp_path / f"alpha{alpha}.onnx")
    assert ship_web([tmp_path], tmp_path / "site", ort=ort, webgpu=False).models == ("alpha0.25", "alpha0.5")


def half_precision() -> onnx.ModelProto:
    model = conv_stack()
    model.graph.input[0].type.tensor_type.elem_type = onnx.TensorProto.FLOAT16
    return model


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: conv_stack(metadata=None), "has no scale in its metadata"),
        (lambda: conv_stack(channels=2), "takes 2 channels; expected 1 or 3"),
        (half_precision, "'input' is not float32"),
    ],
)
def test_models_that_no_page_can_run(make, message: str, ort: Path, tmp_path: Path):
    dni("ship", "web", save(make(), tmp_path / "m.onnx"), "-o", tmp_path / "site", "--ort", ort).assert_error(message)
    assert names(tmp_path) == ["m.onnx"]


def test_arguments_that_make_no_site(model: Path, ort: Path, tmp_path: Path):
    site = tmp_path / "site"
    dni("ship", "web", tmp_path / "none.onnx", "-o", site).assert_error(
        "none.onnx does not exist; expected an .onnx file or a folder"
    )
    dni("ship", "web", model, "-o", site, "--example", model).assert_error("is not an image")
    (tmp_path / "empty").mkdir()
    dni("ship", "web", tmp_path / "empty", "-o", site).assert_error("holds no .onnx file")
    (tmp_path / "b").mkdir()
    twin = shutil.copy(model, tmp_path / "b" / "Stack.onnx")
    dni("ship", "web", model, twin, "-o", site).assert_error("would have the same name; rename one")
    dni("ship", "web", model, "-o", site, "--ort", tmp_path).assert_error("there is no ort.wasm.min.mjs, nor in dist")
    dni("ship", "web", model, "-o", model, "--ort", ort).assert_error("holds something else than a site of ours")
    dni("ship", "web", model, "-o", model / "site", "--ort", ort).assert_error("site cannot be written: File exists")
    dni("ship", "web").assert_usage("give at least one MODEL, or --serve and -o SITE")
    dni("ship", "web", model).assert_usage("give the folder to write to: -o SITE")
    dni("ship", "web", "--serve").assert_usage("-o SITE")
    with pytest.raises(InputError, match="no model was given"):
        ship_web([], site, ort=ort)
    assert not site.exists()


def test_only_a_site_is_replaced_and_only_by_force(model: Path, ort: Path, tmp_path: Path):
    site = tmp_path / "site"
    site.mkdir()  # an empty folder is nobody's
    ship_web([model], site, ort=ort, webgpu=False)
    before = (site / "site.json").read_bytes()
    with pytest.raises(OutputError, match=r"site exists already and is kept; replace it with --force"):
        ship_web([model], site, ort=ort, webgpu=False, title="new")
    assert (site / "site.json").read_bytes() == before
    ship_web([model], site, ort=ort, webgpu=False, title="new", force=True)
    assert read(site / "site.json")["title"] == "new"
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "letter.txt").write_text("dear")
    with pytest.raises(OutputError, match="holds something else than a site of ours and is kept"):
        ship_web([model], tmp_path / "precious", ort=ort, webgpu=False, force=True)
    assert names(tmp_path) == ["precious", "site", "stack.onnx"]


def test_an_interrupted_write_leaves_nothing(model: Path, ort: Path, tmp_path: Path):
    def interrupt(step: str) -> None:
        if step == "writing the models":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ship_web([model], tmp_path / "site", ort=ort, progress=interrupt)
    assert names(tmp_path) == ["stack.onnx"]


# Where ONNX Runtime comes from.


def test_the_ways_to_name_its_folder(ort: Path, tmp_path: Path):
    for index, folder in enumerate([ort, ort / "dist", ort.parent, ort.parents[1]]):
        copy_onnxruntime_web(tmp_path / str(index), folder)
        assert names(tmp_path / str(index)) == sorted([*WASM, *WEBGPU])


def test_it_is_found_in_node_modules_above(ort: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "node_modules").mkdir()
    (tmp_path / "node_modules" / "onnxruntime-web").symlink_to(ort)
    (tmp_path / "a" / "b").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "a" / "b")
    monkeypatch.setenv("PATH", str(tmp_path))  # no npm
    copy_onnxruntime_web(tmp_path / "copy", webgpu=False)
    assert names(tmp_path / "copy") == WASM


def test_another_version_in_node_modules_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    package = tmp_path / "node_modules" / "onnxruntime-web"
    (package / "dist").mkdir(parents=True)
    for name in [*WASM, *WEBGPU]:
        (package / "dist" / name).write_text("old")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(
        DniError, match=f"the page needs onnxruntime-web@{VERSION}, which is not installed here, and npm"
    ):
        copy_onnxruntime_web(tmp_path / "copy")
    copy_onnxruntime_web(tmp_path / "asked", package)  # but it is where it is asked for


def test_npm_fetches_it_once(model: Path, tmp_path: Path):
    """The real npm; the second time the cache is enough."""
    cache = tmp_path / "cache"
    options = {"cwd": tmp_path, "DNI_CACHE_DIR": str(cache)}
    command("dni", "ship", "web", "stack.onnx", "-o", "one", **options).assert_ok()
    assert names(cache / f"onnxruntime-web-{VERSION}") == sorted([*WASM, *WEBGPU])
    assert names(cache) == [f"onnxruntime-web-{VERSION}"]
    programs = tmp_path / "programs"
    programs.mkdir()  # a PATH without npm
    command("dni", "ship", "web", "stack.onnx", "-o", "two", PATH=str(programs), **options).assert_ok()
    assert names(tmp_path / "two" / "dni" / "ort") == names(tmp_path / "one" / "dni" / "ort")


def fake_npm(folder: Path, script: str) -> str:
    """An npm that fails, as npm itself does not on demand."""
    program = folder / "npm"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return os.pathsep.join([str(folder), os.environ["PATH"]])


def test_an_npm_that_fails(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DNI_CACHE_DIR", "")
    programs = tmp_path / "programs"
    programs.mkdir()
    monkeypatch.setenv("PATH", fake_npm(programs, "echo 'npm error code E404' >&2; exit 1"))
    dni("ship", "web", model, "-o", "site").assert_error(
        f"npm pack onnxruntime-web@{VERSION} failed: npm error code E404; or use --ort DIR"
    )
    fake_npm(programs, "echo tampered > onnxruntime-web.tgz")
    dni("ship", "web", model, "-o", "site").assert_error("npm gave another onnxruntime-web")
    assert names(tmp_path) == ["programs", "stack.onnx"]


def test_the_pinned_version_is_the_tested_one():
    makefile = (ROOT / "Makefile").read_text()
    assert f"onnxruntime-web@{VERSION} " in makefile
    assert read(npm_package("onnxruntime-web") / "package.json")["version"] == VERSION


def test_three_endpoints_have_two_alphas(tmp_path: Path):
    model = conv_stack()
    endpoints = (*METADATA.endpoints, Endpoint("c.safetensors", "22" * 32))
    dni_runtime.write_metadata(model, replace(METADATA, endpoints=endpoints))
    model.graph.input[1].type.tensor_type.shape.dim[0].dim_value = 2
    told = about(save(model, tmp_path / "three.onnx"))
    assert (told["alpha"]["count"], told["alpha"]["shape"], told["endpoints"]) == (2, [2], ["a", "b", "c"])
