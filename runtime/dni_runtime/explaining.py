"""ONNX Runtime's errors in our words: what it is about, and what to do."""

import re
from pathlib import Path

from .errors import ModelError
from .external_data import missing
from .ort_format import ORT_SUFFIX, damaged, is_ort_format


def explain(file: Path, error: Exception) -> ModelError:
    """What an error of ONNX Runtime says of the model `file`, and what to do."""
    if str(file) != str(file).encode(errors="replace").decode():
        return ModelError(f"{file} has a name that is not UTF-8, which ONNX Runtime cannot open; rename it")
    reason = strip(error)
    if file.suffix == ORT_SUFFIX and "ORT model" in reason:
        return damaged(file, reason)
    if file.suffix != ORT_SUFFIX and is_ort_format(file):
        return ModelError(f"{file} is in ONNX Runtime's own format: call it {file.with_suffix(ORT_SUFFIX).name}")
    if "external" in reason.lower():
        found = re.search(r'does not exist: "([^"]+)"', reason)
        return missing(file, Path(found[1]).name if found else reason)
    if "Protobuf parsing failed" in reason or "No graph was found" in reason:
        return ModelError(f"{file} is not an ONNX file, or only a part of one: copy or export it again")
    return ModelError(f"{file} cannot be loaded: {reason}")


def strip(error: Exception) -> str:
    """ONNX Runtime's own words, as one line, without the code prefixes (and source lines) before them."""
    return " ".join(re.split(r"\[ONNXRuntimeError\] : \d+ : \w+ : ", str(error))[-1].split())
