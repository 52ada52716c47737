import warnings
from collections.abc import Callable

import pytest
import torch
from exporting import small_network
from networks import UNet, conv, pair
from torch import Tensor, nn
from torch.nn import functional

from dni_exporters.networks.architecture import Architecture
from dni_exporters.networks.probe import ImageContract, probe, quiet_inference
from dni_runtime import ArchitectureError
from dni_runtime.sizes import Sizes


def probed(network: nn.Module, shape: tuple[int, int, int, int] | None = None, **options: object) -> ImageContract:
    return probe(Architecture(network.float().eval(), "Network"), shape, **options)


def stack(depth: int) -> nn.Module:
    return nn.Sequential(*(layer for _ in range(depth) for layer in (conv(3, 3), nn.ReLU())))


class Refuses(nn.Module):
    """Takes only what `allowed` says, in code or as an error."""

    def __init__(self, allowed) -> None:
        super().__init__()
        self.allowed, self.body = allowed, conv(3, 3)

    def forward(self, x: Tensor) -> Tensor:
        if not self.allowed(x):
            raise RuntimeError(f"no {tuple(x.shape)}\nand much more")
        return self.body(x)


@pytest.mark.parametrize("depth", [1, 2, 7, 20])
def test_the_overlap_of_a_stack_of_convolutions_is_its_depth(depth: int):
    assert probed(stack(depth)).overlap == depth


def test_dilation_and_large_kernels_reach_further():
    assert probed(conv(3, 3, 7)).overlap == 3
    assert probed(conv(3, 3, padding=4, dilation=4)).overlap == 4
    assert probed(conv(3, 3, 1)).overlap == 0


def test_too_long_a_reach_has_no_overlap():
    assert probed(stack(48)).overlap == 48
    assert probed(stack(49)).overlap is None
    assert probed(stack(49)).view == "near"


@pytest.mark.parametrize(
    "network",
    [
        nn.Sequential(conv(3, 8), nn.InstanceNorm2d(8), conv(8, 3)),
        nn.Sequential(conv(3, 8), nn.GroupNorm(2, 8), conv(8, 3)),
    ],
    ids=["InstanceNorm", "GroupNorm"],
)
def test_networks_that_see_the_whole_image_have_no_overlap(network: nn.Module):
    contract = probed(network)
    assert (contract.overlap, contract.view) == (None, "whole")


