"""GFPGAN, which draws noise at every call: exported with the noise that it stores, for images of its one size."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from exporting import assert_close, blended, photo, run, small_network
from networks import Weights
from torch import Tensor, nn

from dni_exporters import export
from dni_exporters.networks.architecture import Architecture
from dni_exporters.networks.called import called
from dni_exporters.networks.known.calls import Call, call_of
from dni_exporters.networks.probe import probe
from dni_runtime import ArchitectureError


def gfpgan() -> nn.Module:
    """A small one: spandrel builds it in one size, with 87 million weights."""
    from spandrel.architectures.GFPGAN import GFPGAN

    torch.manual_seed(0)
    network = GFPGAN(out_size=32, num_style_feat=8, narrow=1 / 16, num_mlp=1)
    for parameter in network.parameters():
        if parameter.numel() == 1:
            nn.init.constant_(parameter, 0.3)  # how much of the noise is seen: none at the beginning of training
    return network.eval()


def call(network: nn.Module) -> Call:
    """What is found for a file that spandrel describes so."""
    from spandrel.architectures.GFPGAN import GFPGANArch

    def published(model: nn.Module, image: Tensor) -> Tensor:
        result: Tensor = model(image)[0]
        return result

    return call_of(SimpleNamespace(architecture=GFPGANArch(), model=network, _call_fn=published), "face.pth", None)


def test_what_is_published_draws_and_what_is_traced_does_not():
    how, network = call(gfpgan()), gfpgan()
    assert how.only == (1, 3, 512, 512)
    assert "which draws new noise at every call" in how.notes[0]
    with pytest.raises(
        ArchitectureError, match=r"draws random numbers \(normal_ in layer 'stylegan_decoder.style_conv1"
    ):
        probe(Architecture(called(gfpgan(), lambda model, image: model(image)[0]), "it", 3, only=(1, 3, 32, 32)))
    image = torch.from_numpy(photo(1, 3, 32, 32))
    with torch.inference_mode():
        twice = [how.judged(network, image) for _ in range(2)]
        assert twice[0].equal(twice[1])
        network.stylegan_decoder.noises.noise6.mul_(2)  # type: ignore[union-attr, operator]
        assert not how.judged(network, image).equal(twice[0])


def test_a_file_equals_the_network_with_the_noise_that_it_stores(tmp_path: Path):
    """The noise is blended, as all that a checkpoint holds."""
    network = gfpgan()
    a: Weights = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    torch.manual_seed(1)
    b = {name: tensor + 0.02 * torch.randn_like(tensor) for name, tensor in a.items()}
    traced = call(network).traced
    assert traced is not None
    path, shape = tmp_path / "m.onnx", (1, 3, 32, 32)
    export([a, b], path, alpha_input=True, arch=called(network, traced), static=True, input_shape=shape, verdict=False)
    image, plain = photo(*shape), gfpgan()
    for alpha in (0.0, 0.3):
        plain.load_state_dict(blended(a, b, alpha))
        with torch.inference_mode():
            wanted = plain(torch.from_numpy(image), randomize_noise=False)[0]
        assert_close(run(path, image, alpha), wanted.numpy())


def test_networks_of_one_size_are_probed_at_that_alone():
    contract = probe(Architecture(small_network(), "it", 3, only=(1, 3, 20, 20)))
    assert (contract.input_shape, contract.static, contract.scale) == ((1, 3, 20, 20), True, 1.0)
    assert contract.sizes.fit(7, 9) == (20, 20)
    assert not probe(Architecture(small_network(), "it", 3)).static
