"""`dni bench` on small real models."""

import json
from pathlib import Path
from typing import Any

import pytest
from commands import dni
from onnx_models import conv_stack, save, unet

from dni_deploy.bench.approaches.lineup import BAKED, CACHE, FASTEST, MIXING, NAIVE, OPENVINO, OURS

QUICK = ("--seconds", "0.2", "--threads", "1")
ALL = [BAKED, OURS, NAIVE, CACHE, MIXING, OPENVINO, FASTEST]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(conv_stack(), tmp_path_factory.mktemp("bench") / "model.onnx")


@pytest.fixture(scope="module")
def report(model: Path) -> Any:
    result = dni("bench", model, "--size", "16x24", "--alpha", "0.4", "--json", *QUICK).assert_ok()
    return json.loads(result.out)


def test_json_says_where_it_was_measured(report: Any):
    hardware = report["hardware"]
    assert hardware["processor"] and hardware["cores"] >= 1
    assert {"Python", "numpy", "openvino", "dni-deploy"} <= set(hardware["versions"])


def test_json_says_what_was_measured(report: Any):
    (case,) = report["cases"]
    assert [case[key] for key in ("model", "height", "width", "threads", "provider", "dtype", "alpha")] == [
        "model.onnx", 16, 24, 1, "cpu", "float32", [0.4],
    ]  # fmt: skip
    assert set(case["rounds"]) == {"held", "moving", "changed", "drawn"}
    assert all(len(rounds) >= 3 for rounds in case["rounds"].values())


def test_json_has_every_number_of_every_approach(report: Any):
    rows = {row["approach"]: row for row in report["cases"][0]["rows"]}
    assert list(rows) == ALL
    assert rows[BAKED]["held_ratio"]["median"] == 1
    assert rows[BAKED]["moving_ms"] is None and rows[BAKED]["drawn_per_s"] is None
    for name in ALL[1:]:
        for key in ("held_ms", "held_ratio", "moving_ms", "moving_ratio", "first_ms", "first_ratio", "full_speed_ms"):
            assert 0 < rows[name][key]["low"] <= rows[name][key]["median"] <= rows[name][key]["high"], (name, key)
            assert rows[name][key]["count"] >= 3
        assert rows[name]["drawn_per_s"] > 0
    assert [name for name in ALL if not rows[name]["exact"]] == [MIXING]
    assert rows[MIXING]["difference"] > 1e-3 > 1e-5 >= max(rows[name]["difference"] for name in ALL if name != MIXING)


def test_json_has_load_time_memory_and_disk(report: Any, model: Path):
    (facts,) = report["models"]
    footprints = {footprint["approach"]: footprint for footprint in facts["footprints"]}
    assert list(footprints) == ALL
    assert facts["weights_bytes"] > facts["one_weights_bytes"] > 0
    assert footprints[NAIVE]["disk_bytes"] == model.stat().st_size
    assert footprints[CACHE]["disk_bytes"] > 5 * footprints[BAKED]["disk_bytes"]
    assert all(footprint["load_s"] > 0 for footprint in footprints.values())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--size", "64"], "'64' is no size; expected height and width such as 64x64"),
        (["--size", "0x64"], "'0x64' is no size"),
        (["--alpha", "0:1:0.5"], "--alpha takes one alpha, 3 were given"),
        (["--threads", "0"], "0 is not in the range x>=1"),
    ],
)
def test_wrong_usage(model: Path, arguments: list[str], message: str):
    dni("bench", model, *arguments).assert_usage(message)


def test_what_cannot_be_compared_is_refused(tmp_path: Path):
    baked = save(conv_stack(alpha=0.5), tmp_path / "baked.onnx")
    dni("bench", baked).assert_error("has no input alpha: there is no change of alpha to measure. Export one with")
    dni("bench", tmp_path / "none.onnx").assert_error("does not exist; expected an .onnx file")
    small = save(unet(), tmp_path / "unet.onnx")
    dni("bench", small, "--size", "30x32").assert_error("multiples of 4, at least 8")
    dni("bench", small, "--alpha", "1.5").assert_error("alpha 1.5 is out of range")
