"""haproxy.cfg, read by the installed HAProxy before anybody starts with it."""

import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from dni_runtime import DniError

_CHECK_S = 60
# Where Debian puts it, which is not on every user's PATH.
_SBIN = "/usr/sbin/haproxy"


def check_haproxy(file: Path) -> tuple[str, ...]:
    """Have the installed HAProxy, if there is one, read `file`; return what it remarks.

    Raises DniError where it would not start with it.
    """
    program = shutil.which("haproxy") or shutil.which(_SBIN)
    if program is None:
        return (f"haproxy is not installed here, so {file.name} was not checked: haproxy -c -f {file.name}",)
    try:
        told = subprocess.run(
            [program, "-c", "-f", file], capture_output=True, text=True, timeout=_CHECK_S, check=False
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise DniError(f"{program} could not check {file.name}: {error}") from None
    if told.returncode != 0:
        raise DniError(f"{program} would not start with {file.name}: {'; '.join(_said('ALERT', told.stderr))}")
    # Each server is there three times, for HTTP, for gRPC and to be asked for an answer.
    remarks = (re.sub("(triton_grpc|answers)/", "triton_http/", text) for text in _said("WARNING", told.stderr))
    return tuple(dict.fromkeys(remarks))


def _said(level: str, log: str) -> Sequence[str]:
    """Without the process number, and without the line number and the path of a file that is about to move."""
    # What is said on the level NOTICE only tells which HAProxy it is.
    log = re.sub(r"(?m)^\[NOTICE\].*$", "", log)
    found = re.findall(rf"(?m)^\[{level}\]\s+\(\d+\) : (?:config : )?(?:(?:parsing )?\[\S+:\d+\] : )*(.+)$", log)
    return [str(text).strip() for text in found] or list(filter(None, [log.strip()]))
