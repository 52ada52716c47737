"""What is done in PyTorch today: weights blended where alpha changes, compiled or not, and checkpoints read again.

Blending writes into the network's own tensors, so that torch.compile has nothing to compile anew. On CUDA these
have not been run yet.
"""

from dataclasses import dataclass
from pathlib import Path

import torch
from four_networks import NETWORKS
from torch import Tensor

from dni_deploy.bench.approach import Approach, FloatArray, Running, Strength

EAGER = "PyTorch eager"
COMPILED = "torch.compile"
RELOADED = "PyTorch reload"

_DTYPES = {"float32": torch.float32, "float16": torch.float16}


@dataclass(frozen=True, slots=True, kw_only=True)
class PyTorch(Approach):
    """`files` are the checkpoints A and B. `reload`: read both at every change, as Real-ESRGAN does."""

    network: str
    device: str = "cpu"
    dtype: str = "float32"
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
        self._device, self._dtype = torch.device(approach.device), _DTYPES[approach.dtype]
        # TF32 has 10 bits of mantissa; it is off on our side, too.
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
        self._network = NETWORKS[approach.network].build().eval().requires_grad_(False)
        self._network.to(self._device, self._dtype)
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
            y: Tensor = self._call(torch.from_numpy(x).to(self._device, self._dtype))
            result: FloatArray = y.float().cpu().numpy()
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
        return [_read(file, self._device, self._dtype) for file in self._files]


def _read(file: Path, device: torch.device, dtype: torch.dtype) -> dict[str, Tensor]:
    state: dict[str, Tensor] = torch.load(file, weights_only=True, map_location=device)
    return {name: t.to(dtype) if t.is_floating_point() else t for name, t in state.items()}
