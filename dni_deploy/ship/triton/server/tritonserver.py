"""Where a real tritonserver is, and what it can do."""

import importlib.util
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from dni_runtime import DniError, InputError

_CONTAINER = Path("/opt/tritonserver")
_IN_WHEEL = Path("pytriton", "tritonserver")
_STUB = "triton_python_backend_stub"

HOW_TO_GET_ONE = (
    "no tritonserver was found (on PATH, in /opt/tritonserver, in the nvidia-pytriton package). Run this inside "
    "NVIDIA's container (docker run --rm -it --network host --shm-size 1g nvcr.io/nvidia/tritonserver:XX.YY-py3, then "
    'pip install "dni-deploy[triton]"), or without a container: pip install nvidia-pytriton "numpy<2", which carries '
    "a server with the Python backend. One that lies elsewhere is named with --server"
)


@dataclass(frozen=True, slots=True)
class Tritonserver:
    """An installed server: the program, its backends, and its cache implementations."""

    program: Path
    backends: Path
    caches: Path

    def has_backend(self, backend: str) -> bool:
        return (self.backends / backend).is_dir()


def find_tritonserver(place: Path | None = None) -> Tritonserver:
    """The server at `place` (the program, its installation, or a Python environment), else the first that is found.

    Raises DniError, with how to get one, where there is none.
    """
    if place is not None:
        if (found := next((path for path in _programs(place) if path.is_file()), None)) is None:
            raise InputError(f"{place} holds no tritonserver; expected the program, its folder or a Python environment")
        return _installation(found)
    if on_path := shutil.which("tritonserver"):
        return _installation(Path(on_path))
    folders = [_CONTAINER]
    if (spec := importlib.util.find_spec(_IN_WHEEL.parts[0])) and spec.submodule_search_locations:
        folders += [Path(location, *_IN_WHEEL.parts[1:]) for location in spec.submodule_search_locations]
    for folder in folders:
        if (program := folder / "bin" / "tritonserver").is_file():
            return _installation(program)
    raise DniError(HOW_TO_GET_ONE)


def _programs(place: Path) -> list[Path]:
    in_environment = sorted(place.glob(f"lib/python3*/site-packages/{_IN_WHEEL}/bin/tritonserver"))
    return [place, place / "bin" / "tritonserver", place / "tritonserver", *in_environment]


def _installation(program: Path) -> Tritonserver:
    program = program.resolve()
    root = program.parent.parent
    if not (root / "backends").is_dir() and (_CONTAINER / "backends").is_dir():
        root = _CONTAINER
    return Tritonserver(program, root / "backends", root / "caches")


def python_backends(server: Tritonserver, folder: Path) -> Path:
    """The folder of backends for this Python; one made in `folder` where the wheel has a stub for each version.

    Raises DniError where the server's Python backend runs another version than the one that dni runs in.
    """
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    installed = server.backends / "python"
    if not installed.is_dir():
        raise DniError(f"{server.program} has no Python backend; expected {installed}")
    if (stub := installed / _STUB).is_file():
        built_for = re.search(rb"libpython(\d+\.\d+)\.so", stub.read_bytes())
        if built_for and built_for[1].decode() != version:
            raise DniError(
                f"the Python backend of {server.program} runs Python {built_for[1].decode()}, and this is Python "
                f"{version}: install dni-deploy with that Python, and run dni serve from there"
            )
        return server.backends
    stub = server.backends.parent / "python_backend_stubs" / version / _STUB
    if not stub.is_file():
        raise DniError(f"{server.program} has no Python backend for Python {version}; expected {stub}")
    # Links, since both find their libraries by where they really lie.
    made = folder / "python"
    made.mkdir(parents=True)
    for file in [*installed.iterdir(), stub]:
        (made / file.name).symlink_to(file.resolve())
    return folder


def supports(server: Tritonserver, option: str) -> bool:
    """Whether the program knows a command-line option, such as "http-max-input-size" (from 25.08 on)."""
    try:
        told = subprocess.run([server.program, "--help"], capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.SubprocessError):
        return False
    return f"--{option}" in told.stdout + told.stderr
