"""Repositories for NVIDIA Triton Inference Server, their lint, and a server to try them on.

ship_triton([Path("denoise.onnx")], Path("repo"))   # then: tritonserver --model-repository repo
"""

from .contract import BACKENDS
from .lint import CheckReport, Problem, check_repository
from .options import ShipOptions
from .repository import ShipReport, ship_triton

__all__ = [
    "BACKENDS",
    "CheckReport",
    "Problem",
    "ShipOptions",
    "ShipReport",
    "check_repository",
    "ship_triton",
]
