"""`--weights link`: whether a model can read its weights out of its endpoints' own files. PyTorch is not needed."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from dni_exporters.opening import is_safetensors, is_utf8, open_checkpoint, parts_of, safetensors_header
from dni_exporters.sources import EndpointSource, source_name
from dni_runtime import ExportError

# How a .safetensors calls the kinds of numbers that weights are.
_FLOATS = {"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16"}


def check_linkable(sources: Sequence[EndpointSource], folder: Path, dtype: str) -> None:
    """Raise ExportError unless a model in `folder` can read its weights from the files of `sources`.

    They have to lie there or below: ONNX Runtime refuses paths that lead out of it. A file without a weight of the
    model's `dtype` holds none that can be read as it is.
    """
    for number, source in enumerate(sources, 1):
        parts = [] if isinstance(source, Mapping) else parts_of(Path(source))
        if not parts or not all(_holds_safetensors(part) for part in parts):
            raise ExportError(
                f"--weights link needs .safetensors endpoints, {source_name(source, number)} is none; "
                "convert it first (dni blend A A --alpha 1 -o A.safetensors) or use --weights external"
            )
        for part in parts:
            if not part.resolve().is_relative_to(folder.resolve()):
                raise ExportError(
                    f"--weights link: {part} does not lie in the model's folder {folder} or below, "
                    "and ONNX Runtime follows no link out of it; write the model beside its endpoints"
                )
            if not is_utf8(part.resolve().relative_to(folder.resolve())):
                raise ExportError(
                    f"--weights link: {part} has a name that is not UTF-8, by which ONNX cannot call it; rename it"
                )
            held = _stored_dtypes(part) & _FLOATS.keys()
            if held and dtype not in (_FLOATS[name] for name in held):
                raise ExportError(
                    f"--weights link: {part.name} holds its weights as {', '.join(sorted(held))}, the model needs "
                    f"{dtype}; use --weights external" + " or --dtype float16" * (held == {"F16"})
                )


def _stored_dtypes(path: Path) -> set[str]:
    """How the .safetensors `path` calls the types of its tensors."""
    header, _ = safetensors_header(path) or ({}, 0)
    return {str(entry.get("dtype")) for entry in header.values() if isinstance(entry, dict)}


def _holds_safetensors(path: Path) -> bool:
    with open_checkpoint(path) as file:
        return is_safetensors(file.read(9))
