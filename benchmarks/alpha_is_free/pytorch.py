"""What is done in PyTorch today: weights blended where alpha changes, compiled or not, and checkpoints read again.

Blending writes into the network's own tensors, so that torch.compile has nothing to compile anew.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from dni_deploy.bench.approaches.approach import Approach, FloatArray, Running, Strength

EAGER = "PyTorch eager"
COMPILED = "torch.compile"
RELOADED = "PyTorch reload"


@dataclass(frozen=True, slots=True, kw_only=True)
class PyTorch(Approach):
    """`files`: checkpoints A and B of what `build` makes. `reload`: read both at every change, as Real-ESRGAN does."""

    build: Callable[[], nn.Module]
    compile: bool = False
    reload: bool = False

    def open(self, threads: int | None) -> Running:
        if threads is not None:
            torch.set_num_threads(threads)
        return _Network(self)


class _Network:
    note = ""

    def __init__(self, approach: PyTorch) -> None:
        self._files = approach.files
        self._network = approach.build().eval().requires_grad_(False)
        self._call = self._network
        if approach.compile:
            # Dynamo falls back to eager, silently, after some recompilations of the same code.
            torch.compiler.reset()
            self._call = torch.compile(self._network, dynamic=False)
        self._change = self._reload if approach.reload else self._blend
        self._weights = [] if approach.reload else self._pairs()
        self._alpha: Strength | None = None

    def __call__(self, x: FloatArray, alpha: Strength) -> FloatArray:
        with torch.inference_mode():
            if alpha != self._alpha:
                self._change(alpha[0])
                self._alpha = alpha
            y: Tensor = self._call(torch.from_numpy(x))
            result: FloatArray = y.numpy()
            return result

    def settle(self) -> None:
        """Nothing to wait for: a call has copied its result to NumPy."""

    def close(self) -> None:
        del self._network, self._call, self._weights

    def _pairs(self) -> list[tuple[Tensor, Tensor, Tensor]]:
        """Each tensor of the network with those of A and B."""
        a, b = self._read_checkpoints()
        return [(t, a[name], b[name]) for name, t in self._network.state_dict().items() if t.is_floating_point()]

    def _blend(self, alpha: float) -> None:
        for weight, a, b in self._weights:
            torch.mul(a, alpha, out=weight).add_(b, alpha=1 - alpha)

    def _reload(self, alpha: float) -> None:
        a, b = self._read_checkpoints()
        for name, weight in a.items():
            if weight.is_floating_point():
                a[name] = alpha * weight + (1 - alpha) * b[name]
        self._network.load_state_dict(a)

    def _read_checkpoints(self) -> list[dict[str, Tensor]]:
        return [torch.load(file, weights_only=True) for file in self._files]
