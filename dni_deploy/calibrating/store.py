"""A calibration on its way into a model's file, which is rewritten whole or not at all."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

import onnx

from dni_deploy.photographs.places import check_folder, check_free, check_name
from dni_runtime import AlphaError, Calibration, Metadata, ModelError, OutputError, read_metadata, write_metadata
from dni_runtime.files.unfinished import unfinished_file
from dni_runtime.onnx_files.external_data import external_files
from dni_runtime.onnx_files.reading import read_model


def check_model(model: Path, output: Path, *, force: bool) -> Metadata:
    """The metadata of `model`. Raises a DniError where it cannot be calibrated, or `output` cannot be written."""
    proto = read_model(model)
    metadata = read_metadata(proto)
    if metadata is None:
        raise ModelError(f"{model} has no dni metadata; expected a model that dni-export wrote")
    if metadata.alpha_pinned is not None:
        raise AlphaError(f"{model} is baked, there is no alpha to choose; expected one exported with --alpha-input")
    if metadata.alpha_count > 1:
        raise AlphaError(
            f"{model} takes an alpha of {metadata.alpha_count} numbers; expected one, of two endpoints or "
            "a path, and no --knob"
        )
    if _is_same(model, output):
        output = Path(os.path.realpath(output))
        if metadata.calibration is not None and not force:
            raise OutputError(
                f"{model} is calibrated for {metadata.calibration.kind} already, which is kept; replace it with "
                "--force, or write another file (-o)"
            )
    elif output.suffix != ".onnx":
        raise OutputError(f"the output {output} has no .onnx suffix; expected a name such as {output}.onnx")
    elif not force:
        check_free([output])
    beside = [name for name in external_files(proto, model) if name != model.name]
    if beside and output.resolve().parent != model.resolve().parent:
        raise OutputError(
            f"{output} would miss its weights, which are in {beside[0]} beside {model}; write it into the same folder"
        )
    check_name(output)
    check_folder(output.parent)
    return metadata


def write_calibrated(model: Path, output: Path, calibration: Calibration) -> None:
    """Write `model` as `output`, which may be the same file, with `calibration`; nothing else in it changes.

    Raises OutputError where it cannot be written, ModelError where `model` is no longer what it was.
    """
    try:
        proto = onnx.load(model, load_external_data=False)
        metadata = read_metadata(proto)
        if metadata is None:
            raise ModelError(f"{model} was changed while it was calibrated; start again")
        write_metadata(proto, replace(metadata, calibration=calibration))
        own = _is_same(model, output)
        with unfinished_file(Path(os.path.realpath(output)) if own else output) as file:
            file.write(proto.SerializeToString())
            if own:  # nobody asked for a link to become a file, or for a file to be read by others
                shutil.copymode(model, file.name)
    except OSError as error:
        raise OutputError(f"{output} cannot be written ({error.strerror or error}); nothing was changed") from None


def _is_same(model: Path, output: Path) -> bool:
    return os.path.realpath(output) == os.path.realpath(model)
