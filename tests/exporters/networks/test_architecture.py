from pathlib import Path

import pytest
import torch
from exporting import small_network
from networks import Weights
from published import compact, esrgan, renamed, weights
from torch import nn

from dni_exporters import read_endpoints
from dni_exporters.networks.architecture import Architecture, build
from dni_runtime import ArchitectureError
from dni_runtime.sizes import Sizes

NETWORK_FILE = """
from torch import nn
from layers import block  # its neighbour

def network(features=8, depth=1, relu=True):
    return nn.Sequential(*(block(3 if i == 0 else features, features, relu) for i in range(depth)))

class Network(nn.Sequential):
    def __init__(self, features):
        super().__init__(block(3, features, True))

NOT_CALLABLE = 3

def fails():
    raise ZeroDivisionError("no features")

def text():
    return "network"
"""
LAYERS_FILE = """
from torch import nn

def block(i, o, relu):
    return nn.Sequential(nn.Conv2d(i, o, 3, padding=1), *([nn.ReLU()] if relu else []))
"""


def block(features: int = 8) -> Weights:
    return weights(nn.Sequential(nn.Sequential(nn.Conv2d(3, features, 3, padding=1), nn.ReLU())))


def built(arch: str | nn.Module, tensors: Weights, **arch_args: object) -> Architecture:
    return build(arch, read_endpoints([tensors])[0][0], arch_args)


@pytest.fixture
def network_file(tmp_path: Path) -> Path:
    (tmp_path / "my_network.py").write_text(NETWORK_FILE)
    (tmp_path / "layers.py").write_text(LAYERS_FILE)
    return tmp_path / "my_network.py"


def test_compact_is_detected():
    tensors = compact()
    architecture = built("auto", tensors)
    assert architecture.name == "RealESRGAN Compact"
    assert (architecture.channels, architecture.sizes) == (3, Sizes())
    assert not architecture.network.training
    with torch.no_grad():
        assert architecture.network(torch.rand(1, 3, 8, 8)).shape == (1, 3, 16, 16)
    loaded = architecture.network.state_dict()
    assert {k: t.tolist() for k, t in loaded.items()} == {k: t.tolist() for k, t in tensors.items()}


@pytest.mark.parametrize("names", ["old", "new"])
def test_esrgan_is_detected_under_old_and_new_names(names: str):
    old = esrgan()
    tensors = old if names == "old" else renamed(old)
    architecture = built("auto", tensors)
    assert architecture.name == "ESRGAN"
    assert all(torch.equal(architecture.network.state_dict()[name], old[name]) for name in old)
    assert architecture.network.state_dict().keys() == old.keys()
    assert list(tensors) == list(old if names == "old" else renamed(old))  # not renamed in place


@pytest.mark.parametrize("name", ["Compact", "compact", "COMPACT", "realesrgan compact"])
def test_a_name_that_spandrel_knows_is_taken_in_any_case(name: str):
    assert built(name, compact()).name == "RealESRGAN Compact"


def test_an_undetectable_network_is_asked_for():
    with pytest.raises(ArchitectureError) as caught:
        built("auto", weights(small_network()))
    assert str(caught.value) == (
        "no known network fits endpoint 1 (4 tensors, first 0.weight, 0.bias, 2.weight); say which it is, "
        "with the function or class that builds it:\n"
        "  --arch path/to/network.py:Network --arch-arg features=64"
    )


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(ArchitectureError, match="--arch 'Compakt' is no network that spandrel knows; ") as caught:
        built("Compakt", compact())
    assert "expected auto, one of " in str(caught.value)
    assert "Compact, " in str(caught.value)
    assert str(caught.value).endswith("or code: module:callable, path.py:callable")


@pytest.mark.parametrize("name", ["ESRGAN", "SwinIR", "DnCNN"])
def test_weights_of_another_network_do_not_fit_the_name(name: str):
    with pytest.raises(ArchitectureError, match=f"endpoint 1 does not fit the network '{name}' .*try --arch auto"):
        built(name, compact())


def test_a_network_of_several_images_is_refused():
    from spandrel.architectures.LaMa import LaMa

    with pytest.raises(ArchitectureError, match=r"LaMa network for .* expected a network from one image to one im"):
        built("auto", weights(LaMa()))


