"""`dni demo`: the main job from end to end on the bundled pair."""

from pathlib import Path
from typing import Any

import click
import numpy as np
import numpy.typing as npt
from rich.console import Console

import dni_runtime
from dni_deploy.contact_sheet import contact_sheet
from dni_deploy.demo import PHOTOGRAPH, PHOTOGRAPH_NOISY, STRONG, WEAK
from dni_deploy.enhance_files import enhance_files
from dni_deploy.extras import import_exporters
from dni_deploy.image_files import read_image, write_image
from dni_runtime import OutputError

ALPHAS = (1.0, 0.8, 0.6, 0.4, 0.2, 0.0)


def show(folder: Path, *, force: bool = False) -> None:
    """Write denoise.onnx, a sweep of the photograph over alpha and sheet.png into `folder`; say what they are.

    Raises OutputError if the folder holds results already, unless `force`; DniError without the extra `export`.
    """
    console = Console(stderr=True, highlight=False)
    model_path, sheet_path = folder / "denoise.onnx", folder / "sheet.png"
    there = [p for p in (model_path, sheet_path, *folder.glob(f"{PHOTOGRAPH_NOISY.stem}_alpha*")) if p.exists()]
    if there and not force:
        raise OutputError(f"{there[0]} exists already and is kept; replace it with --force, or choose another folder")
    with console.status("loading PyTorch") as status:
        exporters = import_exporters()
        report = exporters.export(
            [WEAK, STRONG], model_path, alpha_input=True, force=force, progress=lambda step: status.update(step)
        )
        click.echo(report.summary())
        status.update("denoising the photograph at six strengths")
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
    click.echo(
        f"\n{sheet_path} shows the same photograph at {len(ALPHAS)} strengths, PSNR against the clean one; the two "
        "networks\nalone are at alpha 1 and 0, the best results lie between them. Try next:\n\n"
        f"  dni run {model_path} YOUR-PHOTO.jpg --alpha 0.5 -o result.png\n"
        f"  dni inspect {model_path}\n"
        "  dni-export YOUR-A.pth YOUR-B.pth --alpha-input -o model.onnx"
    )


def psnr_db(image: npt.NDArray[Any], reference: npt.NDArray[Any]) -> float:
    """Peak signal-to-noise ratio of two uint8 images in dB, peak 255."""
    error = np.mean((image.astype(np.float64) - reference.astype(np.float64)) ** 2)
    return float(10 * np.log10(255**2 / error)) if error else float("inf")
