"""Where results go: their names, and what is not replaced."""

import os
from collections.abc import Sequence
from pathlib import Path

from dni_runtime import ExportError, OutputError

from .opening import is_utf8

FORMATS = {"onnx": ".onnx", "ncnn": ".param"}
"""What can be written, and how its names end."""
# As Upscayl's program looks for them in a model's name, in this order: x2 or 2x (upscayl-ncnn, src/main.cpp).
_SCALES = (1, 2, 3, 4, 8, 16)


def model_paths(output: Path, alphas: Sequence[tuple[float, ...]], format: str = "onnx") -> list[Path]:
    """The name of every model: `output` itself, or one name per baked alpha inside it.

    In ncnn's hosts a model is known by the name of its file, and they are all in one folder: there several alphas may
    have a name in common, `output` without its suffix.

    Raises ExportError for a name that does not fit what is made.
    """
    suffix = FORMATS[format]
    if not is_utf8(output):
        raise ExportError(
            f"the output {output} has a name that is not UTF-8, which ONNX Runtime cannot open; choose another"
        )
    is_folder = os.path.isdir(output)  # not of a name that no file can have, which is refused later
    if len(alphas) > 1 or (alphas and (is_folder or not output.suffix)):
        if output.suffix == ".param" == suffix and not is_folder:
            return [output.with_name(f"{output.stem}-alpha-{text}.param") for text in _file_texts(alphas)]
        if output.suffix == ".onnx" and not is_folder:
            raise ExportError(
                f"{len(alphas)} alphas make as many files, {output} names one; give a folder: -o "
                f"{output.with_suffix('')}"
            )
        return [output / f"alpha-{text}{suffix}" for text in _file_texts(alphas)]
    if output.suffix != suffix:
        other = next((f"; {end} is --format {name}" for name, end in FORMATS.items() if end == output.suffix), "")
        expected = output.with_suffix(suffix) if other else f"{output}{suffix}"
        raise ExportError(f"the output {output} has no {suffix} suffix; expected a name such as {expected}{other}")
    return [output]


def companion(path: Path) -> Path:
    """Where the weights of the model `path` are, if they are in a file of their own."""
    return path.with_suffix(".bin") if path.suffix == ".param" else path.with_name(f"{path.name}.data")


def scale_said(name: str) -> int | None:
    """The scale that Upscayl reads in a model's name; None where there is none, which it takes for 4."""
    return next((scale for scale in _SCALES if f"x{scale}" in name or f"{scale}x" in name), None)


def names_with_scale(paths: Sequence[Path], scale: float | None) -> list[Path]:
    """`paths` with the scale in each name, unless it is there, or is one that Upscayl does not read there."""
    if scale is None or scale_said(f"x{scale:g}") != scale:
        return [*paths]
    return [
        path if scale_said(path.stem) == scale else path.with_name(f"{path.stem}-x{scale:g}{path.suffix}")
        for path in paths
    ]


def refuse_existing(paths: Sequence[Path], *, force: bool) -> None:
    """Raise OutputError if one of `paths`, or the file of its weights, exists and may not be replaced, or cannot be."""
    both = [found for path in paths for found in (path, companion(path))]
    try:
        existing = [path for path in both if path.exists()]
    except OSError as error:
        raise OutputError(f"{error.filename} cannot be written: {error.strerror}; choose another output") from None
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
