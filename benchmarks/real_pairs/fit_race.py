"""What learns a curve's middle fastest: one loop, of which one thing at a time is another.

  python benchmarks/real_pairs/fit_race.py FOLDER     after fit.py FOLDER, whose files it takes; what was raced already
                                                      is kept in FOLDER, so that a later run goes on

All learn for about as long as the first of a pair, on one thread. Writes benchmarks/results/real_pairs_fit_race.json,
which the page of fit.py shows.
"""

import json
import math
import time
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any
from unittest import mock

import click
import numpy as np
import torch
from fit_cases import CASES, Case
from fit_photographs import write_photographs
from fit_race_optimizers import OPTIMIZERS, parts
from measure import rounded
from safetensors.torch import load_file
from torch import Tensor

from dni_exporters.fitting import crops
from dni_exporters.fitting.job import DEGRADE
from dni_exporters.fitting.judge import Judge
from dni_exporters.fitting.points import Task, VectorNetwork
from dni_exporters.verdict.degrade import parse_degradations
from dni_exporters.verdict.photographs import built_in, network_input, read_photographs
from dni_exporters.verdict.verdict import worst

RESULTS = Path(__file__).resolve().parents[1] / "results"
POOL = 32
SIDE_PX = 96


@dataclass(frozen=True, slots=True)
class Variant:
    """rate: at the beginning, after a warm-up; it falls with a cosine.

    optimizer:     one of OPTIMIZERS.
    crops, side_px: a step's images.
    plain:         photographs as they are, neither shrunk nor in other colours.
    loss:          "L1", "L2" or "root": L1, and the root of the mean square of each picture.
    alphas:        "mirrored" (t, then 1 - t), "even" or "quarters" (.25, .5 and .75 alone).
    average:       of the learnt points over the last steps, by this factor a step; none at 0.
    warm:          begin as far from the straight line as the middle lies that was fitted for the pair's sibling.
    """

    rate: float = 1e-3
    optimizer: str = "Adam"
    crops: int = 3
    side_px: int = 56
    steps: int = 70
    plain: bool = False
    loss: str = "L1"
    alphas: str = "mirrored"
    middles: int = 1
    average: float = 0.0
    warm: bool = False


# Pairs that share B, and were fitted already.
SIBLINGS = {
    "waifu2x photo noise3, scale": "waifu2x photo noise2, scale",
    "Real-CUGAN 2x denoise1x, denoise3x": "Real-CUGAN 2x denoise2x, denoise3x",
}
FIRST = Variant()
VARIANTS = {
    "waifu2x photo noise3, scale": [
        replace(variant, steps=40)
        for variant in (
            FIRST,
            Variant(plain=True),
            Variant(rate=3e-4),
            Variant(rate=5e-4),
            Variant(rate=3e-3),
            Variant(crops=1, side_px=128),
            Variant(crops=6, side_px=32),
            Variant(optimizer="Muon", rate=3e-4),
            Variant(optimizer="Adam, rate by tensor", rate=1e-2),
            Variant(loss="L2"),
            Variant(middles=2),
            Variant(alphas="even"),
            Variant(optimizer="SGD", rate=1.0),
            Variant(loss="root"),
            Variant(average=0.9),
            Variant(alphas="quarters"),
            Variant(warm=True),
        )
    ],
    "Real-CUGAN 2x denoise1x, denoise3x": [
        FIRST,
        Variant(plain=True),
        Variant(rate=3e-4),
        Variant(rate=5e-4),
        Variant(crops=1, side_px=128),
        Variant(crops=6, side_px=32),
        Variant(middles=2),
        Variant(warm=True),
    ],
}


