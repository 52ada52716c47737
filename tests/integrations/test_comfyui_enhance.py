"""Load DNI Model and Enhance (DNI): the pixels are those of `enhance`, bit for bit, whatever ComfyUI hands over."""

import importlib
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from comfyui_pack import Pack
from onnx_models import conv_stack, noise, save, unet

from dni_runtime import PROVIDERS, AlphaError, InputError, ModelError, ProviderError, load

KINDS: dict[str, Any] = {
    "of the same size": conv_stack,
    "twice as large": lambda: conv_stack(scale=2),
    "half as large": lambda: conv_stack(scale=0.5),
    "grey": lambda: conv_stack(channels=1, scale=2),
    "multiples of 4": unet,
}
HEIGHT, WIDTH = 37, 53


def model_in(pack: Pack, proto: Any, name: str = "model.onnx") -> Path:
    return save(proto, pack.models / name)


def wanted(file: Path, images: torch.Tensor, alpha: float, **settings: Any) -> np.ndarray:
    with load(file, "cpu", threads=1) as model:
        return np.stack([model.enhance(image.numpy(), alpha, **settings) for image in images])


def batch(count: int = 2, channels: int = 3) -> torch.Tensor:
    return torch.from_numpy(noise(count, HEIGHT, WIDTH, channels))


def enhance(pack: Pack, model: Any, image: torch.Tensor, alpha: float = 0.3, tile: int = 0, **more: Any) -> Any:
    return pack.run("DNIEnhance", model=model, image=image, alpha=alpha, tile=tile, **more)


@pytest.mark.parametrize("kind", KINDS)
def test_images_are_those_of_enhance(kind: str, pack: Pack):
    file = model_in(pack, KINDS[kind]())
    model, images = pack.load(file), batch()
    for alpha in (0.0, 0.3, 1.0):
        result, mask = enhance(pack, model, images, alpha)
        np.testing.assert_array_equal(result.numpy(), wanted(file, images, alpha))
        assert result.dtype == torch.float32
        assert mask.shape == result.shape[:3]
        assert not mask.any()


def test_images_may_lie_in_planes(pack: Pack):
    """As nodes that ran a network leave them."""
    file, images = model_in(pack, conv_stack(scale=2)), batch()
    planes = images.movedim(3, 1).contiguous().movedim(1, 3)
    assert not planes.is_contiguous()
    result, _ = enhance(pack, pack.load(file), planes)
    np.testing.assert_array_equal(result.numpy(), wanted(file, images, 0.3))


def test_tiles_too(pack: Pack):
    file, images = model_in(pack, conv_stack(scale=2)), batch(1)
    result, _ = enhance(pack, pack.load(file), images, tile=16)
    np.testing.assert_array_equal(result.numpy(), wanted(file, images, 0.3, tile=16))


@pytest.mark.parametrize("kind", ["of the same size", "twice as large", "grey"])
@pytest.mark.parametrize("masks", [1, 2])
def test_a_mask_is_opacity_and_comes_back_as_one(kind: str, masks: int, pack: Pack):
    file, images = model_in(pack, KINDS[kind]()), batch()
    mask = torch.from_numpy(noise(masks, HEIGHT, WIDTH, seed=3))
    mask[:, 5:20, 5:20], mask[:, 25:, :] = 1.0, 0.0
    result, back = enhance(pack, pack.load(file), images, mask=mask)
    opacity = (1.0 - mask).expand(2, -1, -1)[..., None]
    expected = wanted(file, torch.cat([images, opacity], 3), 0.3)
    np.testing.assert_array_equal(result.numpy(), expected[..., :3])
    np.testing.assert_array_equal(back.numpy(), 1.0 - expected[..., 3])


def test_an_image_may_carry_its_opacity(pack: Pack):
    file, images = model_in(pack, conv_stack(scale=2)), batch(1, 4)
    result, mask = enhance(pack, pack.load(file), images)
    expected = wanted(file, images, 0.3)
    np.testing.assert_array_equal(result.numpy(), expected)
    np.testing.assert_array_equal(mask.numpy(), 1.0 - expected[..., 3])


def test_the_mask_of_an_image_without_opacity_is_none(pack: Pack):
    """Load Image gives 64 x 64 zeros then, whatever the image's size."""
    file, images = model_in(pack, conv_stack(scale=2)), batch(1)
    result, mask = enhance(pack, pack.load(file), images, mask=torch.zeros(1, 64, 64))
    np.testing.assert_array_equal(result.numpy(), wanted(file, images, 0.3))
    assert mask.shape == (1, 2 * HEIGHT, 2 * WIDTH)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_floats_are_taken_as_what_they_are(dtype: torch.dtype, pack: Pack):
    file, images = model_in(pack, conv_stack()), batch(1).to(dtype)
    result, _ = enhance(pack, pack.load(file), images)
    np.testing.assert_array_equal(result.numpy(), wanted(file, images.float(), 0.3))


