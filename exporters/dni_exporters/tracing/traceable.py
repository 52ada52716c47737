"""All rewrites, for as long as a network is traced."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import TypeAlias

from torch import nn

from .rewrites.experts import all_experts
from .rewrites.formulas import paddings_round_up, unsolved_conditions
from .rewrites.hues import hues_without_branches
from .rewrites.mirrors import mirrors_where_there_is_room
from .rewrites.nearest import nearest_by_number
from .rewrites.normalising import normalising_unchecked
from .rewrites.numbers import numbers_stay_tensors
from .rewrites.recursions import recursions_of_any_size
from .rewrites.sizes import sizes_stay_sizes
from .rewrites.squares import sides_of_squares
from .rewrites.tokens import orders_of_any_batch

Rewrite: TypeAlias = Callable[[nn.Module], AbstractContextManager[None]]
"""While it is active, what it knows of the network computes the same in other words. It looks for what it knows by
class, and does nothing for any other network."""

REWRITES: tuple[Rewrite, ...] = (
    all_experts,
    hues_without_branches,
    mirrors_where_there_is_room,
    nearest_by_number,
    normalising_unchecked,
    numbers_stay_tensors,
    orders_of_any_batch,
    paddings_round_up,
    recursions_of_any_size,
    sizes_stay_sizes,
    unsolved_conditions,
)


@contextmanager
def traceable(network: nn.Module, *, square: bool = False) -> Iterator[None]:
    """Make `network` one that can be traced; its weights stay, and so does what PyTorch computes with it afterwards.

    square: whether it takes square images alone.

    Whoever judges the result has an original of its own (`networks.original`), run outside of this.
    """
    with ExitStack() as stack:
        for rewrite in REWRITES:
            stack.enter_context(rewrite(network))
        if square:
            stack.enter_context(sides_of_squares(network))
        yield
