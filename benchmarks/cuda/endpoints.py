"""The networks and their weights, made again from a seed wherever they are needed.

16.7 million weights are too many to carry to a GPU machine, and speed does not depend on their values. Every tensor
comes from a generator of its own, seeded with its name, so that the ONNX file and PyTorch get the same ones.
"""

import sys
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

# Behind this folder: some files there have the names of files here.
sys.path.append(str(Path(__file__).resolve().parents[1] / "alpha_is_free"))

from four_networks import NETWORKS, DnCNN, UNet
from spandrel.architectures.Compact.__arch.SRVGG import SRVGGNetCompact
from spandrel.architectures.ESRGAN.__arch.RRDB import RRDBNet

State = dict[str, torch.Tensor]

_B_NOISE = 0.1
_PRELU_SLOPE = (0.15, 0.35)
_DTYPES: dict[int, type[np.generic]] = {1: np.float32, 10: np.float16}


def _rrdbnet_6() -> nn.Module:
    """As RealESRGAN_x4plus_anime_6B: small enough to be compiled by PyTorch in the time that there is."""
    return RRDBNet(in_nc=3, out_nc=3, num_filters=64, num_blocks=6, scale=4)


FULL: dict[str, Callable[[], nn.Module]] = {
    "RRDBNet-23": NETWORKS["RRDBNet-23"].build,
    "Compact": NETWORKS["Compact"].build,
    "RRDBNet-6": _rrdbnet_6,
    "DnCNN": NETWORKS["DnCNN"].build,
    "U-Net": NETWORKS["U-Net"].build,
}
# For rehearsals: every layer is there, and nothing takes time.
TINY: dict[str, Callable[[], nn.Module]] = {
    "RRDBNet-23": lambda: RRDBNet(in_nc=3, out_nc=3, num_filters=16, num_blocks=1, scale=4),
    "Compact": lambda: SRVGGNetCompact(num_in_ch=3, num_out_ch=3, num_feat=16, num_conv=4, upscale=4),
    "RRDBNet-6": lambda: RRDBNet(in_nc=3, out_nc=3, num_filters=8, num_blocks=1, scale=4),
    "DnCNN": lambda: DnCNN(16, 5),
    "U-Net": lambda: UNet(8),
}


def build(name: str, *, tiny: bool) -> nn.Module:
    """The network `name`, for inference."""
    return (TINY if tiny else FULL)[name]().eval().requires_grad_(False)


def make_endpoints(network: nn.Module) -> tuple[State, State]:
    """State dicts of two related endpoints: B is A with a tenth of each tensor's spread as noise."""
    a: State = {}
    b: State = {}
    for prefix, module in network.named_modules():
        for key, tensor in (*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)):
            name = f"{prefix}.{key}" if prefix else key
            if not tensor.is_floating_point():
                a[name] = b[name] = tensor.clone()
                continue
            seed = zlib.crc32(name.encode())
            first = _values(module, key, tuple(tensor.shape), np.random.default_rng([seed, 0]))
            noise = np.random.default_rng([seed, 1]).standard_normal(first.shape, np.float32)
            second = first + np.float32(_B_NOISE) * first.std() * noise
            a[name] = torch.from_numpy(first)
            b[name] = torch.from_numpy(np.abs(second) if key == "running_var" else second)
    return a, b


def _values(module: nn.Module, key: str, shape: tuple[int, ...], random: np.random.Generator) -> npt.NDArray[Any]:
    """Kaiming's spread for kernels, so that activations keep within float16 through 23 blocks; norms as if trained."""
    if isinstance(module, nn.PReLU):
        values = random.uniform(*_PRELU_SLOPE, shape)
    elif key == "running_var" or (key == "weight" and len(shape) == 1):
        values = random.uniform(0.5, 1.5, shape)
    elif key == "weight":
        values = random.standard_normal(shape) * np.sqrt(2 / np.prod(shape[1:]))
    else:
        values = random.standard_normal(shape) * 0.1
    return values.astype(np.float32)


def blend(a: State, b: State, alpha: float) -> State:
    """The weights for `alpha`, in PyTorch; integers are those of both."""
    return {name: alpha * t + (1 - alpha) * b[name] if t.is_floating_point() else t for name, t in a.items()}


def fill(graph: Any, a: State, b: State) -> None:
    """Put the weights into an exported alpha-input `graph` (a ModelProto) that was carried without them.

    `NAME@A` and `NAME@B` hold the endpoints' tensors called NAME, `NAME` what is equal in both. Whatever else has
    values in the file keeps them. Raises ValueError where a tensor is left without any.
    """
    for tensor in graph.graph.initializer:
        values = _named(tensor.name, a, b)
        if values is not None:
            if tuple(tensor.dims) != tuple(values.shape):
                raise ValueError(f"{tensor.name} is {tuple(values.shape)} here and {tuple(tensor.dims)} in the file")
            data = values.numpy().astype(_DTYPES[tensor.data_type]).tobytes()
            for field in ("external_data", "data_location", "float_data", "int32_data"):
                tensor.ClearField(field)
            tensor.raw_data = data
        elif tensor.external_data:
            raise ValueError(f"{tensor.name} is not in the network; export again")


def _named(name: str, a: Mapping[str, torch.Tensor], b: Mapping[str, torch.Tensor]) -> torch.Tensor | None:
    name, _, letter = name.partition("@")
    state = {"": a, "A": a, "B": b}.get(letter)
    return None if state is None else state.get(name)
