"""`dni run` on the bundled pair and photograph."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import spandrel
import torch
from commands import command, dni, results_in
from exporting import blended
from numpy.typing import NDArray
from onnx_models import METADATA, baked, conv_stack, save
from photographs import noisy_crop, save_image
from safetensors.torch import load_file

from dni_deploy.demo import STRONG, WEAK
from dni_deploy.image_files.read_write import read_image


def pytorch(image: NDArray[np.uint8], alpha: float) -> NDArray[np.int16]:
    """What the paper's code would answer: the blended network, loaded by spandrel, in grey levels."""
    network = spandrel.ModelLoader().load_from_state_dict(blended(load_file(WEAK), load_file(STRONG), alpha)).model
    x = torch.from_numpy(image.transpose(2, 0, 1)[None].astype(np.float32) / 255)
    with torch.inference_mode():
        y = network.eval()(x)[0].clamp(0, 1)
    return np.rint(y.numpy().transpose(1, 2, 0) * 255).astype(np.int16)


def assert_equals_pytorch(output: Path, image: NDArray[np.uint8], alpha: float) -> None:
    # Exports agree within 1e-5, so that only values near the middle of two grey levels may round differently.
    difference = np.abs(read_image(output) - pytorch(image, alpha))
    assert difference.max() <= 1
    assert difference.mean() < 0.01


def test_the_second_command_writes_what_pytorch_computes(denoiser: Path, photo: Path, tmp_path: Path):
    result = command("dni", "run", denoiser, photo, "--alpha", "0.7", "-o", "out.png", cwd=tmp_path).assert_ok()
    assert re.fullmatch(r"out\.png  alpha 0\.7  \d+\.\d\d s\n", result.out)
    assert re.fullmatch(r"running on \w+ \(.+\)\n", result.err)
    assert_equals_pytorch(tmp_path / "out.png", noisy_crop(), 0.7)


@pytest.mark.parametrize("alpha", [0, 0.25, 1])
def test_alpha_is_the_share_of_the_first_network(denoiser: Path, photo: Path, tmp_path: Path, alpha: float):
    dni("run", denoiser, photo, "--alpha", alpha, "-o", tmp_path / "out.png").assert_ok()
    assert_equals_pytorch(tmp_path / "out.png", noisy_crop(), alpha)


def test_a_result_in_tiles_says_that_its_network_looks_at_the_whole_image(photo: Path, tmp_path: Path):
    model = save(conv_stack(metadata=replace(METADATA, view="whole")), tmp_path / "model.onnx")
    note = "the network looks at the whole image, so untiled (tile 0) is another picture, and takes more memory"
    asked = ("run", model, photo, "--alpha", "0.7", "--force", "-o", tmp_path / "out.png")
    assert note in dni(*asked, "--tile", "24").assert_ok().out
    assert json.loads(dni(*asked, "--tile", "24", "--json").assert_ok().out)["notes"] == [note]
    assert note not in dni(*asked, "--tile", "0").assert_ok().out


def test_a_sweep_names_its_results_and_makes_a_sheet(denoiser: Path, photo: Path, tmp_path: Path):
    output, sheet = tmp_path / "sweep", tmp_path / "sheet.png"
    alphas = ("--alpha", "0:1:0.5", "--alpha", "0.501")
    result = dni("run", denoiser, photo, *alphas, "-o", output, "--sheet", sheet).assert_ok()
    files = {f"photo_alpha{text}.png": float(text) for text in ("0.000", "0.500", "0.501", "1.000")}
    assert results_in(output) == sorted(files)
    for name, alpha in files.items():
        assert_equals_pytorch(output / name, noisy_crop(), alpha)
    assert {line.split()[0] for line in result.out.splitlines()} == {str(output / name) for name in files}
    assert read_image(sheet).shape[1] > 3 * 80  # the input and the results side by side


def test_a_sheet_may_lie_in_the_folder_of_results(denoiser: Path, photo: Path, tmp_path: Path):
    sheet = tmp_path / "new" / "sheet.jpg"
    dni("run", denoiser, photo, "--alpha", "0:1:1", "-o", tmp_path / "new", "--sheet", sheet).assert_ok()
    assert results_in(tmp_path / "new") == ["photo_alpha0.00.png", "photo_alpha1.00.png", "sheet.jpg"]


def test_a_folder_keeps_its_names(denoiser: Path, tmp_path: Path):
    folder, output = tmp_path / "photos", tmp_path / "results"
    for index, name in enumerate(("a.png", "b.png")):
        save_image(folder / name, noisy_crop(40 + index, 50))
    report = dni("run", denoiser, folder, "--alpha", "0.4", "-o", output, "--json").assert_ok().json_lines
    assert results_in(output) == ["a.png", "b.png"]
    assert [(entry["input"], entry["output"], entry["alpha"], entry["error"]) for entry in report] == [
        (str(folder / name), str(output / name), [0.4], None) for name in ("a.png", "b.png")
    ]
    assert all(entry["seconds"] > 0 for entry in report)
    assert_equals_pytorch(output / "b.png", noisy_crop(41, 50), 0.4)


