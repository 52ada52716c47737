"""What a measurement was made on."""

import os
import platform
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_PACKAGES = ("dni-deploy", "numpy", "onnx", "onnxruntime-gpu", "onnxruntime", "openvino", "ncnn", "torch")


@dataclass(frozen=True, slots=True)
class Hardware:
    """The machine and the versions of what ran on it; `gpu` is empty where there is none."""

    processor: str
    cores: int
    memory_bytes: int | None
    gpu: str
    system: str
    versions: dict[str, str]


def hardware(packages: Sequence[str] = _PACKAGES) -> Hardware:
    return Hardware(
        processor=_processor(),
        cores=_cores(),
        memory_bytes=_memory_bytes(),
        gpu=_gpu(),
        system=f"{platform.system()} {platform.release()}",
        versions={"Python": platform.python_version(), **_versions(packages)},
    )


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _cores() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _memory_bytes() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows
        return None


def _gpu() -> str:
    program = shutil.which("nvidia-smi")
    if program is None:
        return ""
    query = [program, "--query-gpu=name", "--format=csv,noheader"]
    return ", ".join(subprocess.run(query, capture_output=True, text=True).stdout.split("\n")).strip(", ")


def _versions(packages: Sequence[str]) -> dict[str, str]:
    found = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
