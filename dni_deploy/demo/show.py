"""`dni demo`: the main job from end to end on the bundled pair."""

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx

import dni_runtime
from dni_deploy import terminal
from dni_deploy.image_files.read_write import read_image, write_image
from dni_deploy.photographs.contact_sheet import contact_sheet
from dni_deploy.photographs.enhance_files import enhance_files
from dni_exporters import export
from dni_exporters.extra import require_extra
from dni_runtime import DniError, OutputError
from dni_runtime.files.unfinished import unfinished_file
from dni_runtime.onnx_files.external_data import read_tensor

from . import EXPORTED, PHOTOGRAPH, PHOTOGRAPH_NOISY, STRONG, WEAK

ALPHAS = (1.0, 0.8, 0.6, 0.4, 0.2, 0.0)


def show(folder: Path, *, force: bool = False) -> None:
    """Write denoise.onnx, a sweep of the photograph over alpha and sheet.png into `folder`; say what they are.

    Without the extra `export` the model is a copy of one that was exported before. Raises OutputError if the folder
    holds results already, unless `force`.
    """
    model_path, sheet_path = folder / "denoise.onnx", folder / "sheet.png"
    there = [p for p in (model_path, sheet_path, *folder.glob(f"{PHOTOGRAPH_NOISY.stem}_alpha*")) if p.exists()]
    if there and not force:
        raise OutputError(f"{there[0]} exists already and is kept; replace it with --force, or choose another folder")
    with terminal.status("loading PyTorch") as step:
        terminal.say(*_make_model(model_path, force=force, progress=step).split("\n"))
        step("denoising the photograph at six strengths")
        with dni_runtime.load(model_path) as model:
            results = enhance_files(model, [PHOTOGRAPH_NOISY], folder, ALPHAS, overwrite=force)
    clean, noisy = read_image(PHOTOGRAPH), read_image(PHOTOGRAPH_NOISY)
    images, labels = [noisy], [f"noisy, {psnr_db(noisy, clean):.1f} dB"]
    for result, alpha in zip(results, ALPHAS, strict=True):
        image = read_image(result.output)
        images.append(image)
        labels.append(f"alpha {alpha:g}, {psnr_db(image, clean):.1f} dB")
    images.append(clean)
    labels.append("clean")
    write_image(sheet_path, contact_sheet(images, labels, title="One ONNX file, alpha from 1 to 0", columns=4))
    quoted = shlex.quote(str(model_path))
    terminal.say(
        "",
        f"{sheet_path} shows the same photograph at {len(ALPHAS)} strengths, PSNR against the clean one; the two",
        "networks alone are at alpha 1 and 0, the best results lie between them. Try next:",
        "",
        f"  dni run {quoted} YOUR-PHOTO.jpg --alpha 0.5 -o result.png",
        f"  dni inspect {quoted}",
        "  dni-export YOUR-A.pth YOUR-B.pth --alpha-input -o model.onnx",
    )


def _make_model(path: Path, *, force: bool, progress: Callable[[str], None]) -> str:
    """Write the alpha-input model to `path`; returns one line about it."""
    try:
        require_extra()
    except DniError as missing:
        terminal.remark([f"{missing}; what comes with the demo was exported before"])
        _copy_exported(path)
        return f"{path}  {path.stat().st_size / 1e6:.2f} MB  alpha-input"
    return export([WEAK, STRONG], path, alpha_input=True, force=force, progress=progress).summary()


def _copy_exported(path: Path) -> None:
    """Write EXPORTED and its weights as one file, whole or not at all."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        model = onnx.load(EXPORTED, load_external_data=False)
        for tensor in model.graph.initializer:
            tensor.CopyFrom(onnx.numpy_helper.from_array(read_tensor(tensor, EXPORTED.parent), tensor.name))
        with unfinished_file(path) as file:
            onnx.save(model, file)
    except OSError as error:
        raise OutputError(f"{path} cannot be written ({error})") from None


def psnr_db(image: npt.NDArray[Any], reference: npt.NDArray[Any]) -> float:
    """Peak signal-to-noise ratio of two uint8 images in dB, peak 255."""
    error = np.mean((image.astype(np.float64) - reference.astype(np.float64)) ** 2)
    return float(10 * np.log10(255**2 / error)) if error else float("inf")
