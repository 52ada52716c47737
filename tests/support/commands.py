"""The command line as a test calls it: inside this process, or as the installed commands."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray

from dni_deploy.cli import main
from dni_deploy.demo import PHOTOGRAPH_NOISY, STRONG, WEAK
from dni_deploy.image_files.read_write import read_image, write_image


@dataclass(frozen=True)
class Result:
    """What a command answered."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    def assert_ok(self) -> "Result":
        assert self.code == 0, self.err
        return self

    def assert_error(self, message: str) -> None:
        """One message on stderr that holds `message`, nothing on stdout, exit code 1, no traceback."""
        assert (self.code, self.out) == (1, "")
        assert [line.startswith("Error: ") for line in self.err.splitlines()].count(True) == 1
        assert message in self.err
        assert "Traceback" not in self.err

    def assert_usage(self, message: str) -> None:
        """How to call it, and `message`; exit code 2."""
        assert (self.code, self.out) == (2, "")
        assert "Usage: " in self.err
        assert message in self.err


def dni(*arguments: object) -> Result:
    """`dni` in this process, where PyTorch is loaded already; an exception that is no answer is raised."""
    result = CliRunner().invoke(main, [str(a) for a in arguments], prog_name="dni", catch_exceptions=False)
    return Result(result.exit_code, click.unstyle(result.stdout), click.unstyle(result.stderr))


def command(name: str, *arguments: object, cwd: Path | None = None, **environment: str) -> Result:
    """The installed command `name` in a process of its own."""
    program = Path(sys.executable).with_name(name)
    return process([str(program), *map(str, arguments)], cwd=cwd, **environment)


def python(program: str, *arguments: object, cwd: Path | None = None) -> Result:
    """`program` in a new interpreter, which finds what this one finds."""
    path = os.pathsep.join(path for path in sys.path if path)
    return process([sys.executable, "-c", program, *map(str, arguments)], cwd=cwd, PYTHONPATH=path)


def process(arguments: list[str], *, cwd: Path | None = None, **environment: str) -> Result:
    run = subprocess.run(arguments, capture_output=True, text=True, cwd=cwd, env=os.environ | environment, timeout=120)
    return Result(run.returncode, run.stdout, run.stderr)


@pytest.fixture(scope="session")
def denoiser(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundled pair as an alpha-input model, made once by the command that everybody starts with."""
    if find_spec("torch") is None:
        pytest.skip("exporting needs torch, which is not installed")
    path = tmp_path_factory.getbasetemp() / "denoiser" / "denoise.onnx"
    if not path.exists():  # every module that imports this fixture has one of its own
        command("dni-export", WEAK, STRONG, "--alpha-input", "-o", path).assert_ok()
    return path


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A piece of the bundled noisy photograph."""
    return save_image(tmp_path / "photo.png", noisy_crop())


def noisy_crop(height: int = 60, width: int = 80) -> NDArray[np.uint8]:
    return read_image(PHOTOGRAPH_NOISY)[100 : 100 + height, 150 : 150 + width]


def save_image(path: Path, image: NDArray[Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_image(path, image)
    return path


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())
