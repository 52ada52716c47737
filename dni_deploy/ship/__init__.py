"""Models on their way to where they run for others: `triton` for NVIDIA Triton Inference Server, `web` for browsers."""

from .triton import CheckReport, Front, ServerAddress, ShipOptions, ShipReport, check_repository, ship_triton
from .web import WebReport, serve_site, ship_web

__all__ = [
    "CheckReport",
    "Front",
    "ServerAddress",
    "ShipOptions",
    "ShipReport",
    "WebReport",
    "check_repository",
    "serve_site",
    "ship_triton",
    "ship_web",
]