def learn(variant: Variant, task: Task, beside: Tensor | float, batches: list[tuple[Tensor, Tensor, Tensor]]) -> Tensor:
    """The learnt points after all steps. `beside`: where they begin, from the straight line."""
    learnt = task.learnt + beside
    step = OPTIMIZERS[variant.optimizer](learnt, parts(task.network))
    average, alphas = learnt.clone(), _alphas(variant.alphas)
    for number in range(variant.steps):
        done, alpha = number / variant.steps, next(alphas)
        images, a, b = batches[number % len(batches)]
        shares = task.put(alpha, learnt)
        task.network.gradient.zero_()
        _distance(variant.loss, task.network.network(images), a * alpha + b * (1 - alpha)).backward()  # type: ignore[no-untyped-call]
        slope = torch.stack([task.network.gradient * share for share in shares])
        step(slope, variant.rate * min(1.0, (number + 1) / 5) * 0.5 * (1 + math.cos(math.pi * done)))
        average.lerp_(learnt, 1 - min(variant.average, (number + 1) / (number + 10)))
    return average if variant.average else learnt


def _distance(loss: str, pictures: Tensor, wanted: Tensor) -> Tensor:
    gap = pictures - wanted
    if loss == "L2":
        return gap.square().mean()
    root = gap.square().mean(dim=(1, 2, 3)).sqrt().mean() if loss == "root" else 0.0
    return gap.abs().mean() + root


def _alphas(kind: str) -> Iterator[float]:
    rng = np.random.default_rng(2)
    while True:
        alpha = float(rng.choice((0.25, 0.5, 0.75)) if kind == "quarters" else rng.uniform(0.05, 0.95))
        yield alpha
        if kind == "mirrored":
            yield 1 - alpha


def raced(case: Case, variant: Variant, folder: Path) -> dict[str, Any]:
    """The figures of what a variant learnt, the worst of the verdict's photographs."""
    network = case.a[0].network()
    a, b = ({n: held[n] for n in network.state_dict()} for held in (torch.load(f) for f in case.files(folder)))
    task = Task(VectorNetwork(network, (a, b), torch.device("cpu")), a, b, variant.middles)
    judge = Judge(task, [(each.name, network_input(each.window(SIDE_PX, SIDE_PX), 3)) for each in built_in()])
    photographs, how = read_photographs(write_photographs(folder), 48, 1024), parse_degradations(DEGRADE)
    started = time.process_time()
    as_they_are = mock.patch.multiple(crops, _MOST_SHRUNK=1, _MIXED=0, _LIT=0)
    with as_they_are if variant.plain else nullcontext():
        made = [
            torch.from_numpy(crops.batch(photographs, n, variant.crops, variant.side_px, 3, how, 0))
            for n in range(min(POOL, variant.steps))
        ]
    beside = _beside_the_line(SIBLINGS[case.pair], task.network, folder) if variant.warm else 0.0
    learnt = learn(variant, task, beside, [(images, *task.ends(images)) for images in made])
    seconds = time.process_time() - started
    each = judge.look(lambda alpha: task.put(alpha, learnt))
    figures = [asdict(one) for one in worst(each)]
    mean_db = float(np.mean([one.to_mix_db for one in each]))
    return {"pair": case.pair, **asdict(variant), "cpu_seconds": seconds, "mean_db": mean_db, "figures": figures}


def _beside_the_line(pair: str, network: VectorNetwork, folder: Path) -> Tensor:
    """How far from the straight line the middle lies that fit.py fitted for `pair`."""
    case = next(case for case in CASES if case.name == pair)
    a, b = (network.vector(torch.load(file)) for file in case.files(folder))
    return network.vector(load_file(folder / f"{case.stem}.safetensors")) - (a + b) / 2


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--output", default=RESULTS, type=click.Path(path_type=Path), show_default="benchmarks/results")
def main(folder: Path, output: Path) -> None:
    """Race what FOLDER has no result of."""
    torch.set_num_threads(1)
    kept = folder / "race.json"
    rows = json.loads(kept.read_text()) if kept.exists() else []
    there = [
        {"pair": row["pair"], **{key: row.get(key, first) for key, first in asdict(FIRST).items()}} for row in rows
    ]
    pairs: dict[str, Case] = {case.pair: case for case in CASES}
    for pair, variants in VARIANTS.items():
        for variant in variants:
            if {"pair": pair, **asdict(variant)} not in there:
                rows.append(rounded(raced(pairs[pair], variant, folder)))
                click.echo(json.dumps({key: value for key, value in rows[-1].items() if key != "figures"}), err=True)
                kept.write_text(json.dumps(rows, indent=1) + "\n")
    (output / "real_pairs_fit_race.json").write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
