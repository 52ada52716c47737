"""A real VapourSynth for tests, in an environment of its own: its package wants Python 3.12. PyTorch is not there."""

import os
from pathlib import Path

import pytest
from commands import Result, process
from left_out import ROOTS

ENVIRONMENT = Path(os.environ.get("DNI_VAPOURSYNTH_ENV") or Path(__file__).parents[3] / ".venv-vapoursynth")


def need_vapoursynth() -> Path:
    """The environment's folder of programs. Its absence fails continuous integration, see .ci/run."""
    programs = ENVIRONMENT / "bin"
    if not (programs / "vspipe").exists():
        pytest.skip(f"there is no VapourSynth in {ENVIRONMENT}: make .venv-vapoursynth/.done")
    return programs


def in_vapoursynth(program: str, *arguments: object, cwd: Path | None = None, **environment: str) -> Result:
    """One of the environment's programs ("python", "vspipe"), with this project's modules and those of its tests."""
    programs, modules = need_vapoursynth(), os.pathsep.join(map(str, ROOTS))
    command = [str(programs / program), *map(str, arguments)]
    # As in an activated environment: vspipe calls `vapoursynth config` the first time.
    path = os.pathsep.join([str(programs), os.environ["PATH"]])
    return process(
        command, cwd=cwd, **{"PYTHONPATH": modules, "PYTHONDONTWRITEBYTECODE": "1", "PATH": path} | environment
    )


def pytest_in_vapoursynth(*arguments: object, **environment: str) -> None:
    """Tests that import VapourSynth themselves; whatever fails there fails here."""
    options = ("-m", "pytest", "-q", "--noconftest", "-c", os.devnull, "-p", "no:cacheprovider", "-W", "error")
    result = in_vapoursynth("python", *options, *arguments, **environment)
    assert result.code == 0, result.out + result.err
