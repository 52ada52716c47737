"""The extra `export`: PyTorch and what else reads checkpoints and writes models."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

from dni_runtime import DniError

_PACKAGES = ("torch", "safetensors", "onnx_ir", "onnxscript")


def require_extra() -> None:
    """Raise DniError, with the pip command, where one of its packages is not installed. Imports none of them."""
    for name in _PACKAGES:
        if not _is_installed(name):
            raise DniError(
                f"reading checkpoints and exporting need {name}, which is not installed: "
                'pip install "dni-deploy[export]"'
            )


def require_ncnn(option: str) -> None:
    """Raise DniError, with the pip command, where what `option` makes for ncnn needs more. Imports nothing."""
    for name in ("pnnx", "ncnn"):
        if not _is_installed(name):
            raise DniError(f'{option} needs {name}, which is not installed: pip install "dni-deploy[export-ncnn]"')


@contextmanager
def heavy_imports() -> Iterator[None]:
    """Around the first import of modules that need PyTorch.

    A million objects come into being, none of them garbage: to search for some took a sixth of an import's 3 s.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _is_installed(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:
        return False
