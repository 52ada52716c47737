"""Networks that draw random numbers as they run, found out by watching one run: no file can equal them."""

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from dni_runtime import ArchitectureError

# Of max(1, |output|max): one network in float32, run twice.
_ROUNDING = 1e-5


def check_repeats(name: str, network: nn.Module, first: Tensor, again: Callable[[], Tensor | None]) -> None:
    """Run `network` once more, by `again`. Raises ArchitectureError where it draws anything, or does not give `first`.

    What is drawn need not show in this picture: dropout changes nothing that is zero.
    """
    with _Watch(network) as watch:
        second = again()
    drawn = watch.drawn
    if not drawn and second is not None and not alike(first, second):
        drawn = "gives another picture"
    if drawn:
        raise ArchitectureError(
            f"the network {name} {drawn} whenever it runs, so a file could equal nothing that it gives; expected a "
            "network that computes one picture of an image. Give code that switches this off (dropout, noise): "
            "--arch path/to/network.py:Network"
        )


def alike(first: Tensor, second: Tensor) -> bool:
    """Whether two outputs are those of one network with the same weights, in float32."""
    bound = _ROUNDING * max(1.0, float(second.abs().nan_to_num().max()))
    return first.shape == second.shape and torch.allclose(first, second, rtol=0, atol=bound, equal_nan=True)


class _Watch(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes what a network draws that runs inside.

    drawn: the first that was, to be put behind the network's name; empty where nothing was.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.drawn = ""
        self._network = network
        self._inside: list[str] = []

    def __enter__(self) -> "_Watch":
        def enter(name: str) -> Callable[..., None]:
            return lambda *_: self._inside.append(name)

        def leave(*_: object) -> None:
            self._inside.pop()

        self._hooks = [
            hook
            for name, module in self._network.named_modules()
            for hook in (module.register_forward_pre_hook(enter(name)), module.register_forward_hook(leave))
        ]
        self._before = _others()
        super().__enter__()  # type: ignore[no-untyped-call]
        return self

    def __exit__(self, *raised: Any) -> None:
        super().__exit__(*raised)  # type: ignore[no-untyped-call]
        for hook in self._hooks:
            hook.remove()
        if not self.drawn and _others() != self._before:
            self.drawn = "draws random numbers (by numpy.random or Python's random)"

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = kwargs or {}
        if self.drawn or torch.Tag.nondeterministic_seeded not in func.tags:
            return func(*args, **given)
        generator = given.get("generator") or torch.default_generator
        before = generator.get_state()
        result = func(*args, **given)
        if not before.equal(generator.get_state()):  # attention has the tag, and draws with dropout alone
            where = f" in layer {self._inside[-1]!r}" if self._inside and self._inside[-1] else ""
            self.drawn = f"draws random numbers ({func.overloadpacket.__name__}{where})"
        return result


def _others() -> str:
    """The state of generators that are not PyTorch's."""
    return repr((random.getstate(), np.random.get_state()))  # noqa: NPY002 - it is others that use it
