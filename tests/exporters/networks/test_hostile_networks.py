"""State dicts that describe networks which nobody could build or run: one sentence, before the memory is taken."""

from pathlib import Path

import pytest
import torch
from commands import dni, names, python
from spandrel.architectures.Compact import Compact
from spandrel.architectures.ESRGAN import ESRGAN

from dni_exporters import read_endpoints
from dni_exporters.networks.architecture import build
from dni_runtime import ArchitectureError

Weights = dict[str, torch.Tensor]


def zeros(*shape: int) -> torch.Tensor:
    return torch.zeros(shape)


def esrgan(features: int = 4, **more: torch.Tensor) -> Weights:
    """As much of an ESRGAN as makes spandrel build one."""
    return {
        "conv_first.weight": zeros(features, 3, 3, 3),
        "body.0.rdb1.conv1.weight": zeros(1),
        "body.1.rdb1.conv1.weight": zeros(1),
        "conv_body.weight": zeros(1),
        "conv_last.weight": zeros(3, 1, 1, 1),
        **more,
    }


def compact(features: int) -> Weights:
    """As much of a Compact."""
    last = {f"body.{number}.{kind}": zeros(48, 1) for number in (2, 4) for kind in ("weight", "bias")}
    return {"body.0.weight": zeros(features, 3, 3, 3), "body.1.weight": zeros(1), **last}


HOSTILE: dict[str, tuple[Weights, str]] = {
    "layers": (esrgan(**{"body.999999999.rdb1.conv1.weight": zeros(1)}), "the weight of layer 999999999; expected"),
    "digits": (esrgan(**{f"body.{'9' * 900}.x": zeros(1)}), "the weight of layer 99999999999999999999...; expected"),
    "many layers": (esrgan(**{"body.9999.rdb1.conv1.weight": zeros(1)}), "a network that is many times larger"),
    "channels": (esrgan(60_000), "a network that is many times larger than they are; it is not built"),
    "channels of another": (compact(60_000), "a network that is many times larger than they are; it is not built"),
    "no number": (esrgan(**{"body.x.rdb1.conv1.weight": zeros(1)}), "looks like a network that spandrel knows"),
    "a part": (esrgan(), "looks like a network that spandrel knows, and does not fit it (RuntimeError: Error(s) in"),
    "no shape": ({"body.0.weight": zeros(), "body.1.weight": zeros(1)}, "looks like a network that spandrel knows"),
    "scale": (
        dict(Compact(num_in_ch=3, num_out_ch=3, num_feat=1, num_conv=1, upscale=300).state_dict()),
        "holds a network that makes images 300 times as large; expected up to 64 times",
    ),
    "doublings": (
        dict(ESRGAN(in_nc=3, out_nc=3, num_filters=1, num_blocks=1, scale=2**10).state_dict()),
        "holds a network that makes images 1024 times as large; expected up to 64 times",
    ),
}


def refusal(weights: Weights, arch: str = "auto") -> str:
    with pytest.raises(ArchitectureError) as caught:
        build(arch, read_endpoints([weights])[0][0])
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("kind", HOSTILE)
def test_networks_beyond_their_weights(kind: str):
    weights, message = HOSTILE[kind]
    assert message in refusal(weights)


@pytest.mark.parametrize("kind", ["layers", "many layers", "channels"])
def test_naming_the_network_changes_nothing(kind: str):
    weights, message = HOSTILE[kind]
    assert message in refusal(weights, "ESRGAN")


def test_in_little_memory_and_time(tmp_path: Path):
    """All of them as files, in a process that has one gigabyte for them and half a minute."""
    for number, (weights, _) in enumerate(HOSTILE.values()):
        torch.save(weights, tmp_path / f"{number}.pth")
    program = """
import resource, sys
import spandrel
from dni_exporters import inspect_endpoints
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 2**30, used + 2**30))
resource.setrlimit(resource.RLIMIT_CPU, (int(sum(resource.getrusage(resource.RUSAGE_SELF)[:2])) + 30,) * 2)
for path in sys.argv[1:]:
    print(inspect_endpoints(path, path).notes[-1])
"""
    paths = [tmp_path / f"{number}.pth" for number in range(len(HOSTILE))]
    said = python(program, *paths).assert_ok().out.splitlines()
    for line, (_, message) in zip(said, HOSTILE.values(), strict=True):
        assert message in line


def test_commands_write_nothing(tmp_path: Path):
    weights, message = HOSTILE["channels"]
    for name in ("a.pth", "b.pth"):
        torch.save(weights, tmp_path / name)
    pair = tmp_path / "a.pth", tmp_path / "b.pth"
    dni("export", *pair, "--alpha-input", "-o", tmp_path / "c.onnx").assert_error(message)
    assert message in dni("inspect", *pair).assert_ok().err
    assert names(tmp_path) == ["a.pth", "b.pth"]
