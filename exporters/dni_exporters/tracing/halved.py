"""A network in float16: its weights, what its code makes beside them, and images in float32 all the same."""

import copy
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

import onnx_ir as ir
import torch
from torch import nn
from torch.overrides import TorchFunctionMode

# Whose results are float32 unless a dtype is told, where the numbers they are given are.
_MAKING: dict[Callable[..., Any], int | None] = {
    torch.zeros: None, torch.ones: None, torch.empty: None, torch.eye: None, torch.linspace: None, torch.full: 1,
    torch.tensor: 0, torch.arange: 0,
}  # fmt: skip


def made_in_float16() -> AbstractContextManager[Any]:
    """What a network's code makes of nothing, such as attention's mask for an image of some size, is float16.

    In PyTorch such a network fails in float16, as the mask is float32: spandrel vouches for none of these.
    """
    return _MadeInFloat16()


class _MadeInFloat16(TorchFunctionMode):
    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        given = dict(kwargs or {})
        if func in _MAKING and given.get("dtype") is None:
            number = _MAKING[func]
            values = args[number:] if number is not None else ()
            if number is None or any(isinstance(value, float) for value in _flat([*values, *given.values()])):
                given["dtype"] = torch.float16
        return func(*args, **given)


def _flat(values: Sequence[Any]) -> list[Any]:
    return [each for value in values for each in (_flat(value) if isinstance(value, list | tuple) else [value])]


def halved(network: nn.Module) -> nn.Module:
    """A copy of `network` in float16, but for BatchNorm, whose 1/sqrt(variance + epsilon) leaves float16's range."""
    halved = copy.deepcopy(network).half()
    for module in halved.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.float()
    return halved


def keep_float32_io(model: ir.Model) -> None:
    """Put Casts behind the float16 image input and before the output, so that callers keep float32."""
    graph = model.graph
    image, output = graph.inputs[0], graph.outputs[0]
    cast_in = ir.node("Cast", [image], {"to": ir.DataType.FLOAT16})
    cast_in.outputs[0].name = "input_float16"
    cast_in.outputs[0].dtype, cast_in.outputs[0].shape = ir.DataType.FLOAT16, image.shape
    ir.convenience.replace_all_uses_with(image, cast_in.outputs[0])
    cast_in.replace_input_with(0, image)
    graph.insert_before(graph[0], cast_in)
    image.dtype = ir.DataType.FLOAT
    output.name = "output_float16"
    cast_out = ir.node("Cast", [output], {"to": ir.DataType.FLOAT})
    cast_out.outputs[0].name = "output"
    cast_out.outputs[0].dtype, cast_out.outputs[0].shape = ir.DataType.FLOAT, output.shape
    graph.append(cast_out)
    graph.outputs[0] = cast_out.outputs[0]
