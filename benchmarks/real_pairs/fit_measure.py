"""One pair that does not blend, fitted: its figures before and after, on photographs that nothing was learnt from."""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from measure import rounded
from numpy.typing import NDArray
from published import FAMILIES, PAIRS, Family, checkpoint
from seen import FAILS, SEEN, TINT

import dni_deploy
import dni_runtime
from dni_exporters.verdict import words
from dni_exporters.verdict.beside import figures_of, shown
from dni_exporters.verdict.photographs import built_in, network_input
from dni_exporters.verdict.verdict import Figures, worst

Record = dict[str, Any]
Picture = NDArray[np.float32]

BETWEEN = (0.75, 0.5, 0.25)
SIDE_PX = 96
# How many steps each family learns, on one thread.
STEPS = {"waifu2x photo": 200, "waifu2x cunet": 250, "Real-CUGAN 2x": 450, "Real-CUGAN pro 2x": 900}


@dataclass(frozen=True, slots=True)
class Case:
    """Two networks of one architecture; `a` is what alpha 1 is. kind: of seen.py, or APART."""

    name: str
    a: tuple[Family, str]
    b: tuple[Family, str]
    kind: str
    steps: int

    def files(self, folder: Path) -> tuple[Path, Path]:
        return checkpoint(folder, *self.a), checkpoint(folder, *self.b)

    @property
    def stem(self) -> str:
        return self.name.replace(", ", "-").replace(" ", "-")


APART = "trained apart"
PRO = "Real-CUGAN pro 2x"
_FAMILY = {family.name: family for family in FAMILIES}


def cases() -> list[Case]:
    """What does not blend, the cheap ones first; then what blends with a tint, then the open problems."""
    made = [
        Case(pair.name, (pair.family, pair.a), (pair.family, pair.b), SEEN[pair.name].expected, STEPS[family])
        for family in STEPS
        for pair in PAIRS
        if pair.family.name == family and SEEN[pair.name].expected in (FAILS, TINT)
    ]
    made.append(
        Case(
            "waifu2x cunet noise1, Real-CUGAN 2x conservative",
            (_FAMILY["waifu2x cunet"], "noise1"),
            (_FAMILY["Real-CUGAN 2x"], "conservative"),
            APART,
            STEPS[PRO],
        )
    )
    return sorted(made, key=lambda case: (case.name.startswith(PRO), (FAILS, TINT, APART).index(case.kind)))


def fitted(case: Case, folder: Path, photographs: Path, tell: Callable[[str], None]) -> tuple[Record, list[Picture]]:
    """Fit, export and run it; its record, and the pictures of `STRIP` for the photograph with the worst tint before."""
    files, arch = case.files(folder), case.a[0].arch
    middle = folder / f"{case.stem}.safetensors"
    started, worked = time.perf_counter(), time.process_time()
    report = dni_deploy.fit(
        files,
        middle,
        photos=photographs,
        arch=arch,
        steps=case.steps,
        threads=1,
        anyway=True,
        force=True,
        progress=tell,
    )
    taken = {"seconds": time.perf_counter() - started, "cpu_seconds": time.process_time() - worked}
    model = middle.with_suffix(".onnx")
    curve: Record = {"through": [middle], "curve": True, "arch": arch}
    dni_deploy.export(files, model, alpha_input=True, verdict=False, force=True, **curve)
    before, after, strips = _figures(case, files, model)
    at_worst = max(before, key=lambda each: each.colour_shift).photograph
    record = {
        "pair": case.name,
        "kind": case.kind,
        "steps": report.steps,
        "stopped": report.stopped,
        "parameters": report.parameters,
        **taken,
        "ends_exact": all(_is_end(files, number, curve) for number in (0, 1)),
        "before": _outcome(before),
        "after": _outcome(after),
        "held_out_crops": report.after.text,
        "shown": at_worst,
    }
    record = rounded(record)
    record["holds"] = holds(record)
    return record, strips[at_worst]


STRIP = ("A", "0.5 before", "0.75 fitted", "0.5 fitted", "0.25 fitted", "B", "A and B mixed, for 0.5")


def _figures(case: Case, files: tuple[Path, Path], model: Path) -> tuple[list[Figures], list[Figures], dict[str, Any]]:
    """Of the straight line as PyTorch runs it, and of the curve as the runtime runs the exported file."""
    before: list[Figures] = []
    after: list[Figures] = []
    strips = {}
    straight = _straight(case, files)
    with dni_runtime.load(model, threads=1) as curve:
        for photograph in built_in():
            image = network_input(photograph.window(SIDE_PX, SIDE_PX), 3)
            a, b = (shown(_upright(curve(image, alpha))) for alpha in (1.0, 0.0))
            was = {alpha: straight(alpha, image) for alpha in BETWEEN}
            now = {alpha: _upright(curve(image, alpha)) for alpha in BETWEEN}
            for figures, raws in ((before, was), (after, now)):
                for alpha, raw in raws.items():
                    figures.append(figures_of(raw, (a, b), (alpha, 1 - alpha), (alpha,), photograph.name))
            pictures = [a, shown(was[0.5]), *(shown(now[alpha]) for alpha in BETWEEN), b, (a + b) / 2]
            strips[photograph.name] = pictures
    return before, after, strips


def _straight(case: Case, files: tuple[Path, Path]) -> Callable[[float, Picture], Picture]:
    network = case.a[0].network()
    a, b = (torch.load(file, weights_only=True) for file in files)

    def run(alpha: float, image: Picture) -> Picture:
        weights = {name: alpha * a[name] + (1 - alpha) * b[name] for name, _ in network.named_parameters()}
        network.load_state_dict(weights, strict=False)
        with torch.inference_mode():
            return _upright(network(torch.from_numpy(image)).numpy())

    return run


def _upright(images: NDArray[Any]) -> Picture:
    return np.ascontiguousarray(images[0].transpose(1, 2, 0))


def _is_end(files: tuple[Path, Path], number: int, curve: Record) -> bool:
    """Whether the curve's end is the endpoint, bit for bit."""
    end = torch.load(files[number], weights_only=True)
    theta = dni_deploy.blend(files, 1.0 - number, **curve)
    return all(theta[name].equal(end[name]) for name in theta if isinstance(end[name], torch.Tensor))


def _outcome(each: list[Figures]) -> Record:
    """The worst at every alpha, and what the verdict says of it."""
    figures = worst(each)
    text, blends = words.sentence(figures, f"on {len(each) // len(BETWEEN)} photographs")
    return {
        "text": text,
        "blends": blends,
        "figures": [asdict(one) for one in figures],
        "mean_db": float(np.mean([one.to_mix_db for one in each])),
    }


def limits(outcome: Record) -> tuple[float, float, float, float]:
    """The least PSNR to the mix, the largest colour shift, and the contrast and the detail furthest from 1."""
    found = outcome["figures"]
    contrast, detail = (max((one[key] for one in found), key=lambda v: max(v, 1 / v)) for key in ("contrast", "detail"))
    return min(one["to_mix_db"] for one in found), max(one["colour_shift"] for one in found), contrast, detail


def holds(record: Record) -> bool:
    """Whether nobody could tell the blends from the mix: what a fit is for."""
    db, shift, contrast, detail = limits(record["after"])
    near = abs(contrast - 1) <= 0.03 and abs(detail - 1) <= 0.1
    return bool(record["ends_exact"] and db >= 33 and shift <= 1 and near)
