"""`pip install dni-deploy` in an environment of its own, from the package index: what it brings, and what runs with it.

The commands are the installed ones; nothing of this environment is visible to them.
"""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from built_wheel import CONSTRAINTS, INSTALLED
from commands import Result, process, results_in
from onnx_models import conv_stack, picture, save
from photographs import save_image

from dni_deploy.demo import PHOTOGRAPH_NOISY, STRONG, WEAK
from dni_deploy.image_files.read_write import read_image

PIP = 'pip install "dni-deploy[{}]"'

# Without onnxruntime. Python's compiled copies of the modules, some 28 MB more, are not counted.
LIMIT_BYTES = 160e6
# What `dni-deploy[triton]` brings along in any case.
TRITON = {"tritonclient", "grpcio", "aiohttp", "geventhttpclient"}

FACTS = """
import json
from importlib.metadata import distributions

def size(distribution):
    files = [distribution.locate_file(file) for file in distribution.files or []]
    return sum(file.stat().st_size for file in files if file.suffix != ".pyc" and file.exists())

print(json.dumps({d.metadata["Name"].removesuffix("-gpu"): size(d) for d in distributions()}))
"""


class Environment:
    """A fresh virtual environment and the programs in it."""

    def __init__(self, folder: Path) -> None:
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
        self._bin = folder / ("Scripts" if sys.platform == "win32" else "bin")
        self._cache = folder / "cache"

    def install(self, requirement: str) -> None:
        pip = [sys.executable, "-m", "pip", "--python", str(self._bin / "python"), "install", "--quiet", "--no-compile"]
        process([*pip, "-c", str(CONSTRAINTS), requirement]).assert_ok()

    def run(self, program: str, *arguments: object) -> Result:
        hidden = {"PYTHONPATH": "", "DNI_CACHE_DIR": str(self._cache)}
        return process([str(self._bin / program), *map(str, arguments)], cwd=self._bin, **hidden)

    def dni(self, *arguments: object) -> Result:
        return self.run("dni", *arguments)

    def python(self, program: str) -> Result:
        return self.run("python", "-c", program)


