"""Entries of the cache of prepared models: two models to make them from, and entries that are changed by hand."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from alpha_policies import assert_same, reference
from onnx_models import conv_stack, noise

from dni_runtime import load
from dni_runtime.prepared.laid_out import LaidOut

X = noise(1, 3, 16, 24)
SEEDS = (0, 1)
PROTOS = {seed: conv_stack(features=24, seed=seed) for seed in SEEDS}
WANTED = {seed: {alpha: reference(proto, alpha, X) for alpha in (0.31, 1.0)} for seed, proto in PROTOS.items()}


def assert_right(path: Path, seed: int = 0) -> str:
    """The right pixels, fast; returns the note."""
    with load(path, "cpu", alpha_policy="dynamic") as model:
        assert isinstance(model._runner, LaidOut), model.alpha_note
        for alpha, y in WANTED[seed].items():
            assert_same(model(X, alpha), y)
        return model.alpha_note


def entries(cache: Path) -> list[Path]:
    return sorted(cache.glob("prepared-*"))


def rewrite(entry: Path, change: Callable[[dict[str, Any]], object], **files: bytes | np.ndarray) -> None:
    """Change the plan and files of an entry, and correct all digests, as somebody who knows would."""
    stored = json.loads((entry / "plan.json").read_text())
    plan = json.loads(stored["plan"])
    change(plan)
    for name, content in files.items():
        with (entry / name).open("wb") as opened:
            np.save(opened, content) if isinstance(content, np.ndarray) else opened.write(content)
        stored["sha256"][name] = hashlib.sha256((entry / name).read_bytes()).hexdigest()
    text = json.dumps(plan)
    stored["sha256"]["plan.json"] = hashlib.sha256(text.encode()).hexdigest()
    (entry / "plan.json").write_text(json.dumps({**stored, "plan": text}))


def nothing(plan: dict[str, Any]) -> None:
    """The plan stays as it is."""


def other_array(name: str, change: Callable[[Any], Any]) -> Callable[[Path], object]:
    return lambda entry: rewrite(entry, nothing, **{name: np.ascontiguousarray(change(np.load(entry / name)))})


def assert_made_again(cache: Path, path: Path, prepared: list[Path], damage: Callable[[Path], object]) -> None:
    assert_right(path)
    (entry,) = entries(cache)
    damage(entry)
    assert_right(path)
    assert len(prepared) == 2
    assert_right(path)
    assert len(prepared) == 2  # what was made again is whole, and used
    assert entries(cache) == [entry]


FILES = ("head", "body", "endpoints", "fixed", "probe", "plan.json")
