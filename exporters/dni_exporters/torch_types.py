"""PyTorch's types, for annotations in modules that do not import it: at run time `typing.get_type_hints` finds Any."""

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

__all__ = ["Tensor", "nn"]

if TYPE_CHECKING:
    from torch import Tensor, nn
else:
    Tensor, nn = Any, SimpleNamespace(Module=Any)