@pytest.fixture(scope="module")
def base(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    environment = Environment(tmp_path_factory.mktemp("base") / "env")
    environment.install(str(wheel))
    return environment


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(conv_stack(), tmp_path_factory.mktemp("model") / "model.onnx")


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    return save_image(tmp_path / "photo.png", picture(48, 64, 3))


@pytest.fixture(scope="module")
def facts(base: Environment) -> Any:
    return base.python(FACTS).assert_ok().json


def test_these_and_no_others_are_installed(facts: dict[str, int]):
    assert set(facts) == INSTALLED


def test_it_is_small(facts: dict[str, int]):
    sizes = {name: size for name, size in facts.items() if name != "onnxruntime"}
    assert 100e6 < sum(sizes.values()) < LIMIT_BYTES, sizes


def test_pytorch_is_not_there(base: Environment):
    for package in ("torch", "onnxscript", "spandrel", "openvino", "tritonclient"):
        assert f"No module named '{package}'" in base.python(f"import {package}").err


# --- what runs ---


def test_run(base: Environment, model: Path, photo: Path, tmp_path: Path):
    sheet, folder = tmp_path / "sheet.png", tmp_path / "out"
    result = base.dni("run", model, photo, "--alpha", "0:1:0.5", "--tile", "32", "-o", folder, "--sheet", sheet)
    assert len(result.assert_ok().out.splitlines()) == 3
    assert len(results_in(folder)) == 3 and sheet.is_file()


def test_run_of_an_ort_file(base: Environment, model: Path, photo: Path, tmp_path: Path):
    arguments = (model, "--output_dir", tmp_path, "--optimization_style", "Fixed")
    base.run("python", "-m", "onnxruntime.tools.convert_onnx_models_to_ort", *arguments).assert_ok()
    base.dni("run", tmp_path / "model.ort", photo, "--alpha", "0.5", "-o", tmp_path / "out.png").assert_ok()
    assert "0..1, no default" in base.dni("inspect", tmp_path / "model.ort").assert_ok().out


def test_inspect(base: Environment, model: Path):
    assert "a.safetensors" in base.dni("inspect", model).assert_ok().out


def test_bench(base: Environment, model: Path):
    arguments = ("--size", "16x24", "--seconds", "0.1", "--threads", "1", "--json")
    (case,) = base.dni("bench", model, *arguments).assert_ok().json["cases"]
    assert "OpenVINO" not in [row["approach"] for row in case["rows"]]


def test_demo(base: Environment, tmp_path: Path):
    result = base.dni("demo", "-o", tmp_path / "demo").assert_ok()
    assert PIP.format("export") in result.err
    assert len(list((tmp_path / "demo").iterdir())) == 8  # the model, six strengths, the sheet
    again = base.dni(
        "run", tmp_path / "demo" / "denoise.onnx", PHOTOGRAPH_NOISY, "--alpha", "0.4", "-o", tmp_path / "x.png"
    )
    again.assert_ok()
    swept = tmp_path / "demo" / f"{PHOTOGRAPH_NOISY.stem}_alpha0.40.png"
    assert (read_image(tmp_path / "x.png") == read_image(swept)).all()


def test_help_of_everything(base: Environment):
    """In one process: twelve would take ten seconds."""
    program = (
        "import click.testing, dni_deploy.cli\n"
        "for name in dni_deploy.cli.main.commands:\n"
        "    result = click.testing.CliRunner().invoke(dni_deploy.cli.main, [name, '--help'], catch_exceptions=False)\n"
        "    assert result.exit_code == 0, result.output\n"
        "    print(name)\n"
    )
    names = base.python(program).assert_ok().out.split()
    assert {"export", "blend", "inspect", "run", "bench", "ship", "serve", "demo"} <= set(names)
    assert "Usage: dni " in base.dni("--help").assert_ok().out


def test_from_python(base: Environment, model: Path):
    program = (
        "import numpy as np, dni_deploy, dni_runtime\n"
        f"with dni_runtime.load({str(model)!r}) as model:\n"
        "    y = model(np.zeros((1, 3, 8, 8), np.float32), 0.3)\n"
        "    image = model.enhance(np.zeros((20, 30, 3), np.uint8), 0.3)\n"
        "print(y.shape, y.dtype, image.shape, image.dtype)\n"
    )
    assert base.python(program).assert_ok().out == "(1, 3, 8, 8) float32 (20, 30, 3) uint8\n"


# --- what says that it needs more ---


@pytest.mark.parametrize("name", ["export", "blend", "inspect"])
def test_what_needs_pytorch_says_so(name: str, base: Environment, tmp_path: Path):
    arguments = {
        "export": [WEAK, STRONG, "--alpha-input", "-o", tmp_path / "m.onnx"],
        "blend": [WEAK, STRONG, "--alpha", "0.5", "-o", tmp_path / "c.pth"],
        "inspect": [WEAK, STRONG],
    }[name]
    result = base.dni(name, *arguments)
    result.assert_error(f"which is not installed: {PIP.format('export')}")
    assert re.fullmatch(r"Error: reading checkpoints and exporting need \w+, which is not .*\n", result.err)


def test_openvino_says_how_it_is_installed(base: Environment, model: Path, photo: Path, tmp_path: Path):
    result = base.dni("run", model, photo, "--alpha", "0.5", "--provider", "openvino", "-o", tmp_path / "out.png")
    result.assert_error(f"openvino is not available: it is not installed: {PIP.format('openvino')}")
    assert len(result.err.splitlines()) == 1


def test_ship_says_what_it_needs_and_runs_with_it(base: Environment, wheel: Path, model: Path, tmp_path: Path):
    """The last one in this file: it installs more."""
    repository = tmp_path / "repo"
    message = f"Triton's configuration needs tritonclient, which is not installed: {PIP.format('triton')}"
    base.dni("ship", "triton", model, "-o", repository).assert_error(message)
    base.install(f"dni-deploy[triton] @ {wheel.as_uri()}")
    assert set(base.python(FACTS).assert_ok().json) >= INSTALLED | TRITON
    base.dni("ship", "triton", model, "-o", repository).assert_ok()
    assert "good" in base.dni("ship", "check", repository).assert_ok().out
    assert "No module named 'torch'" in base.python("import torch").err
