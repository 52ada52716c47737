"""The verdict on pairs of which one knows what their pictures are."""

import pathlib
from collections.abc import Callable

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from dni_deploy.demo import STRONG, WEAK
from dni_exporters import Verdict, export, inspect_endpoints
from dni_exporters.graphs.formula import Formula
from dni_exporters.networks.architecture import Architecture
from dni_exporters.networks.probe import probe
from dni_exporters.verdict.judge import Trials, points_between
from dni_exporters.verdict.photographs import Photograph, built_in
from dni_runtime.alpha import Knob
from dni_runtime.shares import Path
from dni_runtime.sizes import Sizes

Weights = dict[str, Tensor]


class Product(nn.Module):
    """The image times `first` times `second` for each channel, plus `offset`: what lies between is known."""

    def __init__(self, channels: int = 3, out_channels: int | None = None) -> None:
        super().__init__()
        self.first = nn.Parameter(torch.ones(channels, 1, 1))
        self.second = nn.Parameter(torch.ones(channels, 1, 1))
        self.offset = nn.Parameter(torch.zeros(out_channels or channels, 1, 1))

    def forward(self, image: Tensor) -> Tensor:
        product = image * self.first * self.second
        return (product.mean(1, keepdim=True) if len(self.offset) != len(self.first) else product) + self.offset


def weights(network: nn.Module, **values: float | list[float]) -> Weights:
    found = {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}
    for name, value in values.items():
        found[name] = (found[name] * 0 + torch.tensor(value).reshape(-1, 1, 1)).float()
    return found


def judged(network: nn.Module, *endpoints: Weights, channels: int = 3, size: int = 1, static: bool = False) -> Verdict:
    shape = (2, channels, 100, 90) if static else None
    contract = probe(Architecture(network.eval(), "it", channels, Sizes(size)), shape, static=static)
    return Trials().judge(network, endpoints, contract)


def shuffled(state: Weights) -> Weights:
    """The demo's network with the channels of every layer in another order: it computes the same, elsewhere."""
    generator = torch.Generator().manual_seed(0)
    found, order = dict(state), torch.arange(3)
    layers = sorted({int(name.split(".")[1]) for name in state})
    for layer in layers:
        weight = state[f"body.{layer}.weight"]
        if weight.dim() == 1:
            found[f"body.{layer}.weight"] = weight[order]
            continue
        weight = weight[:, order]
        if layer != layers[-1]:
            order = torch.randperm(len(weight), generator=generator)
            weight, found[f"body.{layer}.bias"] = weight[order], state[f"body.{layer}.bias"][order]
        found[f"body.{layer}.weight"] = weight.contiguous()
    return found


def test_the_demos_pair_blends():
    verdict = inspect_endpoints(WEAK, STRONG).verdict
    assert verdict is not None
    assert verdict.blends is True
    assert verdict.text == (
        "blends: a colour shift of 0.2 (dE2000) at most at 0.75, 0.5 and 0.25, on 6 built-in photographs"
    )
    assert verdict.photographs == ("astronaut", "camera", "chelsea", "coffee", "coffee_green", "rocket")
    assert [figures.alpha for figures in verdict.figures] == [(0.75,), (0.5,), (0.25,)]
    assert len(verdict.each) == 18
    assert verdict.ends_apart_db == pytest.approx(27.1, abs=0.2)  # noise that one takes away and the other keeps
    assert min(figures.to_mix_db for figures in verdict.figures) > 38


def test_equal_functions_of_weights_that_lie_apart_do_not_blend():
    """The middle of two denoisers trained apart denoises nothing; this pair makes equal pictures at its ends."""
    weak = load_file(WEAK)
    verdict = inspect_endpoints(weak, shuffled(weak)).verdict
    assert verdict is not None
    assert verdict.ends_apart_db > 80
    assert verdict.blends is False
    assert verdict.text.startswith("does not blend: halos or grain (detail 1.5")
    assert verdict.text.endswith(" of the ends') at 0.5, and faults at 0.75 and 0.25 too, on 6 built-in photographs")


def test_a_network_beside_itself():
    network = Product()
    verdict = judged(network, weights(network), weights(network))
    assert verdict.ends_apart_db == 100
    assert {(f.colour_shift, f.contrast, f.detail, f.to_mix_db) for f in verdict.each} == {(0, 1, 1, 100)}


@pytest.mark.parametrize(
    ("green", "start"),
    [
        (1.2, "blends: a colour shift of "),  # 1.2 * 1 / 1.2: the middle has 0.992 of the green
        (1.45, "blends with a colour shift of "),
        (4.0, "does not blend: a colour shift of "),
    ],
)
def test_ends_that_agree_with_a_green_middle(green: float, start: str):
    """At 0.5 the factors of green are (1 + g) / 2 and (1 + 1/g) / 2, whose product is above the ends' 1."""
    network = Product()
    a = weights(network, first=[1, green, 1], second=[1, 1 / green, 1])
    verdict = judged(network, a, weights(network))
    assert verdict.text.startswith(start), verdict.text
    assert verdict.ends_apart_db == 100
    assert max(verdict.figures, key=lambda figures: figures.colour_shift).alpha == (0.5,)