class Gate(nn.Module):
    """Multiplied with what `average` makes of all pixels."""

    def __init__(self, average: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.first, self.average, self.last = conv(3, 8), average, conv(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        return self.last(x * torch.sigmoid(self.average(x)))


@pytest.mark.parametrize(
    "network",
    [
        pair("linear")[0],
        Gate(lambda x: x.mean((2, 3), keepdim=True)),
        Gate(lambda x: x.mean((-1, -2, 1), keepdim=True)),
        Gate(nn.AdaptiveAvgPool2d(1)),
    ],
    ids=["linear", "mean", "mean of all", "pool"],
)
def test_what_averages_see_is_no_overlap(network: nn.Module):
    contract = probed(network)
    assert (contract.overlap, contract.view) == (2, "averages")


def test_an_average_beside_something_else_that_sees_the_whole_image_does_not_count():
    contract = probed(nn.Sequential(Gate(nn.AdaptiveAvgPool2d(1)), nn.InstanceNorm2d(3)))
    assert (contract.overlap, contract.view) == (None, "whole")


def test_averages_of_neighbours_are_near():
    contract = probed(nn.Sequential(nn.AvgPool2d(3, 1, 1), Gate(lambda x: x.mean(1, keepdim=True))))
    assert (contract.overlap, contract.view) == (3, "near")


def test_a_fixed_size_tells_nothing_of_the_view():
    contract = probed(conv(3, 3), (1, 3, 16, 16), static=True)
    assert (contract.overlap, contract.view) == (None, None)


def test_a_network_that_hides_nan_has_no_overlap():
    class Hides(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.nan_to_num(x)

    contract = probed(Hides())
    assert (contract.overlap, contract.view) == (None, None)


def test_batch_norm_does_not_widen_the_reach():
    assert probed(nn.Sequential(conv(3, 8), nn.BatchNorm2d(8), conv(8, 3))).overlap == 2


def test_a_unet_needs_multiples_of_4():
    contract = probed(UNet())
    assert (contract.size_multiple, contract.scale) == (4, 1)
    assert contract.size_minimum == 8  # InstanceNorm refuses an image of one pixel
    assert contract.overlap is None  # its InstanceNorms
    assert all(side % 4 == 0 for side in contract.input_shape[2:])


def test_the_overlap_is_a_multiple_of_the_size_multiple():
    network = nn.Sequential(nn.PixelUnshuffle(4), conv(48, 48), nn.PixelShuffle(4))
    contract = probed(network)
    assert (contract.size_multiple, contract.overlap) == (4, 4)  # one pixel of the small image


@pytest.mark.parametrize(
    ("network", "scale", "multiple", "out_channels"),
    [
        (small_network(), 1, 1, 3),
        (nn.Sequential(conv(3, 12), nn.PixelShuffle(2)), 2, 1, 3),
        (nn.Sequential(conv(3, 16), nn.PixelShuffle(4)), 4, 1, 1),
        (conv(3, 4, stride=2), 0.5, 2, 4),
        (nn.PixelUnshuffle(4), 0.25, 4, 48),
        (nn.Upsample(scale_factor=1.5, mode="bilinear"), 1.5, 2, 3),
    ],
)
def test_the_scale_is_measured(network: nn.Module, scale: float, multiple: int, out_channels: int):
    contract = probed(network)
    assert (contract.scale, contract.size_multiple, contract.out_channels) == (scale, multiple, out_channels)


def test_networks_without_padding_have_no_scale():
    contract = probed(conv(3, 3, padding=0))
    assert (contract.scale, contract.size_multiple, contract.size_minimum) == (None, 1, 4)


def test_reflection_sets_the_minimum():
    assert probed(nn.Sequential(nn.ReflectionPad2d(3), conv(3, 3, 7, padding=0))).size_minimum == 4


def test_what_is_traced_with_is_neither_square_nor_one_image():
    assert probed(small_network()).input_shape == (2, 3, 16, 17)
    assert probed(UNet()).input_shape == (2, 3, 16, 20)
    assert probed(small_network(), static=True).input_shape == (1, 3, 16, 17)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_channels_are_found(channels: int):
    assert probed(conv(channels, channels)).input_shape[1] == channels


def test_other_channels_need_a_shape():
    with pytest.raises(ArchitectureError, match=r"takes no input of shape .*1, 3, .*--input-shape N,C,H,W"):
        probed(conv(7, 3))
    assert probed(conv(7, 3), (1, 7, 20, 24)).input_shape == (2, 7, 20, 24)


def test_a_given_shape_is_kept_where_sizes_are_fixed():
    network = Refuses(lambda x: x.shape[2:] == (20, 24))
    contract = probed(network, (1, 3, 20, 24), static=True)
    assert contract == ImageContract((1, 3, 20, 24), 1, 1, 3, 1.0, None, static=True)


def test_what_the_architecture_knows_is_not_measured():
    contract = probe(Architecture(small_network(), "Network", 3, Sizes(8, 24)))
    assert (contract.size_multiple, contract.size_minimum) == (8, 24)
    assert contract.input_shape == (2, 3, 24, 32)
    assert contract.overlap == 8  # 2 pixels, rounded up


def test_a_shape_that_the_network_refuses_is_reported_in_its_words():
    with pytest.raises(ArchitectureError, match=r"the network Network takes no input of shape \(1, 3, 20, 24\)") as e:
        probed(Refuses(lambda x: False), (1, 3, 20, 24), static=True)
    assert ": no (1, 3, 20, 24); give one that it takes" in str(e.value)


class Returns(nn.Module):
    def __init__(self, answer) -> None:
        super().__init__()
        self.answer, self.body = answer, conv(3, 3)

    def forward(self, x: Tensor) -> object:
        return self.answer(self.body(x))


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (lambda y: (y, y), "tuple"),
        (lambda y: {"image": y}, "dict"),
        (lambda y: y.mean(dim=(2, 3)), r"shape \(1, 3\)"),
        (lambda y: y > 0, "torch.bool"),
        (lambda y: torch.complex(y, y), "torch.complex64"),
    ],
)
def test_networks_that_give_no_image_are_refused(answer, kind: str):
    with pytest.raises(ArchitectureError, match=rf"its output is of {kind}, expected one image of shape"):
        probed(Returns(answer))


def test_probing_is_silent_and_leaves_no_gradients():
    class Talks(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            warnings.warn("old", DeprecationWarning, stacklevel=1)
            return functional.relu(x)

    network = nn.Sequential(conv(3, 3), Talks())
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    probed(network)  # warnings are errors here
    with quiet_inference():
        assert not network(torch.rand(1, 3, 8, 8)).requires_grad
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())


def test_a_network_of_one_size_is_asked_to_be_static():
    network = Refuses(lambda x: x.shape[2] == 16)
    with pytest.raises(
        ArchitectureError, match=r"takes an input of shape \(2, 3, 16, 17\), but none of \(1, 3, 18, 18\)"
    ) as e:
        probed(network)
    assert str(e.value).endswith(": no (1, 3, 18, 18); fix its size: --static --input-shape N,C,H,W")
    assert probed(network, (1, 3, 16, 20), static=True).input_shape == (1, 3, 16, 20)


class Multiples(nn.Module):
    """Takes sides that are multiples of one; those of square images alone, or one image at a time, if asked to."""

    def __init__(self, multiple: int, channels: int = 3, *, square: bool = False, alone: bool = False) -> None:
        super().__init__()
        self.multiple, self.square, self.alone, self.body = multiple, square, alone, conv(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        n, _, height, width = x.shape
        if height % self.multiple or width % self.multiple or (self.square and height != width):
            raise RuntimeError("no such size")
        if self.alone and n > 1:
            raise RuntimeError("one image, please")
        return self.body(x)


@pytest.mark.parametrize("multiple", [1, 2, 16, 64, 128, 256, 512])
@pytest.mark.parametrize("square", [False, True])
def test_multiples_up_to_512_are_found(multiple: int, square: bool):
    contract = probed(Multiples(multiple, square=square))
    assert contract.sizes == Sizes(multiple, multiple, square)
    side = max(16, 2 * multiple) if multiple <= 128 else multiple
    assert contract.input_shape == (2, 3, side, side if square else side + multiple)
    assert (contract.scale, contract.overlap, contract.view) == (1, multiple, "near") or multiple > 48


@pytest.mark.parametrize(
    ("given", "sizes"),
    [
        ((1, 3, 48, 72), Sizes(24, 24)),
        ((1, 3, 24, 24), Sizes(24, 24)),
        ((2, 3, 720, 720), Sizes(24, 24)),
    ],
)
def test_a_given_shape_tells_multiples_that_are_no_power_of_two(given: tuple[int, int, int, int], sizes: Sizes):
    assert probed(Multiples(24), given).sizes == sizes
    with pytest.raises(ArchitectureError, match=r"no such size; give one that it takes: --input-shape"):
        probed(Multiples(24))


def test_a_given_square_tells_that_others_are_not_taken():
    contract = probed(Multiples(24, square=True), (1, 3, 48, 48))
    assert (contract.sizes, contract.input_shape) == (Sizes(24, 24, square=True), (2, 3, 48, 48))
    with pytest.raises(ArchitectureError, match=r"takes no input of shape \(1, 3, 48, 72\)"):
        probed(Multiples(24, square=True), (1, 3, 48, 72))


def test_pix2pix_of_eight_steps_down():
    """arXiv 1611.07004: the innermost features are one pixel large, and BatchNorm alone."""

    class Steps(nn.Module):
        def __init__(self, count: int, channels: int) -> None:
            super().__init__()
            self.down, self.up = nn.Conv2d(channels, 4, 4, 2, 1), nn.ConvTranspose2d(4, channels, 4, 2, 1)
            self.norm = nn.BatchNorm2d(channels)
            self.inner = Steps(count - 1, 4) if count > 1 else nn.ReLU()

        def forward(self, x: Tensor) -> Tensor:
            return x + self.norm(self.up(self.inner(self.down(x))))

    contract = probed(Steps(8, 1))
    assert (contract.sizes, contract.input_shape) == (Sizes(256, 256), (2, 1, 256, 512))
    assert contract.scale == 1


def test_a_given_shape_that_a_file_would_not_take_is_refused():
    """spandrel pads images for DITN, and its network takes others, too."""
    architecture = Architecture(conv(3, 3), "DITN", 3, Sizes(8))
    with pytest.raises(ArchitectureError, match=r"--input-shape 1,3,12,16: multiples of 8; give such .* or --static"):
        probe(architecture, (1, 3, 12, 16))
    assert probe(architecture, (1, 3, 12, 16), static=True).input_shape == (1, 3, 12, 16)
    assert probe(architecture, (1, 3, 8, 16)).size_multiple == 8


def test_what_spandrel_says_is_too_little_for_some():
    """SwinIR that unshuffles first pads to its window before: multiples of 16, spandrel says 4."""
    contract = probe(Architecture(Multiples(16).eval(), "Network", 3, Sizes(4, 20)))
    assert contract.sizes == Sizes(16, 20)
    assert contract.input_shape == (2, 3, 32, 48)


def test_a_network_of_square_images_as_spandrel_knows_it():
    contract = probe(Architecture(Multiples(32, square=True).eval(), "Network", 3, Sizes(32, 32, square=True)))
    assert (contract.sizes, contract.input_shape) == (Sizes(32, 32, square=True), (2, 3, 64, 64))
    assert (contract.overlap, contract.view) == (32, "near")


def test_one_image_at_a_time():
    contract = probed(Multiples(8, alone=True))
    assert (contract.input_shape, contract.size_multiple) == ((1, 3, 16, 24), 8)
    assert probed(Multiples(8, alone=True), (1, 3, 32, 40)).input_shape == (1, 3, 32, 40)


class FusesItself(nn.Module):
    """As SPAN does: weights that are computed anew whenever it runs."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.fused = nn.Conv2d(3, 3, 3, padding=1), nn.Conv2d(3, 3, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.fused.weight.data = self.first.weight.data.clone() * 2
        return self.fused(x)


def test_a_network_that_changes_its_weights_as_it_runs_can_be_traced_after_it():
    network = FusesItself().eval()
    with quiet_inference():
        assert not network(torch.zeros(1, 3, 8, 8)).requires_grad
    network.fused.weight.detach().requires_grad_(True)
