"""kill -9 at a random moment, and the same command once more: nothing half-written has a name, nothing is left."""

import hashlib
import multiprocessing
import os
import random
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import networks
import numpy as np
from outcome import RIGHT, TRACEBACK, WRITTEN, WRONG, Outcome
from worker import import_all

# What a command leaves is removed once it is old; nobody waits for that here.
_OLD_S = 7200
_SHARES = {"blend": 0.2, "run": 0.25, "ship triton": 0.25, "load": 0.2, "export": 0.1}
# So large that writing takes a while.
_FEATURES = 384
_NETWORK = """
from torch import nn


def net():
    return nn.Sequential(nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 3, 3, padding=1))
"""


def try_kills(folder: Path, seed: int, count: int) -> list[Outcome]:
    """About `count` kills, the commands in turn."""
    folder.mkdir(parents=True)
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), import_all, (("model", "checkpoint"),)) as pool:
        pool.submit(_in_a_fork, _write_inputs, folder, folder).result()
        found: list[Outcome] = []
        for command, share in _SHARES.items():
            found += pool.submit(_kill_all, command, folder, seed, max(2, round(share * count))).result()
    return found


def _kill_all(command: str, folder: Path, seed: int, count: int) -> list[Outcome]:
    rng = random.Random(f"{seed}/{command}")
    wanted = folder / "wanted"
    duration_s = _timed(command, folder, wanted)
    digests = _digests(wanted / "out")
    return [outcome for number in range(count) for outcome in
            _kill(command, folder, rng.uniform(0, 1.05 * duration_s), number, digests)]  # fmt: skip


def _timed(command: str, folder: Path, target: Path) -> float:
    _fresh(target)
    started = time.monotonic()
    code = _in_a_fork(_COMMANDS[command], folder, target)
    if code != 0:
        raise RuntimeError(f"{command} fails by itself, see {target / 'said'}: {(target / 'said').read_text()}")
    return time.monotonic() - started


def _kill(command: str, folder: Path, after_s: float, number: int, wanted: dict[str, str]) -> Iterator[Outcome]:
    target, name = folder / "killed", f"{command} {number}, after {after_s:.3f} s"
    _fresh(target)
    child = _fork(_COMMANDS[command], folder, target)
    time.sleep(after_s)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    half = [
        file for file, digest in _digests(target / "out").items() if wanted.get(file) != digest and not _hidden(file)
    ]
    result, detail = (WRONG, f"{half[0]} is there and not whole") if half else (RIGHT, "")
    yield Outcome("kill", command, name, "killed", result, detail)
    left = sorted(file for at in ("out", "cache") for file in _digests(target / at) if _hidden(file))
    _age(target)
    code = _in_a_fork(_COMMANDS[command], folder, target)
    there = _digests(target / "out")
    still = [file for at in ("out", "cache") for file in _digests(target / at) if _hidden(file)]
    if code != 0:
        result, detail = TRACEBACK, f"exit code {code}: {(target / 'said').read_text()[-200:]}"
    elif there != wanted and not still:
        result, detail = WRONG, f"not what comes out otherwise: {sorted(set(there.items()) ^ set(wanted.items()))[:2]}"
    elif still:
        result, detail = WRITTEN, f"{still[0]} is left for good"
    else:
        result, detail = RIGHT, f"{left[0]} was removed" if left else ""
    yield Outcome("kill", command, name, "the next run", result, detail)


def _hidden(file: str) -> bool:
    return any(part.startswith(".") for part in file.split("/"))


def _digests(folder: Path) -> dict[str, str]:
    return {
        str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.rglob("*") if p.is_file()
    }


def _age(folder: Path) -> None:
    then = time.time() - _OLD_S
    for path in (folder, *folder.rglob("*")):
        os.utime(path, (then, then), follow_symlinks=False)


def _fresh(target: Path) -> None:
    shutil.rmtree(target, ignore_errors=True)
    for name in ("out", "cache", "tmp"):
        (target / name).mkdir(parents=True)


def _in_a_fork(command: Callable[[Path, Path], int], folder: Path, target: Path) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(_fork(command, folder, target), 0)[1])


def _fork(command: Callable[[Path, Path], int], folder: Path, target: Path) -> int:
    if child := os.fork():
        return child
    code = 99
    try:
        os.setsid()
        said = os.open(target / "said", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(said, 1)
        os.dup2(said, 2)
        os.environ |= {"DNI_CACHE_DIR": str(target / "cache"), "TMPDIR": str(target / "tmp")}
        code = command(folder, target)
    finally:
        os._exit(code)


def _dni(*arguments: object) -> int:
    from dni_deploy.cli import main

    try:
        main.main([str(a) for a in arguments], prog_name="dni")
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


def _write_inputs(folder: Path, _: Path) -> int:
    """Two pairs of checkpoints, one of them large; a model; a few pictures."""
    from PIL import Image
    from safetensors.numpy import save_file

    rng = np.random.default_rng(8)
    for letter in "ab":
        large = {"w": rng.normal(size=(_FEATURES, _FEATURES, 3, 3)).astype(np.float32)}
        save_file(large, folder / f"large_{letter}.safetensors")
        shapes = {"0.weight": (16, 3, 3, 3), "0.bias": (16,), "2.weight": (3, 16, 3, 3), "2.bias": (3,)}
        small = {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
        save_file(small, folder / f"small_{letter}.safetensors")
    (folder / "net.py").write_text(_NETWORK)
    (folder / "model.onnx").write_bytes(networks.alpha_input().SerializeToString())
    (folder / "photos").mkdir()
    for number in range(6):
        Image.fromarray(rng.integers(0, 256, (160, 200, 3), np.uint8)).save(folder / "photos" / f"{number}.png")
    return 0


def _blend(folder: Path, target: Path) -> int:
    return _dni("blend", folder / "large_a.safetensors", folder / "large_b.safetensors", "--alpha", 0.3, "--force",
                "-o", target / "out" / "blend.safetensors")  # fmt: skip


def _run(folder: Path, target: Path) -> int:
    return _dni("run", folder / "model.onnx", folder / "photos", "--alpha", 0.3, "--provider", "cpu", "--threads", 1,
                "--force", "-o", target / "out")  # fmt: skip


def _triton(folder: Path, target: Path) -> int:
    return _dni("ship", "triton", folder / "model.onnx", "--backend", "python", "--force", "-o", target / "out")


def _load(folder: Path, target: Path) -> int:
    """What a load keeps is in the cache."""
    import dni_runtime

    x = np.random.default_rng(1).random((1, 3, 16, 16), np.float32)
    with dni_runtime.load(folder / "model.onnx", "cpu", threads=1) as model:
        y = model(x, 0.3)
    np.save(target / "tmp" / "y.npy", y)
    os.replace(target / "tmp" / "y.npy", target / "out" / "y.npy")
    return 0


def _export(folder: Path, target: Path) -> int:
    return _dni("export", folder / "small_a.safetensors", folder / "small_b.safetensors", "--alpha-input", "--force",
                "--arch", f"{folder / 'net.py'}:net", "-o", target / "out" / "model.onnx")  # fmt: skip


_COMMANDS = {"blend": _blend, "run": _run, "ship triton": _triton, "load": _load, "export": _export}
