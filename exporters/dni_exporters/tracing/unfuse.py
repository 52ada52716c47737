"""Networks that rewrite their own weights when they run, such as SPAN's fused convolutions.

Such a block keeps several convolutions for training, multiplies them into one before every inference,
and assigns the product to a parameter. Tracing loses that assignment (or crashes PyTorch), and the
product is not linear in the weights that are blended. Its training form computes the same from the
weights themselves.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from dni_exporters.networks.probe import quiet_inference
from dni_runtime import ExportError

# Two ways to multiply the same convolutions, float32.
_ROUNDING = 1e-4


def unfuse(network: nn.Module, input_shape: tuple[int, ...]) -> list[str]:
    """Switch every block that rewrites its weights to its training form; return notes for the user.

    Only the blocks' own flag is changed: what they contain stays in evaluation mode.

    Raises ExportError where a block rewrites its weights in that form too, or computes something else.
    """
    x = torch.rand(input_shape, generator=torch.Generator().manual_seed(0))
    wanted, rewritten = _run(network, x)
    if not rewritten:
        return []
    # `block.eval_conv.weight` is rewritten by `block`, which contains the convolution.
    blocks = sorted({".".join(name.split(".")[:-2]) for name in rewritten})
    for block in blocks:
        network.get_submodule(block).training = True
    got, still_rewritten = _run(network, x)
    bound = _ROUNDING * max(1.0, float(wanted.abs().max()))
    if still_rewritten or got.shape != wanted.shape or not float((got - wanted).abs().max()) <= bound:
        raise ExportError(
            f"the network rewrites its own weights when it runs ({rewritten[0]} and {len(rewritten) - 1} more), which "
            "cannot be traced; give a version of the network whose forward leaves its weights alone: --arch CODE"
        )
    return [
        f"{len(blocks)} blocks that fuse their convolutions when they run are exported unfused, which computes the same"
    ]


def _run(network: nn.Module, x: torch.Tensor) -> tuple[torch.Tensor, list[str]]:
    """The output, and the parameters that were replaced or written into while it was computed."""
    before = {name: parameter.data_ptr() for name, parameter in network.named_parameters()}
    with quiet_inference(), _Written() as written:
        output = network(x.clone())  # some work in place
    after = {name: parameter.data_ptr() for name, parameter in network.named_parameters()}
    return output, [name for name, at in before.items() if at != after.get(name) or at in written.places]


class _Written(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes what is written into in place, as by `weight.data.clamp_(0)`, whose trace is a crash of PyTorch.

    places: where tensors begin.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.places: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func._schema.is_mutable:
            for argument, given in zip(func._schema.arguments, args, strict=False):
                if argument.is_write and isinstance(given, Tensor):
                    self.places.add(given.untyped_storage().data_ptr())
        return func(*args, **(kwargs or {}))
