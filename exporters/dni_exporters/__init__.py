"""From PyTorch checkpoints to ONNX models whose effect strength is an input.

PyTorch is imported by the first use of what needs it, not by importing this package or a module at its top.
"""

import importlib
import typing

from . import extra
from .checkpoints.endpoints import Lineage, check_endpoints, differences, lineage
from .export import export
from .fit import fit
from .fitting.report import FitReport
from .inspection import inspect_endpoints
from .interpolate import blend, write_blend
from .report import BlendReport, EndpointsReport, ExportedFile, ExportReport, Parity
from .verdict.verdict import Verdict

if typing.TYPE_CHECKING:
    from .checkpoints.checkpoint import Checkpoint, read_endpoints
    from .graphs.blend import blend_tensors

__all__ = [
    "BlendReport",
    "Checkpoint",
    "EndpointsReport",
    "ExportReport",
    "ExportedFile",
    "FitReport",
    "Lineage",
    "Parity",
    "Verdict",
    "blend",
    "blend_tensors",
    "check_endpoints",
    "differences",
    "export",
    "fit",
    "inspect_endpoints",
    "lineage",
    "read_endpoints",
    "write_blend",
]

_LATE = {
    "Checkpoint": ".checkpoints.checkpoint",
    "blend_tensors": ".graphs.blend",
    "read_endpoints": ".checkpoints.checkpoint",
}


def __getattr__(name: str) -> typing.Any:
    if name not in _LATE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    extra.require_extra()
    return globals().setdefault(name, getattr(importlib.import_module(_LATE[name], __name__), name))


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATE})
