"""What is measured of the published networks: their conversion, and the project's verdict on every pair."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ncnn_files import learnt_layers
from ncnn_judge import PADDING_PX, TOLERANCE, Floats, ncnn_output
from pictures import pictures
from published import FAMILIES, HELD_OUT, PAIRS, Family, Pair, ncnn_texts, state_dict
from seen import BLENDS, FAILS, SEEN, TINT

import dni_exporters
import dni_runtime
from dni_exporters.verdict.verdict import Figures
from dni_exporters.verdict.words import sentence

Record = dict[str, Any]

# Beyond these nothing is measured, and files stay small.
DIGITS = 4


def converted(wheels: list[Path]) -> Iterator[Record]:
    """Every network beside ncnn running the published file; ValueError where they differ by more than TOLERANCE."""
    image = next(iter(pictures().values())).transpose(2, 0, 1)
    for family, name, param, binary in ncnn_texts(wheels):
        network = family.network()
        layers = learnt_layers(param, binary)
        network.load_state_dict(state_dict(layers, network), strict=False)
        with torch.inference_mode():
            ours = network(torch.from_numpy(image.copy())[None])[0].numpy()
        yield {
            "network": f"{family.name} {name}",
            "parameters": sum(layer.weight.size + layer.bias.size for layer in layers),
            "largest_difference": _beside_ncnn(family, name, param, binary, image, ours),
        }


def exported(wheels: list[Path], folder: Path) -> Iterator[Record]:
    """One pair of every family as an alpha-input file, run at 1 and 0, beside ncnn."""
    image = next(iter(pictures().values())).transpose(2, 0, 1)
    published = {(family.name, name): (param, binary) for family, name, param, binary in ncnn_texts(wheels)}
    for family in FAMILIES:
        pair = next(pair for pair in PAIRS + HELD_OUT if pair.family is family)
        file = folder / "pair.onnx"
        dni_exporters.export(pair.files(folder), file, alpha_input=True, arch=family.arch, verdict=False, force=True)
        largest = 0.0
        with dni_runtime.load(file) as model:
            for name, alpha in ((pair.a, 1.0), (pair.b, 0.0)):
                ours = model(image[None], alpha)[0]
                largest = max(largest, _beside_ncnn(family, name, *published[family.name, name], image, ours))
        yield {"pair": pair.name, "largest_difference": largest}


def _beside_ncnn(family: Family, name: str, param: str, binary: bytes, image: Floats, ours: Floats) -> float:
    theirs = ncnn_output(param, binary, image, padding=PADDING_PX[family.name], pro="pro" in family.values)
    largest = float(np.abs(theirs - ours).max()) if theirs.shape == ours.shape else float("inf")
    if not largest <= TOLERANCE:
        raise ValueError(f"{family.name} {name} is {largest:.1e} from ncnn (shapes {ours.shape}, {theirs.shape})")
    return largest


def judged(pair: Pair, folder: Path) -> Record:
    """The verdict as the library gives it, and what it took."""
    started, worked = time.perf_counter(), time.process_time()
    report = dni_exporters.inspect_endpoints(*pair.files(folder), arch=pair.family.arch).to_dict()
    taken = {"seconds": time.perf_counter() - started, "cpu_seconds": time.process_time() - worked}
    return {"pair": pair.name, "cosine": report["lineage"]["overall_cosine"], "verdict": report["verdict"]} | taken


def commanded(pair: Pair, folder: Path) -> Record:
    """The same from the command line, in a process of its own."""
    command = [sys.executable, "-m", "dni_deploy.cli", "inspect", *map(str, pair.files(folder)), "--json"]
    started = time.perf_counter()
    done = subprocess.run([*command, "--arch", pair.family.arch], check=True, capture_output=True, text=True)
    seconds = time.perf_counter() - started
    return {"pair": pair.name, "text": json.loads(done.stdout)["verdict"]["text"], "seconds": seconds}


def kind(verdict: Record) -> str:
    """A verdict in the words of seen.py."""
    if verdict["blends"] is None:
        raise ValueError(f"not judged: {verdict['text']}")
    return FAILS if not verdict["blends"] else BLENDS if verdict["text"].startswith("blends:") else TINT


def disagreements(rows: list[Record]) -> list[str]:
    """Pairs of which the verdict does not say what one sees."""
    return [
        f"{row['pair']}: it {SEEN[row['pair']].expected} to the eye ({SEEN[row['pair']].words}), and by the verdict "
        + row["verdict"]["text"]
        for row in rows
        if kind(row["verdict"]) != SEEN[row["pair"]].expected
    ]


def misjudged_by(photograph: str, rows: list[Record]) -> int:
    """Of how many pairs this photograph alone would not tell what one sees."""
    alone = []
    for row in rows:
        own = [figures(each) for each in row["verdict"]["each"] if each["photograph"] == photograph]
        text, blends = sentence(own, "on one")
        alone.append(row | {"verdict": {"text": text, "blends": blends}})
    return len(disagreements(alone))


def figures(each: Record) -> Figures:
    """As they were before they became JSON."""
    return Figures(**each | {"alpha": tuple(each["alpha"])})


def family_of(pair: str) -> str:
    return pair.rpartition(",")[0].rpartition(" ")[0]


def rounded(value: Any) -> Any:
    """The same structure with every float cut to DIGITS."""
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}")
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    return [rounded(item) for item in value] if isinstance(value, list | tuple) else value
