"""The shipped pair does what the demo says: its blends fit the noise between its endpoints."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import spandrel
import torch
from PIL import Image
from safetensors.torch import load_file

State = Mapping[str, torch.Tensor]

DEMO = Path(__file__).parents[2] / "dni_deploy" / "demo"
WEAK, STRONG = DEMO / "weak.safetensors", DEMO / "strong.safetensors"
ALPHAS = [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
CROP_PX = 256
NOISE_SEED = 7


def blend(a: State, b: State, alpha: float) -> dict[str, torch.Tensor]:
    return {key: alpha * a[key] + (1 - alpha) * b[key] for key in a}


@cache
def clean_photograph() -> torch.Tensor:
    """The middle of it: the eyes and the fur around them."""
    with Image.open(DEMO / "photograph.png") as image:
        pixels = np.asarray(image, np.float32) / 255
    top, left = ((side - CROP_PX) // 2 for side in pixels.shape[:2])
    pixels = pixels[top : top + CROP_PX, left : left + CROP_PX]
    return torch.from_numpy(pixels.transpose(2, 0, 1).copy())[None]


def psnr_db(state: State, sigma: float) -> float:
    """How well these weights clean the shipped photograph of unclipped noise; the output is clipped."""
    clean = clean_photograph()
    noise = np.random.default_rng(NOISE_SEED).standard_normal(clean.shape, np.float32)
    model = spandrel.ModelLoader().load_from_state_dict(dict(state)).model.eval()
    with torch.inference_mode():
        cleaned = model(clean + torch.from_numpy(noise) * (sigma / 255)).clamp(0, 1)
    return float(-10 * torch.log10((cleaned - clean).square().mean()))


@cache
def curve(sigma: int) -> list[float]:
    """PSNR for every alpha in ALPHAS."""
    weak, strong = load_file(WEAK), load_file(STRONG)
    return [psnr_db(blend(weak, strong, alpha), sigma) for alpha in ALPHAS]


def best_alpha(sigma: int) -> float:
    return ALPHAS[int(np.argmax(curve(sigma)))]


@pytest.mark.parametrize("path", [WEAK, STRONG], ids=lambda path: path.stem)
def test_spandrel_detects_a_compact_network_of_scale_1(path: Path):
    found = spandrel.ModelLoader().load_from_file(path)
    assert found.architecture.id == "Compact"
    assert (found.scale, found.input_channels, found.output_channels) == (1, 3, 3)


def test_the_pair_is_float32_and_of_one_shape():
    weak, strong = load_file(WEAK), load_file(STRONG)
    assert {k: v.shape for k, v in weak.items()} == {k: v.shape for k, v in strong.items()}
    assert {v.dtype for v in [*weak.values(), *strong.values()]} == {torch.float32}


def test_the_pair_takes_at_most_a_megabyte():
    assert WEAK.stat().st_size + STRONG.stat().st_size <= 1_000_000


def test_the_noisy_photograph_is_the_clean_one_with_noise_of_sigma_30():
    with Image.open(DEMO / "photograph.png") as clean, Image.open(DEMO / "photograph_noisy.png") as noisy:
        assert clean.mode == noisy.mode == "RGB"
        difference = np.asarray(noisy, np.float64) - np.asarray(clean, np.float64)
    # Rounding to 8 bits adds little, clipping takes a little away where the photograph is dark.
    assert difference.std() == pytest.approx(30, abs=0.5)
    assert abs(difference.mean()) < 0.5


# Measured on this crop and grid: 1.39 dB at 25, 1.70 dB at 30. The noise is fixed, so little of it can move.
@pytest.mark.parametrize(("sigma", "gain_db"), [(25, 1.3), (30, 1.6)])
def test_the_best_blend_beats_both_endpoints_between_their_noises(sigma: int, gain_db: float):
    values = curve(sigma)
    assert max(values[1:-1]) >= max(values[0], values[-1]) + gain_db


def test_the_best_alpha_moves_from_weak_to_strong_as_noise_rises():
    order = [best_alpha(sigma) for sigma in (15, 25, 30, 50)]
    assert order == sorted(order, reverse=True)
    assert order[0] == 1
    assert order[-1] == 0


def test_the_same_function_with_its_channels_reordered_does_not_blend():
    """What makes the pair blend is that one was fine-tuned from the other, not that both denoise."""
    strong = load_file(STRONG)
    order = torch.from_numpy(np.random.default_rng(0).permutation(32))
    reordered = dict(strong)
    for key in ("body.8.weight", "body.8.bias", "body.9.weight"):
        reordered[key] = strong[key][order]
    reordered["body.10.weight"] = strong["body.10.weight"][:, order].contiguous()
    assert psnr_db(reordered, 25) == pytest.approx(curve(25)[0], abs=0.01)
    middle = psnr_db(blend(load_file(WEAK), reordered, 0.4), 25)
    assert middle < curve(25)[ALPHAS.index(0.4)] - 1
