"""Which of two equal values comes first, where PyTorch leaves that to the machine."""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

Run: TypeAlias = Callable[[Tensor], Tensor]

_SORTS = frozenset({torch.sort, torch.Tensor.sort, torch.argsort, torch.Tensor.argsort})


def in_order(run: Run) -> Run:
    """`run`, in which whatever is sorted keeps equal values in their order, as with `stable=True`, and as files do.

    Otherwise they come as the processor's fastest way leaves them (torch.sort: "If stable is False ... the order of
    equivalent elements is not guaranteed"). ATD sorts its tokens by category, whole numbers of which hundreds are
    equal, and cuts the result into groups: what it computes on one machine differs visibly from another's.
    """

    def ordered(image: Tensor) -> Tensor:
        with _EqualInOrder():
            return run(image)

    return ordered


class _EqualInOrder(TorchFunctionMode):
    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        options = dict(kwargs or {})
        if func in _SORTS:
            options = {**dict(zip(("dim", "descending"), args[1:], strict=False)), **options, "stable": True}
            args = args[:1]
        return func(*args, **options)
