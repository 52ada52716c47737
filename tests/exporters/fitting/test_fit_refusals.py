"""What `fit` refuses: before PyTorch is imported where that is possible, and before anything is learnt everywhere."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from apart import photographs, through
from commands import python
from PIL import Image
from safetensors.torch import load_file, save_file

from dni_deploy.demo import STRONG, WEAK
from dni_exporters import FitReport, fit
from dni_runtime import (
    ArchitectureError,
    CheckpointError,
    DniError,
    EndpointError,
    InputError,
    OutputError,
)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return photographs(tmp_path_factory.mktemp("photos"))


@pytest.fixture
def pair(tmp_path: Path) -> list[Path]:
    """Two checkpoints in a folder of their own, whose straight line is dark."""
    (tmp_path / "pair").mkdir()
    paths = [tmp_path / "pair" / name for name in ("a.safetensors", "b.safetensors")]
    for path, (_, weights) in zip(paths, (through(0), through(3, contrast=0.6, seed=1)), strict=True):
        save_file(weights, path)
    return paths


def fitted(pair: list[Any], photos: Path, output: Path, **settings: Any) -> FitReport:
    return fit(pair, output, photos=photos, threads=1, **{"arch": through(0)[0], "steps": 3, **settings})


# Argument 1: calls, as JSON; prints of each what it says, and whether PyTorch was imported by then.
LIGHT = """
import json, sys
from dni_exporters import fit
for endpoints, output, photos, settings in json.loads(sys.argv[1]):
    try:
        fit(endpoints, output, photos=photos, **settings)
    except Exception as error:
        print(json.dumps([f"{type(error).__name__}: {error}", "torch" in sys.modules]))
