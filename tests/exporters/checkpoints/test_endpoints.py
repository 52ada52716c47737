from collections.abc import Callable
from typing import Any

import pytest
import torch
from networks import UNet, Weights, conv
from torch import nn

from dni_exporters import check_endpoints, differences, lineage, read_endpoints
from dni_exporters.checkpoints.endpoints import promotions
from dni_runtime import EndpointError


def compare(*weights: Weights) -> list[str]:
    return differences(read_endpoints(weights)[0])


def base() -> Weights:
    return {
        "conv.weight": torch.ones(2, 3),
        "conv.bias": torch.ones(2),
        "norm.num_batches_tracked": torch.tensor(5),
        "index": torch.tensor([1, 2, 3]),
        "mask": torch.tensor([True, False]),
    }


def test_endpoints_of_one_network_do_not_differ():
    other = base()
    other["conv.weight"] = torch.zeros(2, 3)
    assert compare(base(), other) == []
    check_endpoints(read_endpoints([base(), other])[0])


def test_the_order_of_tensors_does_not_matter():
    assert compare(base(), dict(reversed(base().items()))) == []


@pytest.mark.parametrize("name", ["norm.num_batches_tracked", "num_batches_tracked"])
def test_counters_of_batches_may_differ(name: str):
    assert compare({**base(), name: torch.tensor(5)}, {**base(), name: torch.tensor(900)}) == []


def test_all_differences_are_reported_at_once_by_name():
    other = base()
    del other["conv.bias"]
    other |= {
        "extra.weight": torch.ones(1),
        "conv.weight": torch.ones(2, 3, 1),
        "index": torch.tensor([1, 2, 4]),
        "mask": torch.tensor([True, True]),
    }
    differ = "differ between endpoint 1 and endpoint 2; only floating-point tensors can be blended"
    assert compare(base(), other) == [
        "conv.weight: shape 2x3 in endpoint 1, 2x3x1 in endpoint 2",
        "conv.bias: missing in endpoint 2",
        f"index: int64 values {differ}",
        f"mask: bool values {differ}",
        "extra.weight: missing in endpoint 1",
    ]


def test_another_dtype_and_a_scalar_are_named():
    a = {"a": torch.ones(2), "b": torch.ones(())}
    b = {"a": torch.ones(2).long(), "b": torch.ones(1)}
    assert compare(a, b) == [
        "a: dtype float32 in endpoint 1, int64 in endpoint 2",
        "b: shape scalar in endpoint 1, 1 in endpoint 2",
    ]


def test_every_further_endpoint_is_compared_with_the_first():
    third = {**base(), "conv.bias": torch.ones(3)}
    assert compare(base(), base(), third) == ["conv.bias: shape 2 in endpoint 1, 3 in endpoint 3"]


def test_the_error_holds_the_whole_report():
    other = {**base(), "conv.bias": torch.ones(3), "more": torch.ones(3)}
    with pytest.raises(EndpointError) as caught:
        check_endpoints(read_endpoints([base(), other])[0])
    assert str(caught.value) == (
        "endpoint 1, endpoint 2 cannot be blended, they differ in 2 place(s):\n"
        "  conv.bias: shape 2 in endpoint 1, 3 in endpoint 2\n"
        "  more: missing in endpoint 1\n"
        "Expected: checkpoints of one architecture, one fine-tuned from the other"
    )


def test_one_reason_is_one_sentence_and_of_many_ten_are_said():
    with pytest.raises(EndpointError) as caught:
        check_endpoints(read_endpoints([base(), {**base(), "more": torch.ones(3)}])[0])
    assert str(caught.value).splitlines()[0] == (
        "endpoint 1, endpoint 2 cannot be blended: more: missing in endpoint 1"
    )
    with pytest.raises(EndpointError) as caught:
        check_endpoints(read_endpoints([base(), {**base(), **{f"m{i}": torch.ones(3) for i in range(25)}}])[0])
    lines = str(caught.value).splitlines()
    assert lines[0].endswith("they differ in 25 place(s):")
    assert lines[1:-1] == [
        *(f"  m{i}: missing in endpoint 1" for i in range(10)),
        "  and 15 more: dni inspect A B --json lists all",
    ]


@pytest.mark.parametrize("count", [0, 1])
def test_a_blend_needs_two(count: int):
    with pytest.raises(EndpointError, match=f"{count} endpoint given; a blend needs at least two checkpoints"):
        check_endpoints(read_endpoints([base()] * count)[0])


def compact() -> nn.Module:
    from spandrel.architectures.Compact import Compact

    return Compact(num_feat=16, num_conv=4, upscale=2)


def rrdb() -> nn.Module:
    from spandrel.architectures.ESRGAN import ESRGAN

    return ESRGAN(num_filters=16, num_blocks=2, scale=2)


