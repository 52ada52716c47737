"""Models on their way to where they run for others: `triton` for NVIDIA Triton Inference Server."""

from .triton import CheckReport, ShipOptions, ShipReport, check_repository, ship_triton

__all__ = [
    "CheckReport",
    "ShipOptions",
    "ShipReport",
    "check_repository",
    "ship_triton",
]
