"""NaN and infinity in an endpoint are named, by every command alike; masks of attention are no such thing."""

import json
from pathlib import Path

import pytest
import torch
from commands import dni, names
from safetensors.torch import load_file
from torch_files import refusal

from dni_deploy.demo import STRONG, WEAK
from dni_exporters import blend, read_endpoints
from dni_runtime import CheckpointError

MASK = torch.full((4, 4), -torch.inf).triu(1)


def with_values(tensor: torch.Tensor, *values: float) -> torch.Tensor:
    changed = tensor.clone()
    changed.view(-1)[1 : 1 + len(values)] = torch.tensor(values).to(tensor.dtype)
    return changed


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
@pytest.mark.parametrize("command", ["inspect", "blend", "export"])
def test_every_command_names_file_tensor_and_how_many(tmp_path: Path, command: str, order: tuple[int, int]):
    weights = load_file(STRONG)
    weights["body.4.weight"] = with_values(weights["body.4.weight"], torch.nan, torch.inf, torch.nan, -torch.inf)
    torch.save(weights, tmp_path / "broken.pth")
    pair = [WEAK, tmp_path / "broken.pth"]
    output = {"inspect": ["--json"], "blend": ["--alpha", "0.5", "-o", tmp_path / "c.pth"],
              "export": ["--alpha-input", "-o", tmp_path / "c.onnx"]}[command]  # fmt: skip
    size = weights["body.4.weight"].numel()
    expected = f"broken.pth: body.4.weight holds 2 NaN and 2 infinite of {size} numbers, as after a training that broke"
    dni(command, *[pair[n] for n in order], *output).assert_error(expected)
    assert names(tmp_path) == ["broken.pth"]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16, torch.float64, torch.complex64])
@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
def test_every_type_and_every_kind(dtype: torch.dtype, value: float):
    state = {"fine": torch.zeros(3, dtype=dtype), "w": with_values(torch.ones(2, 3, dtype=dtype), value)}
    counted = "1 NaN" if value != value else "1 infinite"
    assert refusal(state).startswith(f"endpoint 1: w holds {counted} of 6 numbers")


def test_large_numbers_are_numbers():
    """Their sum is none."""
    for dtype in (torch.float32, torch.float16, torch.bfloat16):
        largest = torch.full((1000,), torch.finfo(dtype).max, dtype=dtype)
        read_endpoints([{"w": largest, "v": -largest, "none": torch.empty(0, 3, dtype=dtype)}])


def test_a_mask_that_all_have_is_no_broken_weight():
    checkpoints, _ = read_endpoints([{"w": torch.ones(2), "mask": MASK}, {"w": torch.zeros(2), "mask": MASK.clone()}])
    assert all(checkpoint.tensors["mask"].equal(MASK) for checkpoint in checkpoints)


@pytest.mark.parametrize("other", [MASK.t().contiguous(), torch.zeros(4, 4), torch.zeros(3)])
def test_masks_that_differ_are_refused(other: torch.Tensor):
    with pytest.raises(CheckpointError, match=r"endpoint \d: mask holds 6 infinite of 16 numbers"):
        blend([{"mask": other}, {"mask": MASK}], 0.5)


def test_a_tensor_of_minus_infinity_alone_is_no_mask():
    assert "w holds 4 infinite of 4 numbers" in refusal({"w": torch.full((4,), -torch.inf)})


def test_what_is_not_taken_may_hold_anything(tmp_path: Path):
    """A checkpoint's other state dict may be the one that broke down."""
    broken = {name: tensor * torch.nan for name, tensor in load_file(WEAK).items()}
    torch.save({"params": broken, "params_ema": load_file(WEAK)}, tmp_path / "a.pth")
    told = dni("inspect", tmp_path / "a.pth", STRONG, "--json").assert_ok().out
    assert json.loads(told)["parameters"] > 0
