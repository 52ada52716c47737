"""ONNX Runtime's own file format, `.ort`: a FlatBuffer for small devices, made from an .onnx file."""

from pathlib import Path

from dni_runtime.errors import ModelError
from dni_runtime.files.regular_file import open_file

ORT_SUFFIX = ".ort"
"""ONNX Runtime knows the format by it."""

_IDENTIFIER = b"ORTM"


def is_ort_format(path: Path) -> bool:
    """Whether the file says so: a FlatBuffer's identifier is in bytes 4 to 8. Raises OSError if it cannot be read."""
    with open_file(path) as file:
        return file.read(8)[4:] == _IDENTIFIER


def damaged(path: Path, reason: str) -> ModelError:
    """The error for an .ort file that ONNX Runtime refuses for `reason`."""
    return ModelError(
        f"{path} is not an .ort file, or only a part of one: copy it, or convert the .onnx file again ({reason})"
    )
