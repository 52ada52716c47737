"""From PyTorch checkpoints to ONNX models whose effect strength is an input."""

from .blend import blend_tensors
from .checkpoint import Checkpoint, read_endpoints
from .endpoints import Lineage, check_endpoints, differences, lineage
from .export import export
from .report import ExportedFile, ExportReport
from .verify import Parity

__all__ = [
    "Checkpoint",
    "ExportReport",
    "ExportedFile",
    "Lineage",
    "Parity",
    "blend_tensors",
    "check_endpoints",
    "differences",
    "export",
    "lineage",
    "read_endpoints",
]
