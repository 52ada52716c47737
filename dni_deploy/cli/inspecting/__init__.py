"""`dni inspect`, and the tables that it and others print."""

from .inspect import inspect

__all__ = ["inspect"]