def test_a_sheet_of_several_inputs_has_a_row_for_each(tmp_path: Path):
    model = save(conv_stack(), tmp_path / "model.onnx")
    for name in ("a", "b", "c"):
        save_image(tmp_path / "photos" / f"{name}.png", noisy_crop(20, 20))
    options = ("-o", tmp_path / "out", "--sheet", tmp_path / "sheet.png")
    dni("run", model, tmp_path / "photos", "--alpha", "0:1:1", *options).assert_ok()
    height, width, _ = read_image(tmp_path / "sheet.png").shape
    assert height == pytest.approx(width, rel=0.2)  # 3 rows of input and two results


def test_tiles_give_the_same_image(denoiser: Path, photo: Path, tmp_path: Path):
    dni("run", denoiser, photo, "--alpha", "0.5", "-o", tmp_path / "whole.png", "--tile", "0").assert_ok()
    dni("run", denoiser, photo, "--alpha", "0.5", "-o", tmp_path / "tiled.png", "--tile", "32").assert_ok()
    whole, tiled = (read_image(tmp_path / name).astype(int) for name in ("whole.png", "tiled.png"))
    assert np.abs(whole - tiled).max() <= 1
    cut = ("--tile", "32", "--overlap", "0")
    dni("run", denoiser, photo, "--alpha", "0.5", "-o", tmp_path / "cut.png", *cut).assert_ok()
    assert np.abs(whole - read_image(tmp_path / "cut.png")).max() > 1  # what the overlap is there for


def test_a_baked_model_needs_no_alpha_and_takes_no_other(tmp_path: Path, photo: Path):
    model = tmp_path / "m.onnx"
    dni("export", WEAK, STRONG, "--alpha", "0.7", "-o", model).assert_ok()
    dni("run", model, photo, "-o", tmp_path / "out.png").assert_ok()
    assert_equals_pytorch(tmp_path / "out.png", noisy_crop(), 0.7)
    dni("run", model, photo, "--alpha", "0.7", "-o", tmp_path / "same.png").assert_ok()
    refused = dni("run", model, photo, "--alpha", "0.6", "-o", tmp_path / "other.png")
    assert refused.code == 1
    assert "Error: alpha is 0.6, but m.onnx is baked for 0.7" in refused.err
    assert not (tmp_path / "other.png").exists()


def test_16_bits_stay_16_bits(denoiser: Path, tmp_path: Path):
    deep = noisy_crop().astype(np.uint16) * 257 + np.arange(80, dtype=np.uint16)[:, None] % 64
    source = save_image(tmp_path / "deep.png", deep)
    dni("run", denoiser, source, "--alpha", "0.5", "-o", tmp_path / "out.png").assert_ok()
    result = read_image(tmp_path / "out.png")
    assert (result.dtype, result.shape) == (np.uint16, deep.shape)
    assert len(np.unique(result % 257)) > 200  # not 8 bits stretched to 16
    shallow = pytorch(noisy_crop(), 0.5) * 257.0
    assert np.abs(result - shallow).mean() < 300  # the same picture, to about one grey level of 8 bits


def test_opacity_is_kept(denoiser: Path, tmp_path: Path):
    opacity = np.linspace(1, 255, 60 * 80).astype(np.uint8).reshape(60, 80, 1)
    source = save_image(tmp_path / "rgba.png", np.concatenate([noisy_crop(), opacity], axis=2))
    dni("run", denoiser, source, "--alpha", "0.5", "-o", tmp_path / "out.png").assert_ok()
    result = read_image(tmp_path / "out.png")
    np.testing.assert_array_equal(result[:, :, 3:], opacity)
    assert np.abs(result[:, :, :3] - pytorch(noisy_crop(), 0.5)).max() <= 1


def test_names_that_look_like_markup_are_printed_as_they_are(tmp_path: Path):
    model = save(baked(0.5), tmp_path / "model[bold].onnx")
    source = save_image(tmp_path / "photo[red].png", noisy_crop(20, 20))
    result = dni("run", model, source, "-o", tmp_path / "out[dim].png").assert_ok()
    assert result.out.startswith(str(tmp_path / "out[dim].png"))


def test_why_there_is_no_gpu_is_told_whole_to_whoever_asks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    remedy = 'pip install "dni-deploy[cuda]"'  # [cuda] would be markup
    monkeypatch.setattr("dni_runtime.providers.choosing.why_not", lambda name: None if name == "cpu" else remedy)
    source = save_image(tmp_path / "photo.png", noisy_crop(20, 20))
    arguments = ("run", save(baked(0.5), tmp_path / "m.onnx"), source, "-o", tmp_path / "out.png")
    assert dni(*arguments).assert_ok().err == "running on cpu (cuda cannot be used; --provider cuda tells why)\n"
    dni(*arguments, "--force", "--provider", "cuda").assert_error(f"Error: cuda is not available: {remedy}\n")
