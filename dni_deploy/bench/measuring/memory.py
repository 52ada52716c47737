"""The memory of this process, on Linux; None elsewhere.

`resource.getrusage` will not do: a new process starts with the peak of the one that started it.
"""

import sys
from pathlib import Path

_STATUS = Path("/proc/self/status")


def resident_bytes() -> int | None:
    """What the process has in memory now, mapped files included."""
    return _read("VmRSS")


def peak_bytes() -> int | None:
    """The most that it had since the start, or since `forget_peak`."""
    return _read("VmHWM")


def forget_peak() -> None:
    """Start the peak anew, at what the process has now."""
    if sys.platform == "linux":
        Path("/proc/self/clear_refs").write_text("5")


def _read(key: str) -> int | None:
    if sys.platform != "linux":
        return None
    line = next(line for line in _STATUS.read_text().splitlines() if line.startswith(f"{key}:"))
    return int(line.split()[1]) * 1024