def test_haze_is_named_where_colours_stay():
    """The middle keeps 1 / (1.75 * 0.7) of what is not the mean, the ends all."""

    class Flattened(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Parameter(torch.ones(1)), nn.Parameter(torch.ones(1))

        def forward(self, image: Tensor) -> Tensor:
            mean = image.mean((2, 3), keepdim=True)
            return mean + (image - mean) / (self.first * self.second)

    network = Flattened()
    a = {"first": torch.tensor([2.5]), "second": torch.tensor([0.4])}
    verdict = judged(network, a, {"first": torch.ones(1), "second": torch.ones(1)})
    assert verdict.text.startswith("does not blend: haze (contrast 0.82 of the ends') at 0.5"), verdict.text
    assert verdict.figures[1].contrast == pytest.approx(1 / 1.225, abs=0.01)


def test_a_middle_that_is_no_number():
    class Root(Product):
        def forward(self, image: Tensor) -> Tensor:
            return super().forward(image) / (self.offset.mean() - 0.25).abs() * 0.25

    network = Root()
    verdict = judged(network, weights(network, first=0.5), weights(network, first=0.5, offset=0.5))
    assert verdict.blends is False
    assert verdict.text == (
        "does not blend: values that are no numbers (NaN or infinity) at 0.5, and faults at 0.75 and 0.25 too, "
        "on 6 built-in photographs"
    )
    assert [figures.finite for figures in verdict.figures] == [True, False, True]
    assert all(np.isfinite(figures.colour_shift) for figures in verdict.each)


@pytest.mark.parametrize(
    ("a", "b", "reason"),
    [
        ({"first": 0.0}, {}, "endpoint A alone makes one flat colour of every photograph"),
        ({}, {"first": 0.0, "offset": 0.5}, "endpoint B alone makes one flat colour of every photograph"),
        ({"first": float("nan")}, {}, "endpoint A alone gives values that are no numbers (NaN or infinity)"),
        ({}, {"first": 255.0}, "endpoint B alone gives values in 0..255, pictures are in 0..1"),
        ({"first": 2.0, "offset": -1.0}, {}, "endpoint A alone gives values in -1..1, pictures are in 0..1"),
    ],
)
def test_ends_that_make_no_pictures(a: dict[str, float], b: dict[str, float], reason: str):
    network = Product()
    verdict = judged(network, weights(network, **a), weights(network, **b))
    assert (verdict.text.partition("; where a network")[0], verdict.blends) == (f"not judged: {reason}", None)
    assert verdict.figures == ()


def test_networks_that_take_no_photographs():
    network = Product(4)
    verdict = judged(network, weights(network), weights(network), channels=4)
    assert verdict.text == "not judged: the network takes 4 and gives 4 channels, photographs have 3 or 1"
    assert verdict.blends is None


def test_a_grey_network_is_judged_by_lightness():
    network = Product(1)
    assert judged(network, weights(network), weights(network), channels=1).blends is True
    brighter = weights(network, first=2.0, second=0.5)
    verdict = judged(network, brighter, weights(network), channels=1)
    assert "a colour shift of" in verdict.text
    assert verdict.figures[1].colour_shift > 3
    network = Product(3, 1)  # colour to grey
    assert judged(network, weights(network), weights(network)).blends is True


class Sized(Product):
    """Notes the sizes that it is given, takes multiples of 40 of them, and makes pictures of `scale` times that."""

    def __init__(self, multiple: int = 1, scale: float = 1) -> None:
        super().__init__()
        self.multiple, self.scale, self.sizes = multiple, scale, set[tuple[int, ...]]()

    def forward(self, image: Tensor) -> Tensor:
        assert all(side % self.multiple == 0 for side in image.shape[2:])
        self.sizes.add(tuple(image.shape))
        return nn.functional.interpolate(super().forward(image), scale_factor=self.scale)


@pytest.mark.parametrize(
    ("multiple", "scale", "size"),
    [(1, 1, 96), (40, 1, 80), (128, 1, 128), (1, 0.5, 96), (1, 3, 96), (1, 4, 96), (4, 16, 32)],
)
def test_sizes_are_those_that_the_network_takes(multiple: int, scale: float, size: int):
    network = Sized(multiple, scale)
    endpoint = weights(network)
    contract = probe(Architecture(network, "it", 3, Sizes(multiple, multiple)))
    network.sizes.clear()
    verdict = Trials().judge(network, [endpoint, endpoint], contract)
    assert verdict.blends is True
    assert network.sizes - {contract.input_shape} == {(1, 3, size, size)}


def test_a_network_of_one_size_is_given_that():
    network = Sized()
    endpoint = weights(network)
    contract = probe(Architecture(network, "it", 3), (2, 3, 100, 90), static=True)
    network.sizes.clear()
    assert Trials().judge(network, [endpoint, endpoint], contract).blends is True
    assert network.sizes == {(2, 3, 100, 90)}


def test_large_networks_are_given_smaller_photographs():
    """20 convolutions of 128 to 128 channels are 5.9 million operations for a pixel, 15 runs on 6 photographs."""

    class Large(Sized):
        def __init__(self) -> None:
            super().__init__()
            self.ballast = nn.Conv2d(128, 128, 3, padding=1)

        def forward(self, image: Tensor) -> Tensor:
            for _ in range(20):
                self.ballast(image.new_zeros(len(image), 128, *image.shape[2:]))
            return super().forward(image)

    network = Large()
    endpoint = network.state_dict()
    contract = probe(Architecture(network, "it", 3))
    network.sizes.clear()
    Trials().judge(network, [endpoint, endpoint], contract)
    assert network.sizes - {contract.input_shape} == {(1, 3, 48, 48)}  # that is run once, to count


def test_a_network_that_refuses_photographs():
    class Refusing(Product):
        def forward(self, image: Tensor) -> Tensor:
            if image.shape[2] > 90:
                raise ValueError("90 is the most")
            return super().forward(image)

    network = Refusing()
    verdict = judged(network, weights(network), weights(network))
    assert verdict.text == "not judged: the network fails on an image of (1, 3, 96, 96): 90 is the most"


def test_three_endpoints_are_tried_between_every_two_and_in_the_middle_of_all():
    assert [point.alpha for point in points_between(2)] == [(0.75,), (0.5,), (0.25,)]
    assert [point.alpha for point in points_between(3)] == [(0.5, 0.5), (0.5, 0.0), (0.0, 0.5), (0.333, 0.333)]
    network = Product()
    odd = weights(network, first=[1, 4, 1], second=[1, 0.25, 1])
    verdict = judged(network, weights(network), odd, weights(network))
    assert verdict.text.startswith("does not blend: a colour shift of")
    assert " at 0.5,0.5, and faults at 0,0.5 and 0.333,0.333 too" in verdict.text
    assert "; none at 0.5,0, on" in verdict.text


def test_knobs_are_tried_together_and_each_against_the_others():
    formula = Formula(None, (Knob("first", ("first.*",)),), {"first.weight": 1})
    assert [point.alpha for point in points_between(2, formula)] == [
        *((alpha, alpha) for alpha in (0.75, 0.5, 0.25)),
        (1.0, 0.0),
        (0.0, 1.0),
    ]
    three = Formula(Path((4.0, 0.0), (0,)), (Knob("a", ("x",)), Knob("b", ("y",))), {"x": 1, "y": 2})
    assert [point.alpha for point in points_between(2, three)][3:] == [
        (4, 0, 0), (0, 4, 0), (0, 0, 4), (0, 4, 4), (4, 0, 4), (4, 4, 0),
    ]  # fmt: skip


def test_knobs_that_fail_apart_are_told_where(tmp_path: pathlib.Path):
    """Both ends are the product of two factors: together they stay what they are, apart it is another colour."""
    network = Product()
    ends = [weights(network, first=[1, 1.5, 1], second=[1, 1 / 1.5, 1]), weights(network)]
    contract = probe(Architecture(network.eval(), "it", 3))
    assert Trials().judge(network, ends, contract).blends is True
    formula = Formula(None, (Knob("first", ("first",)),), {"first": 1})
    verdict = Trials().judge(network, ends, contract, formula=formula)
    assert verdict.text.startswith("does not blend: a colour shift of ")
    assert " at (0,1), and faults at (1,0) too; none at 0.75, 0.5 and 0.25, on" in verdict.text
    report = export(ends, tmp_path / "m.onnx", alpha_input=True, knobs={"first": "first"}, arch=network)
    warning = report.warnings[-1]
    assert warning == f"the pair {verdict.text}; without --knob it may, or with alphas that are near each other"


def test_knobs_apart_may_look_like_either_end():
    """Of two ends of different colours: one knob makes all of the difference, the other one none."""
    network = Product()
    ends = [weights(network, first=[1, 0.7, 1], second=[1, 1.001, 1]), weights(network)]
    formula = Formula(None, (Knob("second", ("second",)),), {"second": 1})
    verdict = Trials().judge(network, ends, probe(Architecture(network.eval(), "it", 3)), formula=formula)
    assert verdict.blends is True
    assert max(figures.colour_shift for figures in verdict.figures) < 0.5


def test_progress_and_pictures_are_told_and_the_network_is_left_as_it_was():
    network = Product()
    a, b = weights(network, offset=0.25), weights(network)
    steps: list[str] = []
    rows: list[tuple[str, list[tuple[float, ...]]]] = []
    keep: Callable[..., None] = lambda name, pictures: rows.append((name, [alpha for alpha, _ in pictures]))  # noqa: E731
    photograph = Photograph("mine", built_in()[0].pixels)
    verdict = Trials([photograph], steps.append, keep).judge(network, [a, b], probe(Architecture(network, "it", 3)))
    assert steps[:2] == ["judge the blend: mine (1 of 6)", "judge the blend: mine (2) (2 of 6)"]
    assert rows[0] == ("mine", [(1.0,), (0.0,), (0.75,), (0.5,), (0.25,)])
    assert verdict.text.endswith(", on 6 photographs given")
    assert all(network.state_dict()[name].equal(a[name]) for name in a)