@pytest.mark.parametrize(
    ("image", "more", "error", "message"),
    [
        (batch().to(torch.uint8), {}, ValueError, r"the image is a tensor of torch\.uint8 \(2, 37, 53, 3\); expected"),
        (batch()[0], {}, ValueError, r"the image is a tensor of torch\.float32 \(37, 53, 3\); expected an IMAGE"),
        (batch()[:0], {}, ValueError, "expected an IMAGE: .*, one image or more"),
        (batch(), {"mask": torch.ones(1, 9, 9)}, ValueError, r"the mask is \(1, 9, 9\) and the images are \(2, 37, 53"),
        (batch(2, 4), {"mask": torch.ones(1, HEIGHT, WIDTH)}, ValueError, "the image has 4 channels and there is a ma"),
        (batch() * float("nan"), {}, InputError, "NaN"),
        (batch(2, 2), {}, InputError, "expected"),
        (batch(), {"alpha": 1.5}, AlphaError, r"alpha 1\.5 is out of range"),
        (batch(), {"alpha_text": "much"}, ValueError, "alpha_text is 'much'; expected numbers with commas"),
        (batch(), {"alpha_text": "0.1,0.2"}, AlphaError, r"2 value\(s\); expected a finite number"),
        (batch(), {"alpha_text": "auto"}, AlphaError, "dni calibrate"),
    ],
)
def test_what_does_not_fit_is_said(
    image: torch.Tensor, more: dict[str, Any], error: type[Exception], message: str, pack: Pack
):
    model = pack.load(model_in(pack, conv_stack()))
    with pytest.raises(error, match=message):
        enhance(pack, model, image, **more)


def test_alpha_may_be_written(pack: Pack):
    file, images = model_in(pack, conv_stack()), batch(1)
    result, _ = enhance(pack, pack.load(file), images, 0.9, alpha_text=" 0.25 ")
    np.testing.assert_array_equal(result.numpy(), wanted(file, images, 0.25))


def test_progress_goes_through_the_tiles_of_all_images(pack: Pack, monkeypatch: pytest.MonkeyPatch):
    told: list[tuple[int, int]] = []

    def hook(done: int, total: int, preview: Any, node_id: Any = None) -> None:
        told.append((done, total))

    monkeypatch.setattr(importlib.import_module("comfy.utils"), "PROGRESS_BAR_HOOK", hook)
    enhance(pack, pack.load(model_in(pack, conv_stack())), batch(3), tile=32)
    tiles = told[-1][1]
    assert tiles % 3 == 0
    assert tiles > 3
    assert told[-1] == (tiles, tiles)
    assert [done for done, _ in told] == sorted({done for done, _ in told})


def test_whoever_interrupts_waits_for_a_tile(pack: Pack, monkeypatch: pytest.MonkeyPatch):
    """The exception is ComfyUI's own, and the model goes on to work afterwards."""
    management = importlib.import_module("comfy.model_management")
    calls: list[int] = []

    def hook(done: int, total: int, preview: Any, node_id: Any = None) -> None:
        calls.append(done)
        management.interrupt_current_processing(True)

    file, images = model_in(pack, conv_stack()), batch(1)
    model = pack.load(file)
    monkeypatch.setattr(importlib.import_module("comfy.utils"), "PROGRESS_BAR_HOOK", hook)
    with pytest.raises(management.InterruptProcessingException):
        enhance(pack, model, images, tile=16)
    assert calls == [0]
    monkeypatch.undo()
    result, _ = enhance(pack, model, images, tile=16)
    np.testing.assert_array_equal(result.numpy(), wanted(file, images, 0.3, tile=16))


def test_the_bundled_pair_runs(pack: Pack, denoiser: Path):
    file = pack.models / "denoise.onnx"
    file.write_bytes(denoiser.read_bytes())
    result, _ = enhance(pack, pack.load(file), batch(1))
    np.testing.assert_array_equal(result.numpy(), wanted(file, batch(1), 0.3))


def test_models_are_those_of_the_folder(pack: Pack):
    model_in(pack, conv_stack(), "new.onnx")
    (pack.models / "notes.txt").touch()
    names, provider, _ = pack.nodes["DNILoadModel"].define_schema().inputs
    assert "new.onnx" in names.options
    assert "notes.txt" not in names.options
    assert provider.options == list(PROVIDERS)


def test_a_model_that_was_exported_again_is_loaded_again(pack: Pack):
    file, node = model_in(pack, conv_stack(seed=1)), pack.nodes["DNILoadModel"]
    asked = {"model_name": file.name, "provider": "cpu", "threads": 0}
    first = node.fingerprint_inputs(**asked)
    assert node.fingerprint_inputs(**asked) == first
    os.utime(file, ns=(0, 0))
    assert node.fingerprint_inputs(**asked) != first


def test_what_cannot_be_loaded_is_said(pack: Pack):
    (pack.models / "corrupt.onnx").write_bytes(os.urandom(999))
    with pytest.raises(ModelError, match=r"corrupt\.onnx is not an ONNX file"):
        pack.load(pack.models / "corrupt.onnx")
    with pytest.raises(ValueError, match=r"there is no model gone\.onnx in .*dni; put it there"):
        pack.load(Path("gone.onnx"))
    with pytest.raises(ValueError, match="there is no model "):
        pack.run("DNILoadModel", model_name="../../secret.onnx", provider="cpu", threads=0)
    model_in(pack, conv_stack())
    with pytest.raises(ProviderError, match="tensorrt"):
        pack.run("DNILoadModel", model_name="model.onnx", provider="tensorrt", threads=0)
