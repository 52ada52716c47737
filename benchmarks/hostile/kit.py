"""What strangers' files are tried with: a good model, a good picture, a good checkpoint, and what should come out."""

import subprocess
from pathlib import Path

import checkpoints
import images
import models
import networks
import numpy as np
import onnxruntime
from PIL import Image
from safetensors.numpy import save_file
from worker import Ways

_ORT_WEB = "onnxruntime-web@1.30.0"


def make_kit(folder: Path, ort_web: Path | None) -> Ways:
    """The ways of every kind; their files are written into `folder`. Without `ort_web` no page is made."""
    folder.mkdir(parents=True, exist_ok=True)
    model, expected = folder / "good.onnx", folder / "expected.npy"
    # In the order of their names the one comes before a stranger's, the other after it.
    beside = (folder / "0 good.png", folder / "~ good.png")
    model.write_bytes(networks.alpha_input().SerializeToString())
    pixels = np.random.default_rng(4).integers(0, 256, (24, 20, 3), np.uint8)
    for picture in beside:
        Image.fromarray(pixels).save(picture)
    np.save(expected, _run(model, pixels))
    save_file(networks.weights(6), folder / "good.safetensors")
    picture_kit = images.Kit(model, beside, expected)
    model_kit, checkpoint_kit = models.Kit(ort_web or folder), checkpoints.Kit(folder / "good.safetensors")
    ways: Ways = {
        "image": {"read_image": picture_kit.read, "run": picture_kit.run},
        "model": {"inspect": model_kit.inspect, "load": model_kit.load, "ship triton": model_kit.triton},
        "checkpoint": {"inspect": checkpoint_kit.inspect, "blend": checkpoint_kit.blend},
    }
    if ort_web is not None:
        ways["model"]["ship web"] = model_kit.web
    return ways


def _run(model: Path, pixels: np.ndarray) -> np.ndarray:
    """By ONNX Runtime alone, on the file as it is."""
    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    x = (pixels.astype(np.float32) / 255).transpose(2, 0, 1)[None]
    y = session.run(None, {"input": x, "alpha": np.array([0.5], np.float32)})[0]
    return np.rint(y[0].transpose(1, 2, 0).clip(0, 1) * 255).astype(np.uint8)


def fetch_ort_web(cache: Path) -> Path | None:
    """The npm package onnxruntime-web, or None where npm cannot bring it."""
    package = cache / "npm" / "node_modules" / _ORT_WEB.partition("@")[0]
    if not package.is_dir():
        command = ["npm", "install", "--prefix", str(cache / "npm"), "--no-save", "--no-audit", "--no-fund",
                   "--ignore-scripts", "--silent", _ORT_WEB]  # fmt: skip
        try:
            subprocess.run(command, check=True, capture_output=True, timeout=300)
        except (OSError, subprocess.SubprocessError):
            return None
    return package
