"""`dni ship`, models on their way to a server or a browser, and `dni serve`, which tries one out."""

from .group import ship
from .serve import serve

__all__ = ["serve", "ship"]
