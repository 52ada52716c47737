"""ONNX Runtime's errors in our words: what it is about, and what to do."""

import re
from pathlib import Path

from dni_runtime.errors import ModelError

from .ort_format import ORT_SUFFIX, damaged

# A model is one message of Protocol Buffers, which have no more.
_MESSAGE_LIMIT_BYTES = 2**31
# The names in a message are a stranger's, and what searches it takes time by the square of its length.
_LIMIT_CHARACTERS = 4000
# ".../onnxruntime/core/graph/graph.cc:1507 void onnxruntime::Graph::F(const T&) [with T = int] what happened": where
# in its source it happened is of use to nobody here, and is a path on a machine that built it.
_SOURCE = re.compile(r"\S*/\S+\.(?:cc|cpp|cu|h|hpp|cuh):\d+ ?")
_FUNCTION = re.compile(r"(?:\S+ ){0,3}?\S*::[^\s(]+\(.*?\)(?: const)?(?: \[with .*?\])? ")


def explain(file: Path, error: Exception) -> ModelError:
    """What an error of ONNX Runtime says of the model `file`, and what to do."""
    reason = strip(error)
    if file.suffix == ORT_SUFFIX and "ORT model" in reason:
        return damaged(file, reason)
    if found := re.search(r'does not exist: "([^"]+)"', reason):
        return missing(file, Path(found[1]).name)
    if "Protobuf parsing failed" in reason or "No graph was found" in reason:
        if file.stat().st_size >= _MESSAGE_LIMIT_BYTES:
            return ModelError(f"{file} has 2 GB or more, too much for one file; save its weights as external data")
        return ModelError(f"{file} is not an ONNX file, or only a part of one: copy or export it again")
    return ModelError(f"{file} cannot be loaded: {reason}")


def missing(path: Path, what: str) -> ModelError:
    """The error for the model `path`, of whose weights the file `what` is not there."""
    return ModelError(f"{path} needs a weights file that is missing or damaged ({what}); put it beside the model")


def first_line(error: Exception) -> str:
    """As `strip`, without the lines that follow the first."""
    return strip(Exception(*str(error).splitlines()[:1])) if str(error) else type(error).__name__


def strip(error: Exception) -> str:
    """ONNX Runtime's own words, as one line, without codes and places in its source."""
    text = re.split(r"\[ONNXRuntimeError\] : \d+ : \w+ : ", str(error)[:_LIMIT_CHARACTERS])[-1]
    text = re.sub("^Load model from .*? failed:", "", " ".join(text.split()))
    first, *parts = _SOURCE.split(text)
    kept = (part[found.end() :] if (found := _FUNCTION.match(part)) else part for part in parts)
    words = [first.strip(), *(part.strip() for part in kept)]
    return " ".join(filter(None, words)) or type(error).__name__