def dncnn() -> nn.Module:
    body = [layer for _ in range(3) for layer in (conv(16, 16, bias=False), nn.BatchNorm2d(16), nn.ReLU())]
    return nn.Sequential(conv(3, 16), nn.ReLU(), *body, conv(16, 3))


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "compact": compact,
    "rrdb": rrdb,
    "dncnn": dncnn,
    "unet": UNet,
}
each_network = pytest.mark.parametrize("build", NETWORKS.values(), ids=NETWORKS)


def weights(network: nn.Module) -> Weights:
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}


def initialised(build: Callable[[], nn.Module], seed: int) -> nn.Module:
    torch.manual_seed(seed)
    return build()


@each_network
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_networks_trained_apart_are_warned_about(build: Any, seed: int):
    found = lineage(weights(initialised(build, 0)), weights(initialised(build, seed)))
    assert found.looks_unrelated
    assert abs(found.overall_cosine) < 0.1
    assert "the endpoints look unrelated" in found.warning
    assert f"{found.overall_cosine:.2f}" in found.warning
    assert "fine-tune one from the other" in found.warning


@each_network
def test_fine_tuned_networks_are_not_warned_about(build: Any):
    network = initialised(build, 0)
    before = weights(network)
    optimizer = torch.optim.Adam(network.parameters(), 1e-3)
    for _ in range(8):
        image = torch.rand(2, 3, 16, 16)
        loss = (network(image).mean(dim=(1, 2, 3)) - 1).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    found = lineage(before, weights(network))
    assert found.warning == ""
    assert found.relative_distance > 0
    assert 0.9 < found.overall_cosine < 1


@each_network
@pytest.mark.parametrize("distance", [0.1, 0.3])
def test_distant_relatives_are_not_warned_about(build: Any, distance: float):
    a = weights(initialised(build, 0))
    b = {}
    for name, tensor in a.items():
        noise = torch.randn(tensor.shape) if tensor.is_floating_point() else torch.zeros(tensor.shape)
        scale = distance * tensor.float().norm() / max(float(noise.norm()), 1e-9)
        b[name] = (tensor + scale * noise).to(tensor.dtype)
    found = lineage(a, b)
    assert found.relative_distance == pytest.approx(distance, abs=1e-3)
    assert found.warning == ""


def test_each_layer_has_its_own_cosine():
    a = {"same": torch.eye(3), "opposite": torch.eye(3), "right_angle": torch.eye(2), "bias": torch.ones(3)}
    b = {**a, "opposite": -torch.eye(3), "right_angle": torch.tensor([[0.0, 1], [1, 0]])}
    found = lineage(a, b, learnt=a.keys())
    assert found.cosine == pytest.approx({"same": 1.0, "opposite": -1.0, "right_angle": 0.0})
    assert found.overall_cosine == pytest.approx(0.0)


def test_what_is_equal_in_both_makes_no_two_networks_kin():
    a = {"table": torch.ones(100, 3), "opposite": torch.eye(3), "right_angle": torch.eye(2)}
    b = {**a, "opposite": -torch.eye(3), "right_angle": torch.tensor([[0.0, 1], [1, 0]])}
    assert lineage(a, b).cosine == pytest.approx({"opposite": -1.0, "right_angle": 0.0})
    assert lineage(a, b).overall_cosine == pytest.approx(-9 / 13)
    learnt = lineage(a, b, learnt={"right_angle"})
    assert (dict(learnt.cosine), learnt.relative_distance) == ({"right_angle": 0.0}, pytest.approx(2**0.5))


@pytest.mark.parametrize("name", ["num_batches_tracked", "body.total_ops", "body.0.total_params"])
def test_what_no_inference_reads_may_be_missing_or_of_another_kind(name: str):
    counted = {**base(), name: torch.tensor([7.0], dtype=torch.float64)}
    assert compare(counted, base()) == compare(base(), counted) == []
    assert compare(counted, {**base(), name: torch.arange(3)}) == []


@pytest.mark.parametrize("other", [torch.float16, torch.bfloat16, torch.float64])
def test_floating_point_dtypes_may_differ_and_are_noted(other: torch.dtype):
    weights = [
        {"w": torch.ones(2), "index": torch.arange(3)},
        {"w": torch.ones(2, dtype=other), "index": torch.arange(3)},
    ]
    read = read_endpoints(weights)[0]
    assert differences(read) == []
    kind = str(other).removeprefix("torch.")
    assert promotions(read) == [f"endpoint 1 is float32, endpoint 2 is {kind}: blended in one that holds all of them"]
    assert promotions(read[:1] * 2) == []


def test_nothing_to_compare_is_no_reason_to_warn():
    assert lineage({"bias": torch.ones(3)}, {"bias": torch.zeros(3)}).warning == ""
    assert lineage({"w": torch.zeros(2, 2)}, {"w": torch.zeros(2, 2)}).warning == ""


def test_float16_weights_are_compared_in_float32():
    a = {"w": torch.full((300, 300), 100.0).half()}  # its square sum is far beyond float16
    assert lineage(a, a).overall_cosine == pytest.approx(1.0)
    assert lineage(a, a).relative_distance == 0
