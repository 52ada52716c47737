"""The files of every architecture: one with alpha as an input, and one baked for the alpha that is compared."""

import sys
from pathlib import Path

import onnx

import dni_runtime

ALPHA = 0.3
# Rows of benchmarks/coverage are modules of that folder.
_COVERAGE = Path(__file__).resolve().parents[1] / "coverage"


def export_missing(folder: Path, only: tuple[str, ...]) -> dict[str, str]:
    """Export the first row of each architecture, and the networks given as code; those that are there are kept.

    Their pixels are not compared again, as benchmarks/coverage does that. Returns what could not be exported, and why.
    """
    sys.path.insert(0, str(_COVERAGE))
    from rows import ROWS
    from steps import Case

    folder.mkdir(parents=True, exist_ok=True)
    failed = {}
    for row in ROWS.values():
        file = folder / f"{row.name}.onnx"
        if file.exists() or row.refused or not row.is_first or not row.name.startswith(only or ("",)):
            continue
        try:
            Case(row, folder).export(unfinished := folder / "unfinished", alpha_input=True, verify=False, verdict=False)
            unfinished.replace(file)
        except Exception as error:  # a network that fails is told, and the others go on
            failed[row.name] = f"{type(error).__name__}: {error}"
    return failed


def baked_beside(file: Path) -> Path:
    """The same network for one alpha, made where it is not there yet."""
    baked = file.parent / "baked" / file.name
    if not baked.exists():
        baked.parent.mkdir(exist_ok=True)
        unfinished = baked.with_suffix(".unfinished")
        onnx.save(dni_runtime.pin(onnx.load(file), ALPHA), unfinished)
        unfinished.replace(baked)
    return baked


def files_in(folder: Path, only: tuple[str, ...]) -> list[Path]:
    """Of alpha-input models, the small ones first."""
    found = (file for file in folder.glob("*.onnx") if file.stem.startswith(only or ("",)))
    return sorted(found, key=lambda file: (file.stat().st_size > 2**26, file.name.lower()))
