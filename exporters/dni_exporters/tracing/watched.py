"""How far a trace has come: it takes minutes for large networks, and says nothing meanwhile."""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import Any

import torch
from torch import nn
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook

from dni_exporters.clock import Progress
from dni_exporters.networks.probe import forward

from .traceable import traceable

_EACH_S = 1.0


@contextmanager
def watched(network: nn.Module, input_shape: tuple[int, ...], progress: Progress | None) -> Iterator[None]:
    """While `network`, or a copy of it, is traced, call `progress` about once a second with where that is.

    PyTorch runs through the network's modules once; half of the time it then translates the operations that it saw,
    and their number is not known before.
    """
    if progress is None:
        yield
        return
    thread, told_s = threading.get_ident(), time.monotonic()
    total, number, is_inside = _count(network, input_shape), 0, False
    out, err = sys.stdout, sys.stderr

    def tell(where: str) -> None:
        with redirect_stdout(out), redirect_stderr(err):  # what PyTorch prints meanwhile goes nowhere
            progress(f"trace network: {where}")

    def enter(module: nn.Module, inputs: Any) -> None:
        nonlocal number, told_s, is_inside
        if threading.get_ident() != thread:
            return
        if type(module) is type(network) and not is_inside:
            is_inside, number = True, 0
        number += is_inside
        if is_inside and time.monotonic() - told_s >= _EACH_S:
            told_s = time.monotonic()
            tell(f"{type(module).__name__}, module {number} of {max(number, total)}")

    def leave(module: nn.Module, inputs: Any, output: Any) -> None:
        nonlocal is_inside
        if is_inside and number >= total and type(module) is type(network) and threading.get_ident() == thread:
            is_inside = False
            tell("translating its operations to ONNX")

    hooks = register_module_forward_pre_hook(enter), register_module_forward_hook(leave)
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _count(network: nn.Module, input_shape: tuple[int, ...]) -> int:
    """How many times a module is entered when the network runs; until it fails, where it does."""
    number = 0

    def enter(module: nn.Module, inputs: Any) -> None:
        nonlocal number
        number += 1

    hooks = [module.register_forward_pre_hook(enter) for module in network.modules()]
    try:
        with traceable(network):  # some run in this shape only as it is traced
            forward(network, torch.zeros(input_shape))
    finally:
        for hook in hooks:
            hook.remove()
    return number
