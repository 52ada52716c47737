"""What a curve, a path and a knob cost beside two endpoints on a straight line and one alpha, held and moving.

    python benchmarks/alpha_is_free/curves.py      a quarter of an hour on two cores, nothing else running

writes benchmarks/results/curves.json and .md.
"""

import json
import random
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

import click
import numpy as np
import onnxruntime
import torch
from four_networks import NETWORKS, related, write_files
from new_alpha import time_blends, timed

import dni_deploy
import dni_runtime
from dni_deploy.bench.measuring.hardware import hardware
from dni_deploy.bench.measuring.race import Effort, race
from dni_deploy.bench.measuring.spread import Spread, paired_ratios, spread, values_of
from dni_deploy.bench.table import machine
from dni_runtime.prepared.laid_out import LaidOut

RESULTS = Path(__file__).resolve().parents[1] / "results"
ROUNDS = 90
THREADS = 2
HELD, NEW = "held", "new"
TWO, CONTROL, QUADRATIC, CUBIC, PATH, KNOB = (
    "two endpoints",
    "the same again",
    "quadratic curve",
    "cubic curve",
    "path of five",
    "a knob for half",
)
BOUND = 1.01

METHOD = f"""
How many times as long a call takes as that of a model of two endpoints on a straight line, in the same round, with the
alpha of the call before (held) and with a new one: medians of paired ratios, quartiles in brackets. `{CONTROL}` is the
two-endpoint model loaded a second time: what it is beside 1 is the machine's. `blend` is the time in which weights are
blended at a new alpha, the lower quartile. Calls come in random order, each after a pause and another call of its kind;
{ROUNDS} rounds, {THREADS} threads. A curve reads three or four sets of weights where a line reads two, a path of any
number of checkpoints two, a model with knobs two.
"""


@dataclass(frozen=True, slots=True)
class Cost:
    """held, new: ratios to the two-endpoint model; held_ms, new_ms, blend_ms: of a call and of its blend."""

    network: str
    size: int
    kind: str
    held_ms: float
    new_ms: float
    blend_ms: float
    held: Spread
    new: Spread


def export_all(name: str, folder: Path) -> dict[str, Path]:
    """The models of a network, verified against PyTorch."""
    files = write_files(NETWORKS[name].build, folder)
    network = NETWORKS[name].build().eval()
    a, b = (torch.load(path, weights_only=True) for path in (files.a, files.b))
    others = [{key: related(key, tensor) for key, tensor in a.items()} for _ in range(3)]
    kernels = [key for key, tensor in a.items() if tensor.dim() > 1]
    ways: dict[str, tuple[list[Any], dict[str, Any]]] = {
        QUADRATIC: ([a, b], {"through": others[:1], "curve": True}),
        CUBIC: ([a, b], {"through": others[:2], "curve": True}),
        PATH: ([a, *others, b], {"path": True}),
        KNOB: ([a, b], {"knobs": {"late": kernels[len(kernels) // 2 :]}}),
    }
    models = {TWO: files.model, CONTROL: files.model}
    for kind, (endpoints, keywords) in ways.items():
        models[kind] = folder / f"{kind}.onnx"
        dni_deploy.export(endpoints, models[kind], alpha_input=True, arch=network, verdict=False, **keywords)
    return models


def measure(name: str, models: dict[str, Path], size: int, rounds: int) -> list[Cost]:
    """Time a network's models on one size, once each was found to compute what its file does."""
    x = np.random.default_rng(0).random((1, 3, size, size), np.float32)
    draw = random.Random(0)
    calls: dict[str, Callable[[], Any]] = {}
    blends = {}
    with ExitStack() as stack:
        for kind, path in models.items():
            model = stack.enter_context(dni_runtime.load(path, "cpu", threads=THREADS))
            assert isinstance(model._runner, LaidOut), model.alpha_note
            plain = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
            alphas = {i.name: np.array([0.3], np.float32) for i in plain.get_inputs() if i.name != "input"}
            (expected,) = plain.run(None, {"input": x, **alphas})
            np.testing.assert_allclose(model(x, 0.3), expected, rtol=0, atol=1e-5 * max(1, abs(expected).max()))
            blends[kind] = time_blends(model._runner)
            calls[f"{kind} {HELD}"] = lambda model=model: model(x, 0.3)
            count = len(alphas)
            calls[f"{kind} {NEW}"] = lambda model=model, count=count: model(x, [draw.random() for _ in range(count)])
        entries = {key: (lambda call=call: timed(call)) for key, call in calls.items()}
        taken = race(entries, list(entries), Effort(1e6, rounds=rounds), random.Random(1))
    costs = []
    for kind in models:
        times = {when: median(values_of(taken, f"{kind} {when}")) * 1e3 for when in (HELD, NEW)}
        ratios = {when: spread(paired_ratios(taken, f"{kind} {when}", f"{TWO} {when}")) for when in (HELD, NEW)}
        held, new = ratios[HELD], ratios[NEW]
        assert held is not None and new is not None
        blend = float(np.percentile(blends[kind][2:], 25)) * 1e3
        costs.append(Cost(name, size, kind, times[HELD], times[NEW], blend, held, new))
    return costs


def page(costs: list[Cost]) -> str:
    """Markdown: what misses the bound first."""
    missed = [c for c in costs if c.kind not in (TWO, CONTROL) and max(c.held.median, c.new.median) > BOUND]
    said = [
        f"- {c.network} {c.size} x {c.size}, {c.kind}: held {c.held.median:.3f}, new {c.new.median:.3f}" for c in missed
    ]
    lines = ["# What curves, paths and knobs cost", "", machine(hardware()), METHOD]
    lines += [f"More than {BOUND} times:", "", *said, ""] if said else [f"None takes more than {BOUND} times.", ""]
    columns = ["network", "model", "held", "new", "held, ms", "new, ms", "blend, ms"]
    lines += ["| " + " | ".join(columns) + " |", "|---|---" + "|---:" * (len(columns) - 2) + "|"]
    for c in costs:
        ratios = [f"{each.median:.3f} ({each.low:.3f}..{each.high:.3f})" for each in (c.held, c.new)]
        cells = [f"{c.network} {c.size} x {c.size}", c.kind, *ratios]
        cells += [f"{c.held_ms:.2f}", f"{c.new_ms:.2f}", f"{c.blend_ms:.2f}"]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


@click.command()
@click.option("--network", "networks", multiple=True, type=click.Choice(["Compact", "DnCNN", "U-Net"]))
@click.option("--rounds", default=ROUNDS, show_default=True, type=click.IntRange(min=1))
@click.option("-o", "--output", type=click.Path(path_type=Path), default=RESULTS, help="The folder to write to.")
def main(networks: tuple[str, ...], rounds: int, output: Path) -> None:
    """Measure the three small networks on both of their sizes; with RRDBNet-23 a new alpha is lost in its noise."""
    output.mkdir(parents=True, exist_ok=True)
    costs: list[Cost] = []
    with tempfile.TemporaryDirectory() as folder:
        for name in networks or ("Compact", "DnCNN", "U-Net"):
            models = export_all(name, Path(folder, name))
            for size in NETWORKS[name].sizes:
                costs += measure(name, models, size, rounds)
    (output / "curves.json").write_text(json.dumps([asdict(cost) for cost in costs]))
    (output / "curves.md").write_text(page(costs))
    click.echo(page(costs))


if __name__ == "__main__":
    main()
