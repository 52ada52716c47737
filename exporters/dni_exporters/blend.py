"""The formula of Deep Network Interpolation (Wang et al., arXiv 1811.10515), for tensors and for graphs.

theta(alpha) = alpha * theta_A + (1 - alpha) * theta_B; with more endpoints alpha holds the shares of
all but the last, which takes the rest.
"""

from collections.abc import Sequence
from string import ascii_uppercase
from typing import TypeAlias

import onnx_ir as ir
import torch
from onnx_ir import tensor_adapters
from torch import Tensor

from .checkpoint import StateDict
from .nodes import FLOAT, Nodes


def blend_tensors(endpoints: Sequence[StateDict], alpha: Sequence[float]) -> dict[str, Tensor]:
    """theta(alpha) over state dicts of the same names, shapes and dtypes.

    Computed in float32 (float64 for float64 tensors) and returned in each tensor's own dtype. Integer
    tensors are those of the first endpoint: blending would truncate them.
    """
    shares = [*alpha, 1.0 - sum(alpha)]
    blended: dict[str, Tensor] = {}
    for name, first in endpoints[0].items():
        if not first.is_floating_point():
            blended[name] = first.detach().clone()
            continue
        wide = torch.promote_types(first.dtype, torch.float32)
        total = first.detach().to(wide) * shares[0]
        for share, endpoint in zip(shares[1:], endpoints[1:], strict=True):
            total += endpoint[name].detach().to(wide) * share
        blended[name] = total.to(first.dtype)
    return blended


Stored: TypeAlias = dict[str, tuple[int, str]]
"""Name of an initializer -> the number of its endpoint and the name of its tensor there."""


def attach_blend(model: ir.Model, endpoints: Sequence[StateDict]) -> Stored:
    """Put the weights of all endpoints into a skeleton's graph, and the input `alpha` that blends them.

    alpha is float32 of shape [len(endpoints) - 1]. The blend is elementwise and per tensor, so it is
    exact where a share is 1. A tensor that is equal in all endpoints is stored once and not blended;
    what the network does not use is not stored. Returns what became of the tensors.
    """
    graph = model.graph
    lifted = list(graph.inputs[1:])
    del graph.inputs[1:]
    alpha = ir.Value(name="alpha", type=ir.TensorType(FLOAT), shape=ir.Shape([len(endpoints) - 1]))
    graph.inputs.append(alpha)
    nodes = Nodes(graph)
    shares = _Shares(nodes, alpha, len(endpoints))
    stored: Stored = {}
    for value in lifted:
        if value.uses():
            stored |= _attach(nodes, shares, value, [endpoint[value.name or ""] for endpoint in endpoints])
    nodes.insert_before(graph[0])
    return stored


def _attach(nodes: Nodes, shares: "_Shares", value: ir.Value, tensors: Sequence[Tensor]) -> Stored:
    """Give everything that reads `value`, until now a graph input, the blend of `tensors` instead."""
    assert value.name is not None and value.dtype is not None
    tensor_name, dtype, shape = value.name, value.dtype, ir.Shape(tensors[0].shape)
    # A network may have a parameter of its own called alpha.
    name = tensor_name if tensor_name != "alpha" else "alpha@weight"
    value.name = None  # free for the value that takes its place
    if all(tensor.equal(tensors[0]) for tensor in tensors[1:]):
        total = nodes.constant(name, _adapt(tensors[0], dtype))
        names = [name]
    else:
        terms, names = [], []
        for letter, tensor, share in zip(ascii_uppercase, tensors, shares.of(dtype, len(shape)), strict=False):
            stored = nodes.constant(f"{name}@{letter}", _adapt(tensor, dtype))
            names.append(f"{name}@{letter}")
            terms.append(nodes.add("Mul", [stored, share], f"{name}@{letter}*share", dtype, shape))
        total = terms[0]
        for letter, term in zip(ascii_uppercase[1:], terms[1:], strict=False):
            label = name if term is terms[-1] else f"{name}@..{letter}"
            total = nodes.add("Add", [total, term], label, dtype, shape)
    ir.convenience.replace_all_uses_with(value, total)
    return {stored: (number, tensor_name) for number, stored in enumerate(names)}


class _Shares:
    """Every endpoint's share of the blend as a value in the graph, made once per dtype and rank."""

    def __init__(self, nodes: Nodes, alpha: ir.Value, endpoint_count: int) -> None:
        self._nodes = nodes
        one_element = ir.Shape([1])
        one = nodes.constant("alpha@one", ir.tensor([1.0], dtype=FLOAT))
        given, rest = [alpha], alpha
        if endpoint_count > 2:
            given = []
            for number, letter in zip(range(endpoint_count - 1), ascii_uppercase, strict=False):
                index = nodes.constant(f"alpha@index_{letter}", ir.tensor([number], dtype=ir.DataType.INT64))
                given.append(nodes.add("Gather", [alpha, index], f"alpha@share_{letter}", FLOAT, one_element))
            rest = nodes.add("ReduceSum", [alpha], "alpha@sum", FLOAT, one_element, {"keepdims": 1})
        last = nodes.add("Sub", [one, rest], "alpha@share_last", FLOAT, one_element)
        self._made = {(FLOAT, False): [*given, last]}

    def of(self, dtype: ir.DataType, rank: int) -> list[ir.Value]:
        """The shares for weights of `dtype`: shape [1], which broadcasts; rank 0 for weights of rank 0."""
        if (dtype, False) not in self._made:
            self._made[dtype, False] = [
                self._nodes.cast(share, f"{share.name}_{dtype.name}", dtype) for share in self._made[FLOAT, False]
            ]
        if rank == 0 and (dtype, True) not in self._made:
            self._made[dtype, True] = [
                self._nodes.add("Squeeze", [share], f"{share.name}_scalar", dtype, ir.Shape([]))
                for share in self._made[dtype, False]
            ]
        return self._made[dtype, rank == 0]


def _adapt(tensor: Tensor, dtype: ir.DataType) -> ir.TensorProtocol:
    """`tensor` as an ONNX tensor of `dtype`, without a copy where it has that dtype already."""
    wanted = tensor_adapters.to_torch_dtype(dtype)
    return tensor_adapters.TorchTensor(tensor.detach().to(wanted).contiguous())
