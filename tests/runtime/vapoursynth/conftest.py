"""What the page's scripts run."""

from bundled import denoiser

__all__ = ["denoiser"]
