"""Programs of integrations/ncnn, compiled."""

import shutil
import subprocess
from pathlib import Path

import pytest

SOURCES = Path(__file__).parents[3] / "integrations" / "ncnn"
STRICT = ("-Wall", "-Wextra", "-Wconversion", "-pedantic", "-Werror")


@pytest.fixture(scope="session")
def blend_program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The one that blends files, compiled as its first lines say."""
    if shutil.which("g++") is None:
        pytest.skip("g++ is not installed")
    program = tmp_path_factory.mktemp("blend") / "blend"
    options = ("-O2", "-std=c++11", "-ffp-contract=off", *STRICT)
    subprocess.run(["g++", *options, SOURCES / "blend.cpp", "-o", program], check=True, timeout=300)
    return program


@pytest.fixture(scope="session")
def enhance_program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The one that runs ncnn, built by CMake where it finds ncnn for C++: CMAKE_PREFIX_PATH tells it where."""
    build = tmp_path_factory.mktemp("enhance")
    if shutil.which("cmake") is None:
        pytest.skip("ncnn for C++ is not installed: no CMake")
    for command in (["cmake", "-S", SOURCES, "-B", build], ["cmake", "--build", build]):
        subprocess.run(command, check=True, capture_output=True, timeout=600)
    if not (build / "enhance").exists():
        pytest.skip("ncnn for C++ is not installed: CMake does not find it")
    return build / "enhance"
