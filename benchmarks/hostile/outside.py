"""Whole processes of `dni`, watched by strace: what C code opens, runs and connects to is seen too."""

import os
import re
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

import model_weights
from case import SECRET, Case, Place
from outcome import EXECUTED, READ, REFUSED, RIGHT, SENTENCE, TRACEBACK, Outcome
from pickles import write_call
from pictures import disguised

_CASES = (
    Case("image", "another kind's bytes", "eps under .jpg", partial(disguised, claimed="eps", suffix=".jpg", seed=1)),
    Case("model", "weights elsewhere", "../secret.txt", partial(model_weights.elsewhere,
        location="../secret.txt", form="initializer", made="")),
    Case("model", "weights elsewhere", "a link to a secret", partial(
        model_weights.elsewhere, location="made", form="initializer", made="link to a secret")),
    Case("model", "weights elsewhere", "/etc/passwd", partial(model_weights.elsewhere, location="/etc/passwd",
        form="constant of a node", made="")),
    Case("checkpoint", "calls", "os.system, zip", partial(write_call, module="os", name="system", form="zip")),
    Case("checkpoint", "calls", "subprocess.Popen, bare", partial(write_call, module="subprocess", name="Popen",
        form="bare")),
    Case("checkpoint", "calls", "builtins.eval, legacy", partial(write_call, module="builtins", name="eval",
        form="legacy")),
)  # fmt: skip
_COMMANDS = {
    "image": (("run", "{kit}/good.onnx", "{file}", "-o", "{out}/made.png", "--alpha", "0.5", "--provider", "cpu"),),
    "model": (("inspect", "{file}"), ("run", "{file}", "{kit}/0 good.png", "-o", "{out}/made.png", "--alpha",
        "0.5", "--provider", "cpu"),
              ("ship", "triton", "{file}", "-o", "{out}/repo")),
    "checkpoint": (("blend", "{file}", "{kit}/good.safetensors", "--alpha", "0.5", "-o", "{out}/c.safetensors"),),
}  # fmt: skip
# Run by Python itself to find a library, for good files too.
_HARMLESS = '"/sbin/ldconfig"'
_CALL = re.compile(r"^(?:\[pid +\d+\] |\d+ +)?(execve|openat|open|connect)\((.*)")


def try_from_outside(folder: Path, count: int) -> list[Outcome]:
    """`count` commands or all that are listed. Raises FileNotFoundError where there is no strace."""
    from kit import make_kit

    if shutil.which("strace") is None:
        raise FileNotFoundError("strace is not installed")
    make_kit(folder / "kit", None)
    place, found = Place(folder / "place"), []
    for case in _CASES:
        for command in _COMMANDS[case.kind]:
            if len(found) < count:
                place.lay_out()
                found.append(_try(case, command, place, folder))
    return found


def _try(case: Case, command: tuple[str, ...], place: Place, folder: Path) -> Outcome:
    file, trace = case.make(place), folder / "trace"
    words = [part.format(file=file, kit=folder / "kit", out=place.outputs) for part in command]
    run = subprocess.run(
        ["strace", "-f", "-qq", "-e", "trace=execve,openat,open,connect", "-o", str(trace), sys.executable,
            "-m", "dni_deploy.cli", *words],
        capture_output=True, text=True, errors="replace", timeout=300, cwd=place.inputs,
        env=os.environ | {"TMPDIR": str(place.temporary), "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
    )  # fmt: skip
    result, detail = _judge(run, trace.read_text(errors="replace"), place)
    return Outcome("outside", case.family, case.name, f"dni {command[0]}", result, detail)


def _judge(run: "subprocess.CompletedProcess[str]", trace: str, place: Place) -> tuple[str, str]:
    executed = 0
    for line in trace.splitlines():
        call = _CALL.match(line)
        if not call or "= -1" in line:
            continue
        executed += call[1] == "execve" and _HARMLESS not in line
        if executed > 1:
            return EXECUTED, line[:200]
        if call[1] == "connect" and "AF_UNIX" not in line:
            return EXECUTED, line[:200]
        if call[1].startswith("open") and any(f'"{bait}"' in line for bait in map(str, place.baits)):
            return READ, line[:200]
    if place.executed.exists():
        return EXECUTED, "the payload ran"
    if any(SECRET.encode() in path.read_bytes() for path in place.outputs.rglob("*") if path.is_file()):
        return READ, "what must not be read is in a result"
    if "Traceback" in run.stderr:
        return TRACEBACK, run.stderr.splitlines()[-1]
    if run.returncode == 0:
        return RIGHT, ""
    errors = [line for line in run.stderr.splitlines() if line.startswith(("Error: ", "failed: "))]
    return (REFUSED, errors[0]) if run.returncode == 1 and len(errors) == 1 else (SENTENCE, run.stderr[-200:])
