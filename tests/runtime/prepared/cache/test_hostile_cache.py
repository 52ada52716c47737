"""Entries of the cache that were mixed up or tampered with: the right pixels, and entries made again."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from alpha_policies import assert_same
from onnx import helper
from onnx_models import conv_stack, noise, save
from prepared_entries import SEEDS, assert_made_again, assert_right, entries, nothing, other_array, rewrite

from dni_runtime import load
from dni_runtime.prepared.laid_out import LaidOut

# Entries of another model.


def test_entries_that_changed_names(cache: Path, paths: list[Path], prepared: list[Path]):
    for seed in SEEDS:
        assert_right(paths[seed], seed)
    first, second = entries(cache)
    for old, new in ((first, cache / "x"), (second, first), (cache / "x", second)):
        old.rename(new)
    for _ in range(2):
        for seed in SEEDS:
            assert_right(paths[seed], seed)
    assert len(prepared) == 4
    assert entries(cache) == [first, second]


def test_an_entry_under_the_name_of_another(cache: Path, paths: list[Path], prepared: list[Path]):
    assert_right(paths[0])
    (entry,) = entries(cache)
    assert_right(paths[1], 1)
    (other,) = set(entries(cache)) - {entry}
    shutil.rmtree(other)
    shutil.copytree(entry, other)
    assert_right(paths[1], 1)
    assert len(prepared) == 3


# Plans that do not fit, whose digests are right.


def put(name: str, value: Any) -> Callable[[dict[str, Any]], object]:
    """Set a field of the plan."""
    return lambda plan: plan.update({name: value})


def first(name: str, value: Any) -> Callable[[dict[str, Any]], object]:
    """Set a field of the plan's first slice."""
    return lambda plan: plan["slices"][0].update({name: value})


SCALING = {"start": 0, "count": 24, "outer": 1, "inner": 24, "repeats": 1, "factor_start": 0, "divides": False}


def group(**values: Any) -> Callable[[dict[str, Any]], object]:
    return lambda plan: plan["groups"][0].update(values)


PLANS: dict[str, Callable[[dict[str, Any]], object]] = {
    "negative start": first("start", -16),
    "start beyond": first("start", 2**40),
    "empty shape": first("shape", [0, 3, 3, 3]),
    "negative shape": first("shape", [-24, -3, 3, 3]),
    "huge shape": first("shape", [2**40]),
    "shape of floats": first("shape", [24.0, 3, 3, 3]),
    "unknown name": first("name", "nobody"),
    "no slices": put("slices", []),
    "one slice fewer": lambda plan: plan["slices"].pop(),
    "fixed": first("fixed", True),
    "huge total": put("total", 2**50),
    "total of a bool": put("total", True),
    "packed of a number": put("packed", 1),
    "scaling of nothing": put("scalings", [SCALING]),
    "scaling beyond": put("scalings", [{**SCALING, "start": 2**40}]),
    "scaling before": put("scalings", [{**SCALING, "factor_start": -24}]),
    "scaling of no part": put("scalings", [{**SCALING, "inner": 5}]),
    "no groups": put("groups", []),
    "a group of nothing": group(count=0),
    "a group more": lambda plan: plan["groups"].append({"count": 16, "shares": [0]}),
    "a group that is larger": group(count=2**40),
    "a group of no shares": group(shares=[]),
    "a share beyond": group(shares=[0, 2]),
    "a share before": group(shares=[-1, 1]),
    "a share of a float": group(shares=[0.0, 1]),
    "no total": lambda plan: plan.pop("total"),
    "no key": lambda plan: plan.pop("key"),
    "another key": put("key", "0" * 64),
    "a key of a list": put("key", []),
}


@pytest.mark.parametrize("name", PLANS)
def test_a_plan_that_does_not_fit(name: str, cache: Path, paths: list[Path], prepared: list[Path]):
    assert_made_again(cache, paths[0], prepared, lambda entry: rewrite(entry, PLANS[name]))


def body_that_fails(entry: Path) -> None:
    """It takes and gives what it should, and ONNX Runtime opens it; it ends when it runs."""
    body = onnx.load_from_string((entry / "body").read_bytes())
    (output,) = body.graph.output
    last = next(node for node in body.graph.node if output.name in node.output)
    last.output[0] = "before"
    body.graph.initializer.append(onnx.numpy_helper.from_array(np.array([1, 3, 7, -1], np.int64), "no_shape"))
    body.graph.node.append(helper.make_node("Reshape", ["before", "no_shape"], [output.name]))
    rewrite(entry, nothing, body=body.SerializeToString())


CONTENTS: dict[str, Callable[[Path], object]] = {
    "other values": other_array("endpoints", lambda values: values * 1.5),
    "an axis fewer": other_array("endpoints", lambda values: values[None]),
    "a column fewer": other_array("endpoints", lambda values: values[1:]),
    "an endpoint fewer": other_array("endpoints", lambda values: values[: len(values) // 2]),
    "fixed weights more": other_array("fixed", lambda values: np.zeros(16, np.float32)),
    "another result": other_array("probe", lambda values: values + 0.5),
    "a result of nothing": other_array("probe", lambda values: values[:0]),
    "a result of no numbers": other_array("probe", lambda values: values * np.nan),
    "a head of nobody": lambda entry: rewrite(entry, nothing, head=b"nobody"),
    "a body for a head": lambda entry: rewrite(entry, nothing, head=(entry / "body").read_bytes()),
    "a head for a body": lambda entry: rewrite(entry, nothing, body=(entry / "head").read_bytes()),
    "a body that fails": body_that_fails,
}


@pytest.mark.parametrize("name", CONTENTS)
def test_contents_that_do_not_fit(name: str, cache: Path, paths: list[Path], prepared: list[Path]):
    assert_made_again(cache, paths[0], prepared, CONTENTS[name])


def test_a_model_of_a_large_fixed_size_is_not_run_when_it_is_loaded(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """What is compared is a result of 8 x 8 pixels; of 512 x 512 it would take longer than all of the rest."""
    path = save(conv_stack(features=24, shape=(1, 512, 512)), tmp_path / "fixed.onnx")
    with load(path, "cpu", alpha_policy="dynamic") as model:
        wanted = model(noise(1, 3, 512, 512), 0.31)
    shapes: list[tuple[int, ...]] = []
    original = LaidOut.run
    monkeypatch.setattr(LaidOut, "run", lambda self, x, alpha: shapes.append(x.shape) or original(self, x, alpha))
    with load(path, "cpu", alpha_policy="dynamic") as model:
        assert shapes == []
        assert_same(model(noise(1, 3, 512, 512), 0.31), wanted)
