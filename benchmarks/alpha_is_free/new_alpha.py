"""Where the time of a call with a new alpha goes, beside the least that memory allows.

    python benchmarks/alpha_is_free/new_alpha.py      seven minutes on two cores, nothing else running

writes benchmarks/results/new_alpha.json and .md.
"""

import json
import random
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import click
import numpy as np
import onnxruntime
from four_networks import NETWORKS, write_files

import dni_runtime
from dni_deploy.bench.approaches.lineup import BAKED, line_up
from dni_deploy.bench.measuring.blending import COPIED, copy_s_per_byte, time_blends
from dni_deploy.bench.measuring.hardware import hardware
from dni_deploy.bench.measuring.race import Effort, race
from dni_deploy.bench.measuring.runner import SPIN_S
from dni_deploy.bench.measuring.spread import values_of
from dni_deploy.bench.table import machine
from dni_runtime.prepared.laid_out import LaidOut

RESULTS = Path(__file__).resolve().parents[1] / "results"
THREADS = (2, 1)
ROUNDS = 200
# The operator whose constant weights ONNX Runtime packs when a session is made; ours are inputs.
PACKED = "ConvTranspose"
PROFILED_CALLS = 20

METHOD = f"""
A call with a new alpha blends the weights, then runs the network with weights that it has not read yet.
`more` is what it takes beyond a call with a held alpha of the same round (median, quartiles); `blend` is the
part of `more` in which weights are blended. The least that blending can take is to read all endpoints and to
write the result at the speed of memory, which is measured beside it by copying {COPIED * 4 // 2**20} MiB on
one thread. The rest of `more` is the network waiting for weights that lie in the other core's cache or in
none. `{PACKED}`: milliseconds in these operators, ours (which gets its weights as inputs) and the baked
file's (which packs them once), from ONNX Runtime's own profile. Calls come in random order, each after a
pause of {SPIN_S * 1e3:.0f} ms and another call of its kind; {ROUNDS} rounds; milliseconds.
"""


@dataclass(frozen=True, slots=True)
class Profile:
    """Milliseconds; see METHOD."""

    network: str
    size: int
    threads: int
    baked: float
    held: float
    new: float
    more: tuple[float, float, float]
    blend: float
    least: float
    packed: tuple[float, float]


def profile(name: str, model: Path, threads: int, rounds: int) -> Profile:
    """Time a network on its first size, once the results were found equal."""
    size = NETWORKS[name].sizes[0]
    x = np.random.default_rng(0).random((1, 3, size, size), np.float32)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        lineup = line_up(model, folder, None, "cpu")
        file = lineup.approach(BAKED).files[0]
        baked = _session(file.read_bytes(), threads)
        with dni_runtime.load(model, "cpu", threads=threads) as ours:
            runner = ours._runner
            assert isinstance(runner, LaidOut), ours.alpha_note
            (expected,) = baked.run(None, {"input": x})
            np.testing.assert_allclose(ours(x, lineup.alpha), expected, rtol=0, atol=1e-5 * max(1, abs(expected).max()))
            blends = time_blends(runner)
            draw = random.Random(0)
            calls: dict[str, Callable[[], Any]] = {
                "baked": lambda: baked.run(None, {"input": x}),
                "held": lambda: ours(x, lineup.alpha),
                "new": lambda: ours(x, draw.random()),
            }
            entries = {key: (lambda call=call: timed(call)) for key, call in calls.items()}
            taken = race(entries, list(entries), Effort(1e6, rounds=rounds), random.Random(1))
            prepared = runner._blending._prepared
            moved = prepared.endpoints.nbytes + 4 * prepared.total
            with runner._sets.use(lineup.alpha, runner._blend) as weights:
                given = {**runner._fixed, **weights.values, **runner._running}
                values = {key: value.numpy() for key, value in given.items()}
                packed = (
                    _in_packed(prepared.body, {runner._body.image: x, **values}, threads, folder / "ours"),
                    _in_packed(file.read_bytes(), {"input": x}, threads, folder / "baked"),
                )
    more = [new - held for held, new in zip(values_of(taken, "held"), values_of(taken, "new"), strict=True)]
    low, middle, high = (value * 1e3 for value in quantiles(more, n=4))
    ms = {key: median(values_of(taken, key)) * 1e3 for key in calls}
    least = moved * copy_s_per_byte() * 1e3
    # Of the two calls of each entry, the second one is timed.
    blend = median(blends[-2 * rounds :][1::2]) * 1e3
    return Profile(name, size, threads, **ms, more=(middle, low, high), blend=blend, least=least, packed=packed)


def timed(call: Callable[[], Any]) -> float:
    time.sleep(SPIN_S)
    call()
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def _in_packed(model: bytes, feed: dict[str, Any], threads: int, prefix: Path) -> float:
    """Milliseconds that a call spends in the operators of PACKED."""
    session = _session(model, threads, str(prefix))
    for _ in range(PROFILED_CALLS):
        session.run(None, feed)
    events = json.loads(Path(session.end_profiling()).read_text())
    durations = [event["dur"] for event in events if event.get("args", {}).get("op_name") == PACKED]
    return sum(durations) / PROFILED_CALLS / 1e3


def _session(model: bytes, threads: int, profile_prefix: str | None = None) -> Any:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = threads
    if profile_prefix is not None:
        options.enable_profiling = True
        options.profile_file_prefix = profile_prefix
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def page(profiles: list[Profile]) -> str:
    """Markdown."""
    columns = [
        "network",
        "threads",
        "baked",
        "held",
        "new",
        "more",
        "blend",
        "least",
        f"{PACKED}: ours",
        "baked file's",
    ]
    lines = ["# What a new alpha costs", "", machine(hardware()), METHOD, "| " + " | ".join(columns) + " |"]
    lines.append("|---" + "|---:" * (len(columns) - 1) + "|")
    for p in profiles:
        more = f"{p.more[0]:.2f} ({p.more[1]:.2f}..{p.more[2]:.2f})"
        times = [f"{p.baked:.2f}", f"{p.held:.2f}", f"{p.new:.2f}", more, f"{p.blend:.2f}", f"{p.least:.2f}"]
        cells = [f"{p.network} {p.size} x {p.size}", str(p.threads), *times, *(f"{ms:.2f}" for ms in p.packed)]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


@click.command()
@click.option("--rounds", default=ROUNDS, show_default=True, type=click.IntRange(min=1))
@click.option("-o", "--output", type=click.Path(path_type=Path), default=RESULTS, help="The folder to write to.")
def main(rounds: int, output: Path) -> None:
    """Profile the three small networks; RRDBNet-23 takes minutes, and a new alpha is lost in its noise."""
    output.mkdir(parents=True, exist_ok=True)
    profiles = []
    with tempfile.TemporaryDirectory() as folder:
        for name in ("Compact", "DnCNN", "U-Net"):
            model = write_files(NETWORKS[name].build, Path(folder, name)).model
            profiles += [profile(name, model, threads, rounds) for threads in THREADS]
    (output / "new_alpha.json").write_text(json.dumps([asdict(p) for p in profiles]))
    (output / "new_alpha.md").write_text(page(profiles))
    click.echo(page(profiles))


if __name__ == "__main__":
    main()
