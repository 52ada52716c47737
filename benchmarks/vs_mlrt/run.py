"""Run files made with --single-input in VapourSynth's vs-mlrt itself, and compare with our runtime.

  pip install vapoursynth vapoursynth-mlrt-ort        VapourSynth's wheels need Python 3.12
  python benchmarks/vs_mlrt/run.py

Exports the bundled pair, twice: baked, and with alpha as a fourth plane. The photograph is an RGBS clip, alpha a
GRAYS one beside it; whole frames and overlapping tiles; fails where a pixel differs by more than 1e-4.
"""

import tempfile
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

import dni_runtime
from dni_deploy.demo import PHOTOGRAPH_NOISY, STRONG, WEAK
from dni_deploy.image_files.read_write import read_image

# Sums in another order, by another version of ONNX Runtime.
_TOLERANCE = 1e-4
_OVERLAP = 16

FloatArray = NDArray[np.float32]


def clip_of(planes: FloatArray) -> Any:
    """A clip of one frame, RGBS of (3, H, W) or GRAYS of (1, H, W)."""
    import vapoursynth as vs

    count, height, width = planes.shape
    blank = vs.core.std.BlankClip(
        format=vs.RGBS if count == 3 else vs.GRAYS, width=width, height=height, length=1, keep=True
    )

    def fill(n: int, f: Any) -> Any:
        frame = f.copy()
        for plane, values in enumerate(planes):
            np.asarray(frame[plane])[:] = values
        return frame

    return vs.core.std.ModifyFrame(blank, blank, fill)


def run_in_vs_mlrt(path: Path, clips: list[Any], **options: Any) -> FloatArray:
    import vapoursynth as vs

    with vs.core.ort.Model(clips, network_path=str(path), provider="CPU", **options).get_frame(0) as frame:
        return np.stack([np.asarray(frame[plane]).copy() for plane in range(frame.format.num_planes)])


@click.command()
def main() -> None:
    """Print the largest difference for each file and alpha; exit 1 if one is too large."""
    import vapoursynth as vs

    from dni_exporters import export

    versions = vs.core.ort.Version()
    about = {key: versions[key] for key in ("version", "onnxruntime_version", "onnx_version") if key in versions}
    click.echo(f"VapourSynth {vs.core.core_version}, vs-ort {about}")
    photograph = read_image(PHOTOGRAPH_NOISY).transpose(2, 0, 1).astype(np.float32) / 255
    image = clip_of(photograph)
    worst = 0.0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        export([WEAK, STRONG], folder / "two.onnx", alpha_input=True)
        export([WEAK, STRONG], folder / "plane.onnx", alpha_input=True, single_input="plane")
        export([WEAK, STRONG], folder / "small.onnx", alpha_input=True, single_input="plane", delta="int8")
        export([WEAK, STRONG], folder / "small-two.onnx", alpha_input=True, delta="int8")
        export([WEAK, STRONG], folder / "baked.onnx", alphas=[0.3], single_input="baked")
        with (
            dni_runtime.load(folder / "two.onnx", "cpu") as two,
            dni_runtime.load(folder / "small-two.onnx", "cpu") as small,
        ):
            for alpha in (0.0, 0.3, 1.0):
                strength = clip_of(np.full((1, *photograph.shape[1:]), alpha, np.float32))
                for file, model in (("plane", two), ("small", small)):
                    wanted = model(photograph[None], alpha)[0]
                    for how, options in (("one tile", {}), ("tiles", {"tilesize": [160, 128], "overlap": _OVERLAP})):
                        got = run_in_vs_mlrt(folder / f"{file}.onnx", [image, strength], **options)
                        worst = max(worst, _report(f"{file}, alpha {alpha:g}, {how}", got, wanted))
            wanted = two(photograph[None], 0.3)[0]
            worst = max(worst, _report("baked", run_in_vs_mlrt(folder / "baked.onnx", [image]), wanted))
            try:
                run_in_vs_mlrt(folder / "two.onnx", [image])
            except vs.Error as error:
                click.echo(f"two inputs: refused ({error})")
    if not worst <= _TOLERANCE:
        raise click.ClickException(f"differs by {worst:.2g}; expected at most {_TOLERANCE:g}")


def _report(what: str, got: FloatArray, wanted: FloatArray) -> float:
    error = float(np.abs(got - wanted).max())
    click.echo(f"{what}: differs by {error:.1e}")
    return error


if __name__ == "__main__":
    main()
