"""What tests of the command line and of what is shipped share."""

from bundled import denoiser, photo

__all__ = ["denoiser", "photo"]
