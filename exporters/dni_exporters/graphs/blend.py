"""The formula of Deep Network Interpolation (Wang et al., arXiv 1811.10515), for tensors and for graphs.

theta(alpha) = alpha * theta_A + (1 - alpha) * theta_B; with more endpoints, and along a path, alpha gives each of them
its share (`dni_runtime.shares`).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from string import ascii_uppercase
from typing import TypeAlias

import onnx_ir as ir
import torch
from onnx_ir import tensor_adapters
from torch import Tensor

from dni_exporters.checkpoints.endpoints import is_leftover
from dni_exporters.sources import StateDict
from dni_runtime import EndpointError
from dni_runtime.alpha import ALPHA, Key

from .delta import store_difference, store_once
from .formula import ONE_ALPHA, Formula
from .knobs import input_names, slices
from .nodes import FLOAT, Nodes
from .shares import Shares


def blend_tensors(
    endpoints: Sequence[StateDict], shares: Sequence[float] | Callable[[str], Sequence[float]]
) -> dict[str, Tensor]:
    """The sum of state dicts of the same names and shapes, each times its share, but for what no inference reads.

    shares: one for each endpoint, 1 in all: `dni_runtime.shares.shares_of` makes them of alpha. Or what gives them for
    the name of a tensor.

    Computed in float32 (float64 for float64 tensors) and returned in each tensor's own dtype, the widest where the
    endpoints differ in it. Tensors that are equal in all endpoints stay as they are, to the bit: tables that are
    read as whole numbers would not survive a rounding. Integer tensors and what no inference reads are those of the
    first endpoint: blending would truncate them.
    """
    blended: dict[str, Tensor] = {}
    for name, first in endpoints[0].items():
        if not first.is_floating_point() or is_leftover(name):
            blended[name] = first.detach().clone()
            continue
        own = functools.reduce(torch.promote_types, (endpoint[name].dtype for endpoint in endpoints))
        tensors = [endpoint[name].detach().to(own) for endpoint in endpoints]
        if _all_equal(tensors):
            blended[name] = tensors[0].clone()
            continue
        wide = torch.promote_types(own, torch.float32)
        share, *others = shares(name) if callable(shares) else shares
        total = tensors[0].to(wide) * share
        for share, tensor in zip(others, tensors[1:], strict=True):
            total += tensor.to(wide) * share
        blended[name] = total.to(own)
    return blended


def theta(endpoints: Sequence[StateDict], alpha: Key, formula: Formula) -> dict[str, Tensor]:
    """The blend of state dicts at a checked `alpha`, as `blend_tensors`."""
    return blend_tensors(endpoints, functools.partial(formula.shares, alpha))


Stored: TypeAlias = dict[str, tuple[int, str]]
"""Name of an initializer -> the number of its endpoint and the name of its tensor there."""


def blended_values(stored: Stored) -> frozenset[str]:
    """Names of the values that the blend ends in; what is the same in all endpoints is not blended."""
    return frozenset(name.rpartition("@")[0] for name, (endpoint, _) in stored.items() if endpoint)


def attach_blend(
    model: ir.Model, endpoints: Sequence[StateDict], delta: str | None = None, formula: Formula = ONE_ALPHA
) -> Stored:
    """Put the weights of all endpoints into a skeleton's graph, and the input `alpha` that blends them.

    alpha is float32 of shape [len(endpoints) - 1], along a path [1]; one number more for each knob. The blend is
    elementwise and per tensor, so it is exact where a share is 1. A tensor that is equal in all endpoints is stored
    once and not blended; what the network does not use is not stored. Returns what became of the tensors.

    Raises EndpointError for a knob of which the network uses no parameter.

    delta: store differences from the last endpoint instead (see `delta.py`), which is smaller and less exact;
    returns nothing then.
    """
    graph = model.graph
    lifted = list(graph.inputs[1:])
    del graph.inputs[1:]
    count = formula.count if formula.knobs or formula.path else len(endpoints) - 1
    alpha = ir.Value(name=ALPHA, type=ir.TensorType(FLOAT), shape=ir.Shape([count]))
    graph.inputs.append(alpha)
    nodes = Nodes(graph)
    shares = [
        Shares(nodes, each, len(endpoints), formula.path, with_last=delta is None)
        for each in (slices(nodes, alpha, formula.knobs) if formula.knobs else [alpha])
    ]
    stored: Stored = {}
    used = {formula.numbers.get(value.name or "") for value in lifted if value.uses()}
    if idle := [knob.name for number, knob in enumerate(formula.knobs, 1) if number not in used]:
        raise EndpointError(
            f"--knob {idle[0]} is for parameters alone that the network does not use for its picture; leave it out"
        )
    # A network may have parameters of its own that are called so, and constants, such as buffers of no checkpoint.
    inputs = input_names(formula.knobs)
    for value in [*graph.initializers.values()]:
        if value.name in inputs:
            value.name = f"{value.name}@constant"
    for value in lifted:
        name = value.name or ""
        if value.uses():
            tensors, own = [endpoint[name] for endpoint in endpoints], shares[formula.numbers.get(name, 0)]
            if name in inputs:
                value.name = f"{name}@weight"
            if delta is None:
                stored |= {each: (number, name) for number, each in enumerate(_attach(nodes, own, value, tensors))}
            else:
                _attach_difference(nodes, own, value, tensors, delta)
    if not len(graph):
        raise EndpointError("the network gives one picture, whatever its image and weights are: nothing to blend")
    nodes.insert_before(graph[0])
    return stored


def _attach(nodes: Nodes, shares: Shares, value: ir.Value, tensors: Sequence[Tensor]) -> list[str]:
    """Give everything that reads `value`, until now a graph input, the blend of `tensors` instead.

    Returns what each of them is stored as; one name where all are equal.
    """
    assert value.dtype is not None
    dtype, shape = value.dtype, ir.Shape(tensors[0].shape)
    name = _free_name(value)
    if _all_equal(tensors):
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
    return names


def _attach_difference(nodes: Nodes, shares: Shares, value: ir.Value, tensors: Sequence[Tensor], kind: str) -> None:
    """As `_attach`, with differences from the last endpoint."""
    assert value.dtype is not None
    transposed = any(node.op_type == "ConvTranspose" for node in value.consumers())
    name = _free_name(value)
    if _all_equal(tensors):
        total = store_once(nodes, name, tensors[0], value.dtype)
    else:
        # Output channels are axis 1 of a ConvTranspose's weight, axis 0 of every other.
        given = shares.of(FLOAT, tensors[0].dim())
        total = store_difference(nodes, name, tensors, given, int(transposed), kind, value.dtype)
    ir.convenience.replace_all_uses_with(value, total)


def _free_name(value: ir.Value) -> str:
    """Take its name from `value`, for the one that takes its place."""
    name, value.name = value.name, None
    assert name is not None
    return name


def _all_equal(tensors: Sequence[Tensor]) -> bool:
    """Of tensors that are not, the first rows are seldom equal either, and sooner compared."""
    first = tensors[0]
    return all((first.dim() == 0 or t[:1].equal(first[:1])) and t.equal(first) for t in tensors[1:])


def _adapt(tensor: Tensor, dtype: ir.DataType) -> ir.TensorProtocol:
    """`tensor` as an ONNX tensor of `dtype`, without a copy where it has that dtype already."""
    wanted = tensor_adapters.to_torch_dtype(dtype)
    return tensor_adapters.TorchTensor(tensor.detach().to(wanted).contiguous())
