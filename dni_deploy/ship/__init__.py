"""Models on their way to where they run for others: `triton` for NVIDIA Triton Inference Server."""

from .triton import CheckReport, Front, ServerAddress, ShipOptions, ShipReport, check_repository, ship_triton

__all__ = [
    "CheckReport",
    "Front",
    "ServerAddress",
    "ShipOptions",
    "ShipReport",
    "check_repository",
    "ship_triton",
]
