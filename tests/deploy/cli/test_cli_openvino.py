"""`dni run` and `dni bench` with OpenVINO, and with the fastest engine: what they compute, and what they tell."""

from pathlib import Path

import numpy as np
from alpha_policies import (
    X,
    assert_same,
    reference,
)
from commands import dni
from onnx_models import conv_stack, picture, save
from photographs import save_image

from dni_deploy.bench import bench_model, line_up, plan, run_case
from dni_deploy.bench.approaches.lineup import BAKED, CACHE, MIXING, NAIVE, OURS
from dni_deploy.image_files.read_write import read_image


def test_dni_run_computes_what_it_computes_on_the_cpu(tmp_path: Path):
    path = save(conv_stack(), tmp_path / "model.onnx")
    photo = save_image(tmp_path / "photo.png", picture(40, 60, 3))
    for provider in ("openvino", "cpu"):
        output = tmp_path / f"{provider}.png"
        result = dni("run", path, photo, "--alpha", "0.3", "--provider", provider, "-o", output).assert_ok()
        assert f"running on {provider} ({provider} was asked for" in result.err
    got, wanted = (read_image(tmp_path / f"{provider}.png").astype(int) for provider in ("openvino", "cpu"))
    assert np.abs(got - wanted).max() <= 1


def test_dni_run_passes_options_on(tmp_path: Path):
    path = save(conv_stack(), tmp_path / "model.onnx")
    photo = save_image(tmp_path / "photo.png", picture(40, 60, 3))
    arguments = ("run", path, photo, "--alpha", "0.3", "-o", tmp_path / "out.png", "--provider", "openvino")
    dni(*arguments, "--provider-option", "device=XPU").assert_error("openvino has no device 'XPU' here; it has CPU")
    dni(*arguments, "--provider-option", "NUM_STREAMS").assert_usage("'NUM_STREAMS' is no KEY=VALUE")
    dni(*arguments, "--provider-option", "device=CPU", "--provider-option", "NUM_STREAMS=1").assert_ok()


def test_a_benchmark_of_it_has_its_own_baked_file_as_yardstick(tmp_path: Path):
    lineup = line_up(save(conv_stack(), tmp_path / "model.onnx"), tmp_path, (0.3,), "openvino")
    names = [approach.name for approach in lineup.approaches]
    assert names == [BAKED, OURS, NAIVE, CACHE, MIXING]
    shape = (1, 3, 16, 24)
    case = run_case("m", lineup, lineup.approaches, shape, 1, "openvino", plan(0.2, fewest=1), lambda step: None)
    assert case.provider == "openvino"
    assert all(row.difference <= case.tolerance for row in case.rows if row.exact)
    for approach in lineup.approaches:
        running = approach.open(1)
        if approach.exact:
            assert_same(running(X, (0.3,)), reference(conv_stack(), 0.3))
        running.close()


def test_dni_run_tells_which_engine_it_was(tmp_path: Path):
    path = save(conv_stack(), tmp_path / "model.onnx")
    photo = save_image(tmp_path / "photo.png", picture(40, 60, 3))
    for provider in ("fastest", "cpu"):
        output = tmp_path / f"{provider}.png"
        result = dni("run", path, photo, "--alpha", "0.3", "--provider", provider, "-o", output).assert_ok()
        told = "; images of about 45x45: " in result.err and ", measured at 40x60" in result.err
        assert told == (provider == "fastest")
    assert "running on cpu (cpu was asked for)" in result.err
    got, wanted = (read_image(tmp_path / f"{provider}.png").astype(int) for provider in ("fastest", "cpu"))
    assert np.abs(got - wanted).max() <= 1


def test_options_of_an_engine_are_refused(tmp_path: Path):
    path = save(conv_stack(), tmp_path / "model.onnx")
    photo = save_image(tmp_path / "photo.png", picture(40, 60, 3))
    arguments = ("run", path, photo, "--alpha", "0.3", "-o", tmp_path / "out.png", "--provider", "fastest")
    dni(*arguments, "--provider-option", "device=CPU").assert_error("fastest takes none")
    assert not (tmp_path / "out.png").exists()


def test_a_benchmark_of_it_has_the_baked_file_on_the_cpu_as_yardstick(tmp_path: Path):
    report = bench_model(save(conv_stack(), tmp_path / "model.onnx"), provider="fastest", sizes=[(16, 24)], seconds=0.5)
    (case,) = report.cases
    assert case.provider == "fastest"
    assert all(row.difference <= case.tolerance for row in case.rows if row.exact)
