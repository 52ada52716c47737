"""Networks that are nasty on purpose, each with one thing that an export easily gets wrong.

`pair(name)` gives one of them with the weights of two related endpoints.
"""

import contextlib
import functools
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

Weights = dict[str, Tensor]

# The networks are so small that sharing them among threads costs more than it gains.
torch.set_num_threads(1)

# At every export PyTorch reads the sources of 500 translations anew, always the same ones: 1.2 of an export's 1.8
# seconds of processor time. Another version of PyTorch, which has this elsewhere, takes that long.
with contextlib.suppress(ImportError, AttributeError):
    from torch.onnx._internal.exporter import _registration

    _registration.onnxscript_apis.get_torchlib_ops = functools.cache(_registration.onnxscript_apis.get_torchlib_ops)


def conv(i: int, o: int, kernel: int = 3, **options: object) -> nn.Conv2d:
    return nn.Conv2d(i, o, kernel, padding=options.pop("padding", kernel // 2), **options)  # type: ignore[arg-type]


class TiedWeights(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.a, self.b, self.last = conv(3, 8), conv(8, 8), conv(8, 8), conv(8, 3)
        self.b.weight = self.a.weight

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.b(torch.relu(self.a(torch.relu(self.first(x))))))


class UsedTwice(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.body, self.last = conv(3, 8), conv(8, 8), conv(8, 3)
        self.norm_a, self.norm_b = nn.BatchNorm2d(8), nn.BatchNorm2d(8)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm_a(self.body(self.first(x)))
        return self.last(self.norm_b(self.body(torch.relu(x))) + 0.1 * self.body.weight.mean())


class NormNotAfterConv(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm, self.first = nn.BatchNorm2d(3), conv(3, 8)
        self.shared_norm, self.last = nn.BatchNorm2d(8), conv(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        y = self.first(self.norm(x))
        return self.last(torch.relu(self.shared_norm(y)) + y)  # y is read twice: its norm must stay


class LinearGate(nn.Module):
    """A channel gate from Linear layers over the image's mean, and one Linear over channels."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = conv(3, 8), conv(8, 3)
        self.squeeze, self.excite, self.mix = nn.Linear(8, 4), nn.Linear(4, 8, bias=False), nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        y = self.first(x)
        gate = torch.sigmoid(self.excite(torch.relu(self.squeeze(y.mean(dim=(2, 3))))))
        y = y * gate[:, :, None, None]
        return self.last(self.mix(y.permute(0, 2, 3, 1)).permute(0, 3, 1, 2))


class LayerNormed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.norm, self.last = conv(3, 8), nn.LayerNorm(8), conv(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.norm(self.first(x).permute(0, 2, 3, 1)).permute(0, 3, 1, 2))


class ScalarParameter(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body, self.strength = conv(3, 3), nn.Parameter(torch.tensor(0.5))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.strength * self.body(x)


class NamedAlpha(nn.Module):
    """Parameters called like our own input and constants."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.alpha, self.one = conv(3, 3), nn.Parameter(torch.tensor(0.5)), nn.Parameter(torch.ones(3, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.one * x + self.alpha * self.body(x)


class IntegerBuffer(nn.Module):
    """Window attention's habit: a table of learnt values, read through an integer index."""

    index: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last, self.table = conv(3, 8), conv(8, 3), nn.Parameter(torch.randn(5, 2))
        self.register_buffer("index", torch.tensor([[3, 1, 4, 1], [0, 2, 3, 3]]))

    def forward(self, x: Tensor) -> Tensor:
        bias = self.table[self.index.flatten()].mean(dim=1)
        return self.last(self.first(x) + bias[None, :, None, None])


class NonPersistentBuffer(nn.Module):
    mean: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.body = conv(3, 3)
        self.register_buffer("mean", torch.tensor([0.4488, 0.4371, 0.4040]).view(1, 3, 1, 1), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x - self.mean) + self.mean


class UnusedParameter(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body, self.forgotten = conv(3, 3), conv(3, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x)


class UNet(nn.Module):
    """Needs sizes that are multiples of 4."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.ModuleList([conv(3, 8), conv(8, 8, stride=2), conv(8, 8, stride=2)])
        self.norms = nn.ModuleList([nn.InstanceNorm2d(8, affine=True) for _ in range(3)])
        self.up = nn.ModuleList([nn.ConvTranspose2d(8, 8, 2, 2), nn.ConvTranspose2d(16, 8, 2, 2)])
        self.last = conv(16, 3)

    def forward(self, x: Tensor) -> Tensor:
        kept = []
        for layer, norm in zip(self.down, self.norms, strict=True):
            x = functional.leaky_relu(norm(layer(x)), 0.2)
            kept.append(x)
        x = torch.cat([self.up[0](kept[2]), kept[1]], 1)
        return self.last(torch.cat([self.up[1](x), kept[0]], 1))


class Bilinear(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = conv(3, 8), conv(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        y = functional.interpolate(self.first(x), scale_factor=2, mode="bilinear", align_corners=False)
        return self.last(y) + functional.interpolate(x, scale_factor=2, mode="nearest")


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "batch_norm": lambda: nn.Sequential(
        conv(3, 8, bias=False),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        conv(8, 8),
        nn.BatchNorm2d(8),
        nn.PReLU(8),
        conv(8, 3),
    ),
    "batch_norm_not_affine": lambda: nn.Sequential(conv(3, 8), nn.BatchNorm2d(8, affine=False), conv(8, 3)),
    "batch_norm_not_after_conv": NormNotAfterConv,
    "transposed_batch_norm": lambda: nn.Sequential(
        conv(3, 8),
        nn.ConvTranspose2d(8, 6, 4, 2, 1),
        nn.BatchNorm2d(6),
        nn.ReLU(),
        nn.ConvTranspose2d(6, 6, 3, 1, 1, groups=2),
        nn.BatchNorm2d(6),
        conv(6, 3),
    ),
    "instance_norm": lambda: nn.Sequential(conv(3, 8), nn.InstanceNorm2d(8, affine=True), nn.ReLU(), conv(8, 3)),
    "group_norm": lambda: nn.Sequential(conv(3, 8), nn.GroupNorm(2, 8), nn.SiLU(), conv(8, 3)),
    "layer_norm": LayerNormed,
    "prelu": lambda: nn.Sequential(conv(3, 8), nn.PReLU(8), conv(8, 8), nn.PReLU(), conv(8, 3)),
    "grouped_dilated": lambda: nn.Sequential(
        conv(3, 8), conv(8, 8, groups=4), nn.GELU(), conv(8, 8, padding=2, dilation=2, groups=8), conv(8, 3)
    ),
    "grouped_batch_norm": lambda: nn.Sequential(conv(3, 8), conv(8, 8, groups=8), nn.BatchNorm2d(8), conv(8, 3)),
    "linear": LinearGate,
    "tied": TiedWeights,
    "used_twice": UsedTwice,
    "zero_bias": lambda: nn.Sequential(conv(3, 8), nn.ReLU(), conv(8, 3)),
    "equal_tensors": lambda: nn.Sequential(conv(3, 8), nn.ReLU(), conv(8, 8), nn.ReLU(), conv(8, 8), conv(8, 3)),
    "scalar": ScalarParameter,
    "named_alpha": NamedAlpha,
    "integer_buffer": IntegerBuffer,
    "non_persistent_buffer": NonPersistentBuffer,
    "unused_parameter": UnusedParameter,
    "spectral_norm": lambda: nn.Sequential(nn.utils.parametrizations.spectral_norm(conv(3, 8)), nn.ReLU(), conv(8, 3)),
    "spectral_norm_hooks": lambda: nn.Sequential(nn.utils.spectral_norm(conv(3, 8)), nn.ReLU(), conv(8, 3)),
    "weight_norm": lambda: nn.Sequential(nn.utils.parametrizations.weight_norm(conv(3, 8)), nn.ReLU(), conv(8, 3)),
    "unpadded": lambda: nn.Sequential(conv(3, 8, padding=0), nn.ReLU(), conv(8, 3, padding=0)),
    "half_size": lambda: nn.Sequential(conv(3, 8, stride=2), nn.ReLU(), conv(8, 3)),
    "reflect_padding": lambda: nn.Sequential(nn.ReflectionPad2d(3), conv(3, 8, 7, padding=0), conv(8, 3)),
    "pixel_shuffle": lambda: nn.Sequential(
        nn.PixelUnshuffle(2), conv(12, 16), nn.PixelShuffle(2), nn.PixelShuffle(2), conv(1, 3)
    ),
    "bilinear": Bilinear,
    "unet": UNet,
}


def randomise(network: nn.Module, generator: torch.Generator) -> None:
    """Weights of the usual size; BatchNorm statistics and counters as if it had been trained."""
    for name, tensor in network.state_dict().items():
        if tensor.is_floating_point() and not name.endswith(("_u", "_v")):
            tensor += 0.1 * torch.randn(tensor.shape, generator=generator)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None and module.running_var is not None
            module.running_mean.uniform_(-0.5, 0.5, generator=generator)
            module.running_var.uniform_(0.3, 2.0, generator=generator)
            module.num_batches_tracked.fill_(int(torch.randint(1, 10_000, (1,), generator=generator)))
    if any(name.endswith("_u") for name in network.state_dict()):
        network.train()  # spectral norm finds its singular vectors by power iteration while training
        for _ in range(20):
            network(torch.rand(1, 3, 8, 8, generator=generator))
        network.eval()


def pair(name: str, seed: int = 0) -> tuple[nn.Module, Weights, Weights]:
    """The network `name` in evaluation mode and the state dicts of two related endpoints."""
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    network = NETWORKS[name]().eval()
    with torch.no_grad():
        randomise(network, generator)
        a = {key: tensor.clone() for key, tensor in network.state_dict().items()}
        randomise(network, generator)
        b = {key: tensor.clone() for key, tensor in network.state_dict().items()}
    if name == "zero_bias":
        a["0.bias"].zero_()  # an optimizer that knows A's weights drops the bias, and B's with it
    if name == "equal_tensors":
        for key in ("2.weight", "2.bias"):
            b[key] = a[key].clone()  # the same in both endpoints
        a["4.weight"] = a["2.weight"].clone()  # the same twice in A alone
    return network, a, b
