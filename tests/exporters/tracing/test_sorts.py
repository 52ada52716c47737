"""Networks that sort: of equal values the file keeps the order, and so does whoever judges it."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from networks import conv
from torch import Tensor, nn

from dni_exporters.checking.ties import in_order
from dni_exporters.tracing import sorts
from dni_exporters.tracing.skeleton import trace


class Sorting(nn.Module):
    def __init__(self, **options: Any) -> None:
        super().__init__()
        self.body, self.options = conv(3, 3), options

    def forward(self, x: Tensor) -> Tensor:
        values, order = torch.sort(self.body(x).flatten(2), dim=2, **self.options)
        return (values + order).view_as(x)


@pytest.mark.parametrize("options", [{}, {"stable": False}, {"descending": True}])
def test_the_user_is_told_that_pytorch_leaves_the_order_open(options: dict[str, bool]):
    assert trace(Sorting(**options).eval(), (2, 3, 16, 20)).notes == (sorts.NOTE,)


def test_nothing_is_told_of_networks_that_say_which_order_they_want():
    assert trace(Sorting(stable=True).eval(), (2, 3, 16, 20)).notes == ()


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize(
    "spelling",
    [
        lambda x, down: torch.sort(x, 1, down)[1],
        lambda x, down: torch.sort(x, dim=1, descending=down, stable=False)[1],
        lambda x, down: x.sort(1, down)[1],
        lambda x, down: torch.argsort(x, 1, down),
        lambda x, down: x.argsort(dim=1, descending=down),
    ],
)
def test_a_judge_sorts_in_order(spelling: Callable[[Tensor, bool], Tensor], descending: bool):
    numbers = torch.randint(0, 5, (2, 1000), generator=torch.Generator().manual_seed(0))
    wanted = torch.sort(numbers, dim=1, descending=descending, stable=True)[1]
    assert torch.equal(in_order(lambda x: spelling(x, descending))(numbers), wanted)
