"""That there is a file at all, before anything is read."""

from pathlib import Path

from dni_runtime.errors import ModelError
from dni_runtime.files.regular_file import why_no_file


def require_file(path: Path) -> None:
    """Raise ModelError unless `path` is a file with something in it. Nothing is read."""
    if reason := why_no_file(path):
        raise ModelError(f"{path} {reason}; expected an .onnx file")
    if path.stat().st_size == 0:
        raise ModelError(f"{path} is empty; expected an .onnx file: copy or export it again")
