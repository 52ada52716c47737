"""From PyTorch checkpoints to ONNX models whose effect strength is an input."""

from .checking.verify import Parity
from .checkpoints.checkpoint import Checkpoint, read_endpoints
from .checkpoints.endpoints import Lineage, check_endpoints, differences, lineage
from .export import export
from .graphs.blend import blend_tensors
from .inspection import EndpointsReport, inspect_endpoints
from .interpolate import BlendReport, blend, write_blend
from .report import ExportedFile, ExportReport

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
