"""By hand: the nodes in a real ComfyUI, driven over its HTTP API and compared with `enhance`.

    python tests/support/comfyui/real_server.py http://127.0.0.1:8188 ~/ComfyUI

The server runs on this machine, with the nodes installed. Files of the bundled pair are put into its folders.
"""

import json
import os
import shutil
import sys
import time
import urllib.request
import uuid
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import dni_deploy
from dni_deploy.demo import PHOTOGRAPH_NOISY, STRONG, WEAK
from dni_runtime import load

Prompt = dict[str, dict[str, Any]]
MODEL, ALPHA = "real_server.onnx", 0.3


def call(path: str, data: object = None) -> Any:
    body = None if data is None else json.dumps(data).encode()
    request = urllib.request.Request(sys.argv[1] + path, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        text = answer.read()
    return json.loads(text) if text else None


def start(prompt: Prompt) -> str:
    return str(call("/prompt", {"prompt": prompt, "client_id": str(uuid.uuid4())})["prompt_id"])


def wait(prompt_id: str) -> dict[str, Any]:
    while not (history := call(f"/history/{prompt_id}")):
        time.sleep(0.1)
    return dict(history[prompt_id])


def said(history: dict[str, Any], kind: str) -> dict[str, Any]:
    """The message of that kind, such as execution_error."""
    return next((dict(data) for name, data in history["status"]["messages"] if name == kind), {})


def node(kind: str, **inputs: object) -> dict[str, Any]:
    return {"class_type": kind, "inputs": inputs}


def enhancing(image: str, alpha: float = ALPHA, tile: int = 0, model: str = MODEL) -> Prompt:
    return {
        "load": node("DNILoadModel", model_name=model, provider="cpu", threads=0),
        "image": node("LoadImage", image=image),
        "enhance": node("DNIEnhance", model=["load", 0], image=["image", 0], mask=["image", 1], alpha=alpha, tile=tile),
        "save": node("SaveImage", images=["enhance", 0], filename_prefix="real_server"),
    }


def upscaling(*models: dict[str, Any]) -> Prompt:
    """The last of `models` is the upscale model; they are called m0, m1 ..."""
    return {
        **{f"m{number}": each for number, each in enumerate(models)},
        "image": node("LoadImage", image="real_server.png"),
        "up": node("ImageUpscaleWithModel", upscale_model=[f"m{len(models) - 1}", 0], image=["image", 0]),
        "save": node("SaveImage", images=["up", 0], filename_prefix="real_server"),
    }


def pixels(comfyui: Path, history: dict[str, Any]) -> np.ndarray:
    assert history["status"]["status_str"] == "success", history["status"]
    (image,) = history["outputs"]["save"]["images"]
    return np.asarray(Image.open(comfyui / "output" / image["subfolder"] / image["filename"]))


def cut(floats: np.ndarray) -> np.ndarray:
    """What Save Image makes of floats in 0..1: it does not round."""
    return (255.0 * floats).astype(np.uint8)


def main(comfyui: Path) -> None:
    file = comfyui / "models" / "dni" / MODEL
    dni_deploy.export([WEAK, STRONG], file, alpha_input=True, force=True)
    (file.parent / "real_server_corrupt.onnx").write_bytes(os.urandom(999))
    for checkpoint in (WEAK, STRONG):
        shutil.copy(checkpoint, comfyui / "models" / "upscale_models")
    photo = Image.open(PHOTOGRAPH_NOISY).convert("RGB")
    photo.save(comfyui / "input" / "real_server.png")
    opaque = np.full((*photo.size[::-1], 1), 255, np.uint8)
    opaque[20:90, 20:200] = 0
    Image.fromarray(np.dstack([photo, opaque])).save(comfyui / "input" / "real_server_opacity.png")
    floats = np.asarray(photo, np.float32) / np.float32(255)

    model = load(file, "cpu")
    expected = model.enhance(floats, ALPHA)
    assert np.array_equal(pixels(comfyui, wait(start(enhancing("real_server.png")))), cut(expected))
    history = wait(start(enhancing("real_server.png", 0.7)))
    assert np.array_equal(pixels(comfyui, history), cut(model.enhance(floats, 0.7)))
    assert {"load", "image"} <= set(said(history, "execution_cached")["nodes"])
    print("Enhance: the pixels of enhance; another alpha loads nothing again")

    seen = model.enhance(np.dstack([floats, opaque.astype(np.float32) / 255]), ALPHA)[..., :3]
    assert np.array_equal(pixels(comfyui, wait(start(enhancing("real_server_opacity.png")))), cut(seen))
    print("opacity: as enhance")

    loading = node("DNILoadModel", model_name=MODEL, provider="cpu", threads=0)
    ours = upscaling(loading, node("DNIAsUpscaleModel", model=["m0", 0], alpha=ALPHA))
    assert np.array_equal(pixels(comfyui, wait(start(ours))), cut(expected))
    ends = [node("UpscaleModelLoader", model_name=each.name) for each in (WEAK, STRONG)]
    blend = upscaling(*ends, node("DNIBlendUpscaleModels", model_a=["m0", 0], model_b=["m1", 0], alpha=ALPHA))
    off = np.abs(pixels(comfyui, wait(start(blend))).astype(int) - cut(expected))
    assert off.max() <= 1  # PyTorch's sums are in another order: what is cut may fall on the other side
    print(f"upscale models: as enhance; a blend but for {(off > 0).mean():.2g} of the samples, by 1")

    for name, words in (("real_server_corrupt.onnx", "is not an ONNX file"), ("gone.onnx", "there is no model gone")):
        error = said(wait(start(enhancing("real_server.png", model=name))), "execution_error")
        assert words in error["exception_message"], error
    print("errors: in words")

    many = enhancing("real_server.png", 0.1, tile=32)
    many["many"] = node("RepeatImageBatch", image=["image", 0], amount=64)
    many["enhance"]["inputs"]["image"] = ["many", 0]
    running = start(many)
    while not any(each[1] == running for each in call("/queue")["queue_running"]):
        time.sleep(0.01)
    time.sleep(0.5)
    call("/interrupt", {})
    assert said(wait(running), "execution_interrupted")
    assert np.array_equal(
        pixels(comfyui, wait(start(enhancing("real_server.png", 1.0)))), cut(model.enhance(floats, 1.0))
    )
    print("interrupted, and goes on")


if __name__ == "__main__":
    main(Path(sys.argv[2]).expanduser())
