"""A real pair to try everything on: two small denoisers and a photograph that neither was trained on.

ORIGINS.md in this folder tells where all of it comes from.
"""

from pathlib import Path

_FOLDER = Path(__file__).parent

WEAK = _FOLDER / "weak.safetensors"
"""Endpoint A: removes Gaussian noise of sigma 15 (of 255)."""

STRONG = _FOLDER / "strong.safetensors"
"""Endpoint B: fine-tuned from A to sigma 50."""

PHOTOGRAPH = _FOLDER / "photograph.png"
"""A held-out photograph, clean."""

PHOTOGRAPH_NOISY = _FOLDER / "photograph_noisy.png"
"""The same with Gaussian noise of sigma 30."""

EXPORTED = _FOLDER / "exported.onnx"
"""Both as an alpha-input model, for where there is no PyTorch; a graph that reads their two files."""

__all__ = ["EXPORTED", "PHOTOGRAPH", "PHOTOGRAPH_NOISY", "STRONG", "WEAK"]
