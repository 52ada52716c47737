"""`dni run` and `dni bench` with the fastest of the installed engines: same pictures, and told which it was."""

from pathlib import Path

import numpy as np
from commands import dni
from onnx_models import conv_stack, picture, save
from photographs import save_image

from dni_deploy.bench import bench_model
from dni_deploy.image_files.read_write import read_image


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
