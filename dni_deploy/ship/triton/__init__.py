"""Repositories for NVIDIA Triton Inference Server, their lint, and a server to try them on.

ship_triton([Path("denoise.onnx")], Path("repo"))   # then: tritonserver --model-repository repo
"""

from .balancer.haproxy import Front
from .balancer.server_address import ServerAddress
from .contract import BACKENDS
from .lint.lint import CheckReport, Problem, check_repository
from .options import ShipOptions
from .repository import ShipReport, ship_triton

__all__ = [
    "BACKENDS",
    "CheckReport",
    "Front",
    "Problem",
    "ServerAddress",
    "ShipOptions",
    "ShipReport",
    "check_repository",
    "ship_triton",
]
