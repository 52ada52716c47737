"""Linux on 64-bit ARM, a Raspberry Pi: a wheel of every dependency exists there. Downloaded, not run.

pip evaluates the conditions of requirements for the machine that it runs on, whatever platform it downloads for.
They are therefore evaluated here, first for our own requirements, then for those of all that was downloaded.
"""

import email
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from built_wheel import CONSTRAINTS, INSTALLED
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name, parse_wheel_filename

# Raspberry Pi OS 12 and Debian 12: Python 3.11, glibc 2.36; manylinux_2_28 is the newest that is in use.
GLIBC = ("manylinux_2_28", "manylinux_2_27", "manylinux_2_26", "manylinux_2_17", "manylinux2014")
ENVIRONMENT = {
    "extra": "",
    "implementation_name": "cpython",
    "os_name": "posix",
    "platform_machine": "aarch64",
    "platform_python_implementation": "CPython",
    "platform_system": "Linux",
    "python_full_version": "3.11.2",
    "python_version": "3.11",
    "sys_platform": "linux",
}
# onnxruntime is the largest, and grows.
LIMIT_BYTES = 80e6


def required(wheel: Path) -> Iterator[Requirement]:
    """What the wheel requires on that machine, without extras."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = email.message_from_bytes(archive.read(name))
    for line in metadata.get_all("Requires-Dist") or []:
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate(ENVIRONMENT):
            yield requirement


def without_marker(requirement: Requirement) -> str:
    return f"{requirement.name}{requirement.specifier}"


@pytest.fixture(scope="module")
def downloaded(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("aarch64")
    platforms = [f"--platform={glibc}_aarch64" for glibc in GLIBC]
    python = ["--implementation=cp", "--python-version=3.11", "--abi=cp311", "--abi=abi3", "--abi=none"]
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--only-binary=:all:", "-d", str(folder)]
    constraints = ["-c", str(CONSTRAINTS)]
    ours = [without_marker(requirement) for requirement in required(wheel)]
    run = subprocess.run([*pip, *platforms, *python, *constraints, *ours], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return {canonicalize_name(path.name.split("-")[0]): path for path in folder.iterdir()}


def test_the_same_is_installed_as_elsewhere(downloaded: dict[str, Path]):
    assert set(downloaded) == {canonicalize_name(name) for name in INSTALLED} - {"dni-deploy"}


def test_all_that_they_require_there_is_there(downloaded: dict[str, Path]):
    for path in downloaded.values():
        for requirement in required(path):
            name = canonicalize_name(requirement.name)
            assert name in downloaded, f"{path.name} requires {requirement}"
            _, version, _, _ = parse_wheel_filename(downloaded[name].name)
            assert requirement.specifier.contains(version), f"{path.name} requires {requirement}"


def test_they_are_built_for_it(downloaded: dict[str, Path]):
    built = {name for name, path in downloaded.items() if not path.name.endswith("-any.whl")}
    assert built == {"ml-dtypes", "numpy", "onnx", "onnxruntime", "pillow", "protobuf"}
    for name in built:
        assert all(tag.platform.endswith("_aarch64") for tag in parse_wheel_filename(downloaded[name].name)[3])
    assert sum(path.stat().st_size for path in downloaded.values()) < LIMIT_BYTES


def test_conditions_are_evaluated_for_that_machine(wheel: Path):
    """The check above can fail: on x86-64 another onnxruntime is required."""
    assert {r.name for r in required(wheel) if r.name.startswith("onnxruntime")} == {"onnxruntime"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(ENVIRONMENT, "platform_machine", "x86_64")
        assert {r.name for r in required(wheel) if r.name.startswith("onnxruntime")} == {"onnxruntime-gpu"}
