"""Small files: the last endpoint in float16, and of each other one its difference from it, in int8 or float16.

theta(alpha) = B + alpha * (A - B), the same blend as alpha * A + (1 - alpha) * B. A network and one fine-tuned
from it lie close together, so their difference is small and needs few bits. The graph widens both to float32
and blends there; nothing is computed in int8.

Weights of two and more dimensions are stored so. Vectors (biases, what BatchNorm knows) and single numbers stay
float32: they are few, and the variance of a BatchNorm may leave float16's range.
"""

from collections.abc import Sequence
from string import ascii_uppercase

import onnx_ir as ir
import torch
from onnx_ir import tensor_adapters
from torch import Tensor

from .nodes import FLOAT, Nodes

# int8 without -128, so that a difference and its opposite are stored alike.
_LARGEST = 127


def store_once(nodes: Nodes, name: str, tensor: Tensor, dtype: ir.DataType) -> ir.Value:
    """A tensor that all endpoints share, as a value of `dtype`."""
    return nodes.cast(_widened(nodes, f"{name}@shared", _halved(tensor.detach().float())), name, dtype)


def store_difference(
    nodes: Nodes,
    name: str,
    endpoints: Sequence[Tensor],
    shares: Sequence[ir.Value],
    axis: int,
    kind: str,
    dtype: ir.DataType,
) -> ir.Value:
    """The blend of a weight's `endpoints`, computed in float32, as a value of `dtype` called `name`.

    shares: of all endpoints but the last, float32 values of one element. axis: that of the output channels, each
    of which has an int8 scale of its own. kind: one of `job.DELTAS`.

    The differences are those from the last endpoint as it is stored, so that its rounding is not another
    endpoint's.
    """
    *others, last = (tensor.detach().float() for tensor in endpoints)
    letters = ascii_uppercase[: len(endpoints)]
    stored = _halved(last)
    total = _widened(nodes, f"{name}@{letters[-1]}", stored)
    for letter, tensor, share in zip(letters, others, shares, strict=False):
        label = f"{name}@{letter}-{letters[-1]}"
        difference = _difference(nodes, label, tensor - stored.float(), axis, kind)
        term = nodes.add("Mul", [difference, share], f"{label}*share", FLOAT, difference.shape)
        is_done = dtype == FLOAT and letter == letters[-2]
        total = nodes.add("Add", [total, term], name if is_done else f"{name}@..{letter}", FLOAT, difference.shape)
    return nodes.cast(total, name, dtype)


def quantise(difference: Tensor, axis: int) -> tuple[Tensor, Tensor]:
    """int8 values of `difference`'s shape and the float32 scale of each slice along `axis`; value * scale is about it.

    Symmetric, a scale for each channel: scale = max|difference| / 127 (Krishnamoorthi, arXiv 1806.08342, sections
    2.2 and 3.1). No element is off by more than half its scale; a slice of zeros stays one.
    """
    others = [dimension for dimension in range(difference.dim()) if dimension != axis]
    # A scale of 0 would divide by it; the smallest normal number does no harm.
    scale = (difference.abs().amax(dim=others) / _LARGEST).clamp(min=torch.finfo(torch.float32).tiny)
    column = scale.reshape([-1 if dimension == axis else 1 for dimension in range(difference.dim())])
    return (difference / column).round().clamp(-_LARGEST, _LARGEST).to(torch.int8), scale


def _difference(nodes: Nodes, label: str, difference: Tensor, axis: int, kind: str) -> ir.Value:
    if kind == "float16" or _is_vector(difference) or not bool(difference.isfinite().all()):
        return _widened(nodes, label, _halved(difference))
    values, scale = quantise(difference, axis)
    stored = nodes.constant(label, tensor_adapters.TorchTensor(values.contiguous()))
    scales = nodes.constant(f"{label}.scale", tensor_adapters.TorchTensor(scale))
    shape = ir.Shape(difference.shape)
    return nodes.add("DequantizeLinear", [stored, scales], f"{label}.float32", FLOAT, shape, {"axis": axis})


def _widened(nodes: Nodes, name: str, tensor: Tensor) -> ir.Value:
    """A float32 value of `tensor`, which is stored as it is, called `name`."""
    stored = nodes.constant(name, tensor_adapters.TorchTensor(tensor.contiguous()))
    return nodes.cast(stored, f"{name}.float32", FLOAT)


def _halved(tensor: Tensor) -> Tensor:
    """In float16 where it is a kernel or a matrix, and float16 reaches as far."""
    half = tensor.half()
    return tensor if _is_vector(tensor) or not bool(half.isfinite().all()) else half


def _is_vector(tensor: Tensor) -> bool:
    """Whether at most one dimension is longer than 1, however many there are: [C], [1, C, 1, 1], one number."""
    return sum(size > 1 for size in tensor.shape) < 2
