"""Sorting in graphs, where equal values keep their order."""

from collections.abc import Callable
from typing import Any

import torch
from torch.export import ExportedProgram

NOTE = (
    "the network sorts, and PyTorch leaves the order of equal values to the machine: the file keeps the order that "
    "they have in the image (torch.sort's stable=True), and is judged by that"
)


def translations() -> dict[Callable[..., Any], Callable[..., Any]]:
    """For PyTorch's exporter, which knows `sort` but not the one that is told whether to keep equal values in order.

    ONNX's TopK of all values does: of equal ones that with the lower index comes first.
    """
    from onnxscript.function_libs.torch_lib.ops.core import aten_sort

    def sort_stable(self: Any, stable: bool | None = None, dim: int = -1, descending: bool = False) -> Any:
        return aten_sort(self, dim, descending, True)

    return {torch.ops.aten.sort.stable: sort_stable}


def leaves_ties_open(program: ExportedProgram) -> bool:
    """Whether the traced network sorts without saying that equal values keep their order."""
    sorting = [node for node in program.graph.nodes if getattr(node.target, "_opname", "") in ("argsort", "sort")]
    return not all(node.kwargs.get("stable") for node in sorting)
