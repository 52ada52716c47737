"""What a middle's file says of its curve: read back as it was written, and nothing else is taken for one."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from dni_exporters.checkpoints.middles import KEY, End, Middle, read_middle
from dni_exporters.inspection import inspect_checkpoint
from dni_runtime import CheckpointError

A, B = End("a.pth", "a" * 64), End("b.pth", "b" * 64)
CUBIC = Middle(degree=3, number=1, ends=(A, B))


def save(path: Path, text: str | None) -> Path:
    save_file({"weight": torch.zeros(2)}, path, None if text is None else {KEY: text})
    return path


def changed(**fields: Any) -> str:
    data = json.loads(CUBIC.to_json({}))
    return json.dumps({**data, "curve": {**data["curve"], **fields}})


def test_a_middle_is_read_back_as_it_was_written(tmp_path: Path):
    assert read_middle(save(tmp_path / "c.safetensors", CUBIC.to_json({"to_mix_db": [35.5]}))) == CUBIC


def test_a_middle_is_inspected_as_one(tmp_path: Path):
    report = inspect_checkpoint(save(tmp_path / "c.safetensors", CUBIC.to_json({})))
    assert "it is middle 1 of 2 of the cubic curve that was fitted between a.pth and b.pth" in report.notes


def test_a_middle_counts_from_either_end():
    assert CUBIC.place_between(A.sha256, B.sha256) == 1
    assert CUBIC.place_between(B.sha256, A.sha256) == 2
    assert CUBIC.place_between(A.sha256, A.sha256) == 0
    assert Middle(2, 1, (A, B)).place_between(B.sha256, A.sha256) == 1


@pytest.mark.parametrize("text", [None, "{}", "no JSON", '{"endpoints": [], "alpha": 0.5}', '{"format": 9}'])
def test_any_other_checkpoint_is_none(tmp_path: Path, text: str | None):
    assert read_middle(save(tmp_path / "c.safetensors", text)) is None


def test_a_file_of_pytorch_is_none(tmp_path: Path):
    torch.save({"weight": torch.zeros(2)}, tmp_path / "c.pth")
    assert read_middle(tmp_path / "c.pth") is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (changed(degree=4), "curve.degree is 4; expected a whole number in 2..3"),
        (changed(middle=3), "curve.middle is 3; expected a whole number in 1..2"),
        (changed(ends=[]), "curve.ends is a list of 0; expected two"),
        (changed(ends=7), "curve.ends is 7"),
        (CUBIC.to_json({}).replace('"format": 1', '"format": 2'), "format is 2; expected a whole number in 1..1"),
    ],
)
def test_a_middle_that_is_not_understood_is_refused(tmp_path: Path, text: str, said: str):
    with pytest.raises(CheckpointError, match=said):
        read_middle(save(tmp_path / "c.safetensors", text))
