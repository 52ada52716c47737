"""ONNX Runtime's own files, `.ort`: the pixels of the .onnx files that they come from, plain words for the rest."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from alpha_policies import ALPHAS, assert_same, each_policy
from commands import dni
from onnx_models import baked, conv_stack, noise, picture, save, unet
from photographs import save_image
from with_knobs import with_knob

from dni_deploy.image_files.read_write import read_image
from dni_runtime import AlphaError, ModelError, load

SHAPES = ((1, 3, 8, 8), (2, 3, 32, 20))
MODELS = {
    "alpha": conv_stack(features=24),
    "default": conv_stack(alpha_default=0.3, features=24),
    "baked": baked(0.3),
    "knob": with_knob((0.4, 0.9)),
    "unet": unet(),
    "foreign": conv_stack(metadata=None),
}
# How ONNX Runtime's converter optimizes: once and for all, or as far as any machine has it and the rest at run time.
STYLES = {"Fixed": ".ort", "Runtime": ".with_runtime_opt.ort"}
each_style = pytest.mark.parametrize("style", STYLES)
each_name = pytest.mark.parametrize("name", MODELS)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every model as .onnx and, by ONNX Runtime's converter, as .ort of both styles."""
    folder = tmp_path_factory.mktemp("ort")
    for name, proto in MODELS.items():
        save(proto, folder / f"{name}.onnx")
    newer = conv_stack()
    newer.metadata_props[0].value = newer.metadata_props[0].value.replace('"format": 1', '"format": 9')
    save(newer, folder / "newer.onnx")
    converter = [sys.executable, "-m", "onnxruntime.tools.convert_onnx_models_to_ort", str(folder)]
    subprocess.run(converter, check=True, capture_output=True)
    return folder


def ort(folder: Path, name: str, style: str = "Fixed") -> Path:
    return folder / f"{name}{STYLES[style]}"


@each_style
@each_name
def test_results_are_those_of_the_onnx_file(name: str, style: str, folder: Path):
    alphas = (None,) if name == "baked" else ALPHAS
    with load(ort(folder, name, style), "cpu") as model, load(folder / f"{name}.onnx", "cpu") as original:
        assert model.metadata == original.metadata
        for shape in SHAPES:
            for alpha in alphas:
                assert_same(model(noise(*shape), alpha), original(noise(*shape), alpha))


def test_a_default_stays_a_default(folder: Path):
    with load(ort(folder, "default"), "cpu") as model:
        assert_same(model(noise(*SHAPES[0])), model(noise(*SHAPES[0]), 0.3))
        assert np.abs(model(noise(*SHAPES[0])) - model(noise(*SHAPES[0]), 0.9)).max() > 1e-2
    with load(ort(folder, "alpha"), "cpu") as model, pytest.raises(AlphaError, match=r"alpha\.ort needs alpha"):
        model(noise(*SHAPES[0]))


@each_policy
def test_the_note_says_that_the_file_runs_as_it_is(policy: str, folder: Path):
    with load(ort(folder, "alpha"), "cpu", alpha_policy=policy) as model:
        wanted = "the graph blends the weights with every call (only an .onnx file can be laid out or pinned)"
        assert model.alpha_note == wanted
        model(noise(*SHAPES[0]), 0.5)
        assert model.settle(timeout_s=0)
    with load(ort(folder, "baked"), "cpu", alpha_policy=policy) as model:
        assert model.alpha_note == "the model has no alpha input"


def test_images_on_the_command_line(folder: Path, tmp_path: Path):
    photo = save_image(tmp_path / "photo.png", picture(40, 60, 3))
    for path in (ort(folder, "alpha"), folder / "alpha.onnx"):
        dni("run", path, photo, "--alpha", "0.3", "--tile", "32", "-o", tmp_path / f"{path.suffix}.png").assert_ok()
    got, wanted = (read_image(tmp_path / f"{suffix}.png").astype(int) for suffix in (".ort", ".onnx"))
    assert np.abs(got - wanted).max() <= 1  # float32 sums in another order may round to the next value


# --- what can be told of one ---


@each_style
def test_inspect_tells_what_the_file_tells(style: str, folder: Path):
    path = ort(folder, "alpha", style)
    text = dni("inspect", path).assert_ok().out
    for fact in ("input: float32[N,3,H,W]", "alpha: float32[1]", "a.safetensors (SHA-256 ", "0..1, no default"):
        assert " ".join(fact.split()) in " ".join(text.split())
    assert "not told by an .ort file, nor its weights; inspect the .onnx file" in " ".join(text.split())
    data = dni("inspect", path, "--json").assert_ok().json
    original = dni("inspect", folder / "alpha.onnx", "--json").assert_ok().json
    assert (data["format"], original["format"]) == ("ort", "onnx")
    for key in ("metadata", "inputs", "outputs", "opset", "external_files"):
        if key != "outputs":  # sizes that the .onnx file leaves open may have been inferred
            assert data[key] == original[key]
    assert list(data["outputs"]) == ["output"]
    assert data["file_bytes"] == path.stat().st_size


def test_inspect_of_another_tools_file(folder: Path):
    text = dni("inspect", ort(folder, "foreign")).assert_ok().out
    assert "another tool: no dni metadata" in text
    assert "opset" not in text
    assert "input alpha: float32[1]" in " ".join(dni("inspect", ort(folder, "default")).assert_ok().out.split())


# --- what cannot be done with one ---


@pytest.mark.parametrize("keep", [8, 100, 5000])
def test_a_part_of_a_file(keep: int, folder: Path, tmp_path: Path):
    path = tmp_path / "part.ort"
    path.write_bytes(ort(folder, "alpha").read_bytes()[:keep])
    with pytest.raises(ModelError, match=r"part\.ort is not an \.ort file, or only a part of one: copy it, or convert"):
        load(path, "cpu")
    dni("inspect", path).assert_error(f"{path} is not an .ort file, or only a part of one: copy it, or convert")


def test_other_content(folder: Path, tmp_path: Path):
    whole = ort(folder, "alpha").read_bytes()
    for content in (whole[:8] + noise(5000).tobytes(), whole[:2000] + bytes(500) + whole[2500:]):
        (tmp_path / "model.ort").write_bytes(content)
        with pytest.raises(ModelError, match=r"model\.ort (is not an \.ort file|cannot be loaded)"):
            load(tmp_path / "model.ort", "cpu")
    save(MODELS["baked"], tmp_path / "model.ort")
    with pytest.raises(ModelError, match=r"model\.ort is not an \.ort file"):
        load(tmp_path / "model.ort", "cpu")


def test_another_suffix(folder: Path, tmp_path: Path):
    (tmp_path / "model.onnx").write_bytes(ort(folder, "alpha").read_bytes())
    with pytest.raises(ModelError, match=r"model\.onnx is in ONNX Runtime's own format: call it model\.ort"):
        load(tmp_path / "model.onnx", "cpu")


def test_bench_says_that_it_needs_the_onnx_file(folder: Path):
    message = "is an .ort file, which cannot be baked; measure the .onnx file that it was made from"
    dni("bench", ort(folder, "alpha")).assert_error(message)


def test_metadata_of_another_format_is_refused(folder: Path, tmp_path: Path):
    photo = save_image(tmp_path / "photo.png", picture(8, 8, 3))
    for arguments in (("inspect",), ("run", "-o", tmp_path / "out.png", photo, "--alpha", "0.5")):
        name, *rest = arguments
        dni(name, ort(folder, "newer"), *rest).assert_error("metadata has format 9")
