"""From PyTorch checkpoints to ONNX models whose effect strength is an input."""

from .blend import blend_tensors
from .checkpoint import Checkpoint, read_endpoints
from .endpoints import Lineage, check_endpoints, differences, lineage
from .export import export
from .inspection import EndpointsReport, inspect_endpoints
from .interpolate import BlendReport, blend, write_blend
from .report import ExportedFile, ExportReport
from .verify import Parity

__all__ = [
    "BlendReport",
    "Checkpoint",
    "EndpointsReport",
    "ExportReport",
    "ExportedFile",
    "Lineage",
    "Parity",
    "blend",
    "blend_tensors",
    "check_endpoints",
    "differences",
    "export",
    "inspect_endpoints",
    "lineage",
    "read_endpoints",
    "write_blend",
]