def test_a_module_is_copied():
    network = small_network().double().train()
    tensors = weights(small_network())
    architecture = built(network, tensors)
    assert architecture.name == "Sequential"
    assert not architecture.network.training
    loaded = architecture.network.state_dict()
    assert all(t.dtype == torch.float32 and torch.equal(t, tensors[k]) for k, t in loaded.items())
    assert network.training
    assert not any(torch.equal(t.float(), tensors[k]) for k, t in network.state_dict().items())


def test_a_module_and_a_callable_are_imported():
    # Not a network that anyone would export, but a callable of an installed module with arguments.
    tensors = weights(nn.Conv2d(3, 5, 1))
    architecture = built("torch.nn:Conv2d", tensors, in_channels=3, out_channels=5, kernel_size=1)
    assert isinstance(architecture.network, nn.Conv2d)
    assert architecture.name == "Conv2d"


@pytest.mark.parametrize("name", ["network", "Network"])
def test_a_file_is_imported_with_its_neighbours(network_file: Path, name: str):
    architecture = built(f"{network_file}:{name}", block(16), features=16)
    assert architecture.name == name
    assert architecture.network(torch.rand(1, 3, 8, 8)).shape == (1, 16, 8, 8)


def test_two_files_of_one_name_are_two_networks(network_file: Path, tmp_path: Path):
    other = tmp_path / "other" / network_file.name
    other.parent.mkdir()
    other.write_text("from torch import nn\ndef network():\n    return nn.Conv2d(3, 3, 1)\n")
    built(f"{network_file}:network", block())
    assert isinstance(built(f"{other}:network", weights(nn.Conv2d(3, 3, 1))).network, nn.Conv2d)


@pytest.mark.parametrize(
    ("call", "arch_args", "message"),
    [
        ("missing", {}, "there is no 'missing' in "),
        ("NOT_CALLABLE", {}, "failed when called with no arguments: TypeError"),
        ("fails", {}, "failed when called with no arguments: ZeroDivisionError: no features"),
        ("network", {"width": 3}, r"failed when called with width=3: TypeError.*--arch-arg KEY=VALUE"),
        ("text", {}, r"returned a str; expected a torch.nn.Module"),
    ],
)
def test_code_that_makes_no_network_is_named(network_file: Path, call: str, arch_args: dict, message: str):
    with pytest.raises(ArchitectureError, match=message) as caught:
        built(f"{network_file}:{call}", block(), **arch_args)
    assert f"{network_file.name}:{call}'" in str(caught.value)


def test_a_file_or_module_that_cannot_be_imported_is_named(tmp_path: Path):
    with pytest.raises(ArchitectureError, match=r"there is no file .*nowhere\.py"):
        built(f"{tmp_path / 'nowhere.py'}:network", block())
    (tmp_path / "broken.py").write_text("import a_package_that_nobody_has\n")
    with pytest.raises(ArchitectureError, match=r"broken\.py cannot be imported: ModuleNotFoundError: No module"):
        built(f"{tmp_path / 'broken.py'}:network", block())
    with pytest.raises(ArchitectureError, match="nobody_has_this cannot be imported: ModuleNotFoundError"):
        built("nobody_has_this:network", block())


def test_weights_that_do_not_fit_are_listed():
    tensors = weights(small_network())
    tensors["0.weight"] = torch.ones(8, 4, 3, 3)
    tensors["extra"] = tensors.pop("2.bias")
    with pytest.raises(ArchitectureError, match="the weights do not fit the network Sequential:\n  ") as caught:
        built(small_network(), tensors)
    message = str(caught.value)
    assert 'Missing key(s) in state_dict: "2.bias"' in message
    assert 'Unexpected key(s) in state_dict: "extra"' in message
    assert "size mismatch for 0.weight" in message
    assert message.endswith("Check --arch and its --arch-arg KEY=VALUE")


def test_arguments_need_code_to_give_them_to():
    with pytest.raises(ArchitectureError, match=r"--arch-arg is for a network given as code .*--arch is 'auto'"):
        built("auto", compact(), features=3)
