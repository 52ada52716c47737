"""ONNX's types for public functions of modules that do not import it: `typing.get_type_hints` finds Any when run."""

from typing import TYPE_CHECKING, Any

__all__ = ["ModelProto"]

if TYPE_CHECKING:
    from onnx import ModelProto
else:
    ModelProto = Any
