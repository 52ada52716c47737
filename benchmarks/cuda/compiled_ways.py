"""PyTorch compiled: just in time, with CUDA graphs, and ahead of time with weights that the caller keeps.

The last is the nearest relative of this project: one compiled file whose constants are replaced while it runs.
"""

from pathlib import Path
from typing import Any

import torch
import torch._inductor
from names import AOTI, COMPILED, REDUCED
from torch import Tensor
from torch_ways import Blended, eager
from way import Way

# Without the second, biases of up to 8 elements become numbers in the code, and do not follow alpha.
_AHEAD = {"aot_inductor.package_constants_in_so": False, "always_keep_tensor_constants": True}


def compiled(blended: Blended, x: Tensor) -> Way:
    """torch.compile as it comes; compiled in its first call."""
    torch.compiler.reset()  # Dynamo falls back to eager, silently, after some recompilations of the same code
    return eager(blended, x, COMPILED, torch.compile(blended.network, dynamic=False))


def reduced(blended: Blended, x: Tensor) -> Way:
    """With CUDA graphs of its own."""
    call = torch.compile(blended.network, dynamic=False, mode="reduce-overhead")

    def run(image: Tensor) -> Tensor:
        torch.compiler.cudagraph_mark_step_begin()
        y: Tensor = call(image)
        return y

    return eager(blended, x, REDUCED, run)


class AheadOfTime:
    """The network compiled to a package without weights, which runs with those of `blended` where they lie."""

    def __init__(self, blended: Blended, x: Tensor, folder: Path) -> None:
        program = torch.export.export(blended.network, (x,))
        package = torch._inductor.aoti_compile_and_package(
            program,
            package_path=str(folder / "network.pt2"),
            inductor_configs=_AHEAD,
        )
        # Single-threaded: its locks and events do not go into a CUDA graph.
        self.call: Any = torch._inductor.aoti_load_package(package, run_single_threaded=True)
        self._blended = blended
        self._names = list(self.call.get_constant_fqns())
        self._weights = dict(blended.network.state_dict())
        if missing := [name for name in self._names if name not in self._weights]:
            raise RuntimeError(f"the package has constants that the network has not: {missing[:3]}")
        self._spare = {name: self._weights[name].clone() for name in self._names}
        self.restore()

    def way(self, x: Tensor) -> Way:
        return eager(self._blended, x, AOTI, self.call)

    def replace(self, alpha: float) -> None:
        """Blend into other tensors and load these: what is done for weights that may not be written in place."""
        self._blended.blend_into(self._spare, alpha)
        self.call.load_constants(self._spare, check_full_update=True, user_managed=True)

    def restore(self) -> None:
        """Back to the tensors that `blended` writes."""
        weights = {name: self._weights[name] for name in self._names}
        self.call.load_constants(weights, check_full_update=True, user_managed=True)
