"""Where results go: their names, and what is not replaced."""

import os
from collections.abc import Sequence
from pathlib import Path

from dni_runtime import ExportError, OutputError

from .opening import is_utf8


def model_paths(output: Path, alphas: Sequence[tuple[float, ...]]) -> list[Path]:
    """The final name of every model: `output` itself, or one name per baked alpha inside it.

    Raises ExportError for a name that does not fit what is made.
    """
    if not is_utf8(output):
        raise ExportError(
            f"the output {output} has a name that is not UTF-8, which ONNX Runtime cannot open; choose another"
        )
    if len(alphas) > 1 or (alphas and (output.is_dir() or not output.suffix)):
        if output.suffix == ".onnx" and not output.is_dir():
            raise ExportError(
                f"{len(alphas)} alphas make as many files, {output} names one; give a folder: -o "
                f"{output.with_suffix('')}"
            )
        return [output / f"alpha-{text}.onnx" for text in _file_texts(alphas)]
    if output.suffix != ".onnx":
        raise ExportError(f"the output {output} has no .onnx suffix; expected a name such as {output}.onnx")
    return [output]


def refuse_existing(paths: Sequence[Path], *, force: bool) -> None:
    """Raise OutputError if one of `paths`, or its .data file, exists and may not be replaced."""
    both = [found for path in paths for found in (path, path.with_name(f"{path.name}.data"))]
    existing = [path for path in both if path.exists()]
    if existing and not force:
        more = f" and {len(existing) - 1} more" if len(existing) > 1 else ""
        raise OutputError(f"{existing[0]}{more} exists already and is kept; replace it with --force (force=True)")
    if folder := next((path for path in existing if path.is_dir()), None):
        raise OutputError(f"{folder} is a folder; expected the name of a file to write")


def check_folder(folder: Path) -> None:
    """Raise OutputError where nothing could be written into `folder`, which need not be there."""
    there = next((place for place in (folder, *folder.parents) if os.path.lexists(place)), folder)
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        raise OutputError(f"nothing can be written into the folder {folder}; choose another output")


def _file_texts(alphas: Sequence[tuple[float, ...]]) -> list[str]:
    """Texts of alphas for file names, with as many decimals as tell them all apart, so that they sort."""
    texts = [f"{value:.10f}".rstrip("0") for alpha in alphas for value in alpha]
    places = max(1, *(len(text.partition(".")[2]) for text in texts))
    return ["_".join(f"{value:.{places}f}" for value in alpha) for alpha in alphas]
