"""Networks as vectors: what they compute, what they learn and what is written is what plain PyTorch makes of them."""

import pytest
import torch
from networks import NETWORKS, Weights, pair
from torch import nn

from dni_exporters.fitting.points import Task, VectorNetwork
from dni_exporters.graphs.blend import blend_tensors

CPU = torch.device("cpu")
each_network = pytest.mark.parametrize("name", NETWORKS)


def image() -> torch.Tensor:
    return torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))


def computed(network: nn.Module, weights: Weights, x: torch.Tensor) -> torch.Tensor:
    network.load_state_dict(weights)
    output: torch.Tensor = network(x)
    return output


def as_stored(weights: Weights, like: Weights) -> None:
    assert weights.keys() == like.keys()
    for name, tensor in like.items():
        assert weights[name].is_contiguous()
        torch.testing.assert_close(weights[name], tensor, rtol=0, atol=0, msg=name)


@each_network
def test_a_vector_is_the_network(name: str):
    network, a, b = pair(name)
    x = image()
    wanted = computed(network, a, x).detach()
    laid_out = VectorNetwork(network, (a, b), CPU)
    theta = laid_out.vector(a)
    laid_out.put(theta, 1.0)
    torch.testing.assert_close(laid_out.run(x), wanted)
    as_stored(laid_out.state(theta, 1.0), a)
    assert theta.numel() == sum(parameter.numel() for parameter in network.parameters())


@each_network
def test_its_gradient_is_that_of_pytorch(name: str):
    network, a, b = pair(name)
    x = image()
    computed(network, a, x).square().mean().backward()
    slopes = {n: p.grad.clone() for n, p in network.named_parameters() if p.grad is not None}
    network.zero_grad()
    laid_out = VectorNetwork(network, (a, b), CPU)
    laid_out.put(laid_out.vector(a), 1.0)
    for _ in range(2):  # what an earlier step left is no part of it
        laid_out.gradient.zero_()
        network(x).square().mean().backward()
    found = dict(zip(dict(network.named_parameters()), laid_out._parts(laid_out.gradient), strict=True))
    for parameter, slope in slopes.items():
        torch.testing.assert_close(found[parameter], slope, rtol=1e-3, atol=1e-6, msg=parameter)


@each_network
def test_a_curve_begins_on_the_straight_line(name: str):
    """With the middles that it begins with, at any alpha, whatever its degree."""
    for middles in (1, 2):
        network, a, b = pair(name)
        x = image()
        task = Task(VectorNetwork(network, (a, b), CPU), a, b, middles)
        for alpha in (0.0, 0.3, 1.0):
            straight = computed(pair(name)[0], blend_tensors([a, b], [alpha, 1 - alpha]), x).detach()
            task.put(alpha, task.learnt)
            torch.testing.assert_close(task.network.run(x), straight, rtol=1e-4, atol=1e-5)
