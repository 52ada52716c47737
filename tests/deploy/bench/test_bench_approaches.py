"""The approaches that need a model file only: they compute the same, as they say, and refuse to be timed if not."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from exporting import photo, run, small_pair
from onnx_models import METADATA, conv_stack, noise, save
from torch import nn

import dni_deploy
from dni_deploy.bench import line_up, plan, run_case
from dni_deploy.bench.approaches.approach import Strength
from dni_deploy.bench.approaches.baked import write_baked
from dni_deploy.bench.approaches.lineup import BAKED, CACHE, FASTEST, MIXING, NAIVE, OPENVINO, OURS, Lineup, even
from dni_runtime import AlphaError, ModelError
from dni_runtime.alpha import Knob

SHAPE = (1, 3, 16, 20)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    network, weights = small_pair()
    path = tmp_path_factory.mktemp("pair") / "model.onnx"
    dni_deploy.export(weights, path, alpha_input=True, arch=network, alpha_range=(0, 1))
    return path


@pytest.fixture(scope="module")
def lineup(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Lineup:
    return line_up(model, tmp_path_factory.mktemp("baked"), (0.3,), "cpu")


def test_everyone_is_there(lineup: Lineup):
    assert [a.name for a in lineup.approaches] == [BAKED, OURS, NAIVE, CACHE, MIXING, OPENVINO, FASTEST]
    assert lineup.strengths == ((0.3,), (0.0,), (0.25,), (0.5,), (0.75,), (1.0,))


@pytest.mark.parametrize("name", [BAKED, OURS, NAIVE, CACHE, OPENVINO, FASTEST])
def test_exact_ones_compute_what_the_file_computes(lineup: Lineup, model: Path, name: str):
    approach = lineup.approach(name)
    running = approach.open(1)
    # There and back: a cache of three sessions drops some on the way.
    for alpha in (*(approach.strengths or lineup.strengths), approach.strengths[0] if approach.strengths else (0.3,)):
        for _ in range(2):
            y = running(photo(*SHAPE), alpha)
            assert np.abs(y - run(model, photo(*SHAPE), alpha)).max() < 1e-5
            running.settle()
    running.close()


def test_mixing_is_the_mean_of_both_ends(lineup: Lineup, model: Path):
    approach = lineup.approach(MIXING)
    assert not approach.exact
    y = approach.open(1)(photo(*SHAPE), (0.25,))
    ends = [run(model, photo(*SHAPE), alpha) for alpha in (1.0, 0.0)]
    assert np.abs(y - (0.25 * ends[0] + 0.75 * ends[1])).max() < 1e-5


def test_a_baked_file_holds_one_set_of_weights_and_no_alpha(lineup: Lineup, model: Path):
    baked = onnx.load(lineup.approach(BAKED).files[0])
    assert [value.name for value in baked.graph.input] == ["input"]
    assert {node.op_type for node in baked.graph.node} <= {"Conv", "Relu", "FusedConv"}
    blend_constant_bytes = 4  # the 1 of 1 - alpha
    assert lineup.weights_bytes == 2 * lineup.one_weights_bytes + blend_constant_bytes


def test_weights_beside_the_model_are_found_and_counted(tmp_path: Path):
    network, weights = small_pair()
    dni_deploy.export(weights, tmp_path / "m.onnx", alpha_input=True, arch=network, weights="external")
    folder = tmp_path / "baked"
    folder.mkdir()
    lineup = line_up(tmp_path / "m.onnx", folder, None, "cpu")
    assert lineup.approach(OURS).files == (tmp_path / "m.onnx", tmp_path / "m.onnx.data")
    y = lineup.approach(BAKED).open(1)(photo(*SHAPE), lineup.alpha)
    assert np.abs(y - run(tmp_path / "m.onnx", photo(*SHAPE), lineup.alpha)).max() < 1e-5


def test_several_endpoints_have_several_shares(tmp_path: Path):
    network, weights = small_pair(3)
    dni_deploy.export(weights, tmp_path / "m.onnx", alpha_input=True, arch=network)
    lineup = line_up(tmp_path / "m.onnx", tmp_path, None, "cpu")
    assert len(lineup.approach(MIXING).files) == 3
    case = run_case("three", lineup, lineup.approaches, SHAPE, 1, "cpu", plan(0.2, fewest=1), lambda step: None)
    assert {row.approach for row in case.rows} == {a.name for a in lineup.approaches}


def test_knobs_are_measured_and_no_mix_stands_for_them(tmp_path: Path):
    network, weights = small_pair()
    dni_deploy.export(weights, tmp_path / "m.onnx", alpha_input=True, arch=network, knobs={"late": "2.*"})
    folder = tmp_path / "baked"
    folder.mkdir()
    lineup = line_up(tmp_path / "m.onnx", folder, None, "cpu")
    assert lineup.strengths == ((0.3, 0.3), (0.0, 0.0), (0.25, 0.25), (0.5, 0.5), (0.75, 0.75), (1.0, 1.0))
    assert [a.name for a in lineup.approaches] == [BAKED, OURS, NAIVE, CACHE, OPENVINO, FASTEST]
    apart = line_up(tmp_path / "m.onnx", folder, (0.2, 0.9), "cpu")
    case = run_case("knobs", apart, apart.approaches, SHAPE, 1, "cpu", plan(0.2, fewest=1), lambda step: None)
    assert {row.approach for row in case.rows} == {a.name for a in apart.approaches}


def test_strengths_are_a_part_of_the_way_through_the_range():
    assert even(METADATA, 0.3) == (0.3,)
    assert even(replace(METADATA, alpha_range=(-1.0, 3.0)), 0.5) == (1.0,)
    assert even(replace(METADATA, alpha_knobs=(Knob("late", ("x",)), Knob("bias", ("y",)))), 1) == (1.0, 1.0, 1.0)
    three = replace(METADATA, endpoints=METADATA.endpoints + METADATA.endpoints[:1])
    assert even(three, 1) == (0.5, 0.5)
    assert even(replace(three, alpha_range=(-1.0, 2.0)), 0) == (0.0, 0.0)


def test_who_computes_something_else_is_not_timed(lineup: Lineup, tmp_path: Path):
    network, weights = small_pair()
    other = {name: tensor + 0.01 for name, tensor in weights[0].items()}
    dni_deploy.export([other, weights[1]], tmp_path / "other.onnx", alpha_input=True, arch=network)
    wrong = replace(lineup.approach(BAKED), files=(write_baked(tmp_path / "other.onnx", (0.3,), tmp_path / "b.onnx"),))
    steps: list[str] = []
    with pytest.raises(ModelError, match=r"baked file at alpha 0\.3, .*, differs from naive alpha-input by .* Nothing"):
        run_case("x", lineup, [wrong, lineup.approach(NAIVE)], SHAPE, 1, "cpu", plan(1), steps.append)
    assert steps[-1] == "comparing the results"


def test_a_baked_file_holds_what_all_endpoints_share(tmp_path: Path):
    """A large weight that nothing folds is where it was otherwise: in the model, seen from another folder."""
    network = nn.Conv2d(3, 3, 31, padding=15)
    a = network.state_dict()
    b = a | {"bias": a["bias"] + 0.1}
    dni_deploy.export([a, b], tmp_path / "m.onnx", alpha_input=True, arch=network, verdict=False)
    (tmp_path / "other").mkdir()
    baked = write_baked(tmp_path / "m.onnx", (0.3,), tmp_path / "other" / "baked.onnx")
    image = photo(*SHAPE)
    assert np.abs(run(baked, image) - run(tmp_path / "m.onnx", image, 0.3)).max() <= 1e-5


def test_the_range_of_the_model_is_kept(tmp_path: Path):
    network, weights = small_pair()
    dni_deploy.export(weights, tmp_path / "m.onnx", alpha_input=True, arch=network, alpha_range=(0.2, 0.6))
    lineup = line_up(tmp_path / "m.onnx", tmp_path, None, "cpu")
    assert MIXING not in [a.name for a in lineup.approaches]  # needs both ends
    assert all(0.2 <= value <= 0.6 for (value,) in lineup.strengths)
    with pytest.raises(AlphaError, match="out of range"):
        line_up(tmp_path / "m.onnx", tmp_path, (0.9,), "cpu")


def test_a_model_of_another_tool_takes_part(tmp_path: Path):
    lineup = line_up(save(conv_stack(metadata=None), tmp_path / "m.onnx"), tmp_path, None, "cpu")
    y = {a.name: a.open(1)(noise(*SHAPE), lineup.alpha) for a in lineup.approaches if a.exact}
    assert all(np.abs(y[name] - y[NAIVE]).max() < 1e-5 for name in y)


@pytest.mark.parametrize("alpha", [(0.5,), None])
def test_a_model_without_alpha_is_refused(tmp_path: Path, alpha: Strength | None):
    with pytest.raises(ModelError, match=r"has no input alpha: .* dni-export A B --alpha-input"):
        line_up(save(conv_stack(alpha=0.5), tmp_path / "m.onnx"), tmp_path, alpha, "cpu")