"""

# What is given in place of A, B, the output or the photographs; other settings; what is said.
Refusal = tuple[dict[str, str], dict[str, Any], str]
REFUSALS: list[Refusal] = [
    ({"b": "pair/a.safetensors"}, {}, "EndpointError: A and B are both .*a.safetensors; expected two checkpoints"),
    ({"b": "none"}, {}, "CheckpointError: .*none.*expected a checkpoint"),
    ({"output": "c.pth"}, {}, "OutputError: the output .*c.pth has no .safetensors suffix"),
    ({"output": "pair/a.safetensors"}, {}, "OutputError: .*a.safetensors exists already and is kept"),
    ({"output": "pair/a.safetensors"}, {"force": True}, "OutputError: .*a.safetensors is an endpoint and would be"),
    ({"output": "a file/c.safetensors"}, {}, "OutputError: nothing can be written into the folder .*a file"),
    ({"photos": "pair"}, {}, "InputError: there is no photograph in .*pair"),
    ({"photos": "nowhere"}, {}, "InputError: .*nowhere is no folder"),
    ({"photos": "small"}, {}, "InputError: tiny.png has 70x40 pixels; expected photographs of 64x64 or more"),
    ({}, {"degrade": ["noise:50:5"]}, "InputError: 'noise:50:5' is no degradation; expected blur:LO:HI within 0..10"),
    ({}, {"curve": "quartic"}, "InputError: curve is 'quartic'; expected one of quadratic, cubic"),
    ({}, {"curve": "cubic", "teach": True}, "InputError: --curve is for fits without --teach"),
    ({}, {"curve": "cubic", "start": "x"}, "InputError: --start is one middle, or a network that was taught; a cubic"),
    ({}, {"start": "none.pth"}, "CheckpointError: none.pth does not exist; expected a checkpoint"),
    ({}, {"minutes": 0}, "InputError: minutes is 0; expected a number, more than 0"),
    ({}, {"steps": -1}, "InputError: steps is -1; expected a number, more than 0"),
    ({}, {"steps": "2"}, "InputError: steps is '2'; expected a number, more than 0"),
    ({}, {"threads": [1]}, r"InputError: threads is \[1\]; expected a number, more than 0"),
    ({}, {"seed": 0.5}, "InputError: seed is 0.5; expected a whole number in 0..4294967295"),
    ({}, {"steps": 2.5}, "InputError: steps is 2.5; expected a whole number"),
    ({}, {"degrade": "none"}, r"InputError: degrade is one text; expected a list of them: degrade=\['none'\]"),
    ({}, {"seed": -1}, "InputError: seed is -1; expected a whole number in 0..4294967295"),
    ({}, {"arch_b": "Compact"}, "InputError: --arch-b is for --teach"),
    ({}, {"resume": True}, "OutputError: there is no state to go on from, .*c.state.safetensors"),
    ({}, {"arch": "none.py:Net"}, "ArchitectureError: --arch: there is no file none.py"),
]


def test_refused_before_pytorch_is_imported(pair: list[Path], photos: Path, tmp_path: Path):
    (tmp_path / "a file").touch()
    (tmp_path / "small").mkdir()
    Image.fromarray(np.zeros((40, 70, 3), np.uint8)).save(tmp_path / "small" / "tiny.png")
    calls = []
    for change, settings, _ in REFUSALS:
        given = {"b": "pair/b.safetensors", "photos": str(photos), "output": "c.safetensors", **change}
        b, where, output = (str(tmp_path / given[name]) for name in ("b", "photos", "output"))
        calls.append(([str(pair[0]), b], output, where, settings))
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    said = [json.loads(line) for line in python(LIGHT, json.dumps(calls)).assert_ok().out.splitlines()]
    for (text, imported), (_, _, wanted) in zip(said, REFUSALS, strict=True):
        assert re.match(wanted, text), (wanted, text)
        assert not imported, text
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_a_straight_line_that_blends_is_left_alone(photos: Path, tmp_path: Path):
    with pytest.raises(EndpointError) as error:
        fitted([WEAK, STRONG], photos, tmp_path / "c.safetensors", arch="auto")
    assert str(error.value).startswith(
        "weak.safetensors and strong.safetensors blend on the straight line already (ble"
    )
    assert str(error.value).endswith(
        "nothing is written\nTo fit all the same: --anyway. It was judged on photographs with noise:0:15, jpeg:50:95: "
        "--degrade"
    )
    assert list(tmp_path.iterdir()) == []


def test_what_gains_nothing_is_not_written(photos: Path, tmp_path: Path):
    """Two biases: the straight line is the mix."""
    network, a = through(0)
    b = {name: tensor + 0.2 * (name == "last.bias") for name, tensor in a.items()}
    with pytest.raises(EndpointError, match="nothing was gained: the best that was seen is what was there before"):
        fitted([a, b], photos, tmp_path / "c.safetensors", arch=network, anyway=True)
    assert list(tmp_path.iterdir()) == []


def test_equal_weights_have_nothing_between_them(pair: list[Path], photos: Path, tmp_path: Path):
    shutil.copy(pair[0], tmp_path / "copy.safetensors")
    torch.save(load_file(pair[0]), tmp_path / "copy.pth")
    for other in ("copy.safetensors", "copy.pth"):
        with pytest.raises(EndpointError, match=f"a.safetensors and {other} hold the same weights; nothing lies betwe"):
            fitted([pair[0], tmp_path / other], photos, tmp_path / "c.safetensors")


def test_another_architecture_can_teach(photos: Path, tmp_path: Path):
    (network, a), (_, b) = through(0), through(0, channels=5)
    with pytest.raises(EndpointError) as error:
        fitted([a, b], photos, tmp_path / "c.safetensors", arch=network)
    assert str(error.value).endswith("A can learn the pictures of a B of the same scale: --teach")


def test_a_teacher_of_another_scale_is_refused(photos: Path, tmp_path: Path):
    (network, a), (twice, b) = through(0), through(0, seed=1, scale=2)
    said = (
        "endpoint 1 is TwoLayers, 3 to 3 channels, scale 1 and endpoint 2 is TwoLayers, 3 to 3 channels, scale 2; "
        "expected two networks that make pictures of one size of an image"
    )
    with pytest.raises(EndpointError) as error:
        fitted([a, b], photos, tmp_path / "c.safetensors", arch=network, arch_b=twice, teach=True)
    assert str(error.value) == said


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda b: b["last.bias"].add_(9), r"endpoint B alone gives values in .*, pictures are in 0\.\.1"),
        (lambda b: b["last.weight"].zero_(), "endpoint B alone makes one flat colour of every photograph"),
    ],
)
def test_an_end_without_pictures_cannot_be_fitted(
    photos: Path, tmp_path: Path, change: Callable[[Any], object], said: str
):
    (network, a), (_, b) = through(0), through(3)
    change(b)
    with pytest.raises(ArchitectureError, match=f"there is nothing to fit: {said}"):
        fitted([a, b], photos, tmp_path / "c.safetensors", arch=network)


def test_four_channels_are_no_photograph(photos: Path, tmp_path: Path):
    network = torch.nn.Conv2d(4, 3, 1)
    states = [{name: tensor + n for name, tensor in network.state_dict().items()} for n in range(2)]
    with pytest.raises(ArchitectureError, match="Conv2d takes 4 and gives 3 channels; expected 3 or 1, as photographs"):
        fitted(states, photos, tmp_path / "c.safetensors", arch=network)


def test_a_state_that_was_left_is_not_overwritten_unasked(pair: list[Path], photos: Path, tmp_path: Path):
    output, state = tmp_path / "c.safetensors", tmp_path / "c.state.safetensors"
    fitted(pair, photos, output, steps=10)
    output.unlink()
    kept = state.read_bytes()
    with pytest.raises(OutputError, match="was left by a fit that is not over; go on with --resume, or begin anew"):
        fitted(pair, photos, output)
    assert state.read_bytes() == kept
    with pytest.raises(InputError, match=r"has 10 steps and 0\.0 minutes behind it already; give more of them"):
        fitted(pair, photos, output, steps=10, resume=True)
    for settings, name in (
        ({"seed": 1}, "seed is 0 there, 1 here"),
        ({"curve": "cubic"}, "is the state of another fit: curve is quadratic there, cubic here"),
        ({"degrade": ["none"]}, r"degrade is \[\['noise', 0\.0, 15\.0\], \['jpeg', 50\.0, 95\.0\]\] there, \[\] here"),
    ):
        with pytest.raises(DniError, match=name):
            fitted(pair, photos, output, steps=20, resume=True, **settings)
    with pytest.raises(CheckpointError, match="is the state of another fit: endpoints is"):
        fitted(pair[::-1], photos, output, steps=20, resume=True)
    assert not output.exists()
    assert state.read_bytes() == kept


@pytest.mark.parametrize("damage", ["bytes", "metadata", "shape"])
def test_a_damaged_state_is_one_sentence(pair: list[Path], photos: Path, tmp_path: Path, damage: str):
    output, state = tmp_path / "c.safetensors", tmp_path / "c.state.safetensors"
    fitted(pair, photos, output, steps=3)
    if damage == "bytes":
        state.write_bytes(state.read_bytes()[:100])
    else:
        held = load_file(state)
        text = json.dumps({"made_of": {}, "course": {"looks": []}} if damage == "metadata" else {})
        save_file({**held, "learnt": held["learnt"][:, :3].contiguous()}, state, {"dni.fit": text})
    with pytest.raises(CheckpointError, match=r"is no state of a fit .*; remove it, and leave --resume out to "):
        fitted(pair, photos, output, steps=9, resume=True)
