"""One pair that does not blend, fitted: its figures before and after, on photographs that nothing was learnt from."""

import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from fit_cases import Case
from measure import rounded
from numpy.typing import NDArray
from safetensors.torch import load_file

import dni_deploy
import dni_runtime
from dni_exporters.verdict import words
from dni_exporters.verdict.beside import figures_of, shown
from dni_exporters.verdict.measures import psnr_db
from dni_exporters.verdict.photographs import built_in, network_input
from dni_exporters.verdict.verdict import Figures, worst

Record = dict[str, Any]
Picture = NDArray[np.float32]
Run = Callable[[float, Picture], Picture]

BETWEEN = (0.75, 0.5, 0.25)
SIDE_PX = 96
STRIP = ("A", "0.5 before", "0.75 fitted", "0.5 fitted", "0.25 fitted", "B", "A and B mixed, for 0.5")


def fitted(case: Case, folder: Path, photographs: Path, tell: Callable[[str], None]) -> tuple[Record, list[Picture]]:
    """Fit, export and run it; its record, and the pictures of STRIP for the photograph with the worst tint before."""
    files, arch = case.files(folder), case.a[0].arch
    learnt = folder / f"{case.stem}.safetensors"
    middles = [learnt] if case.curve == "quadratic" else [learnt.with_stem(f"{learnt.stem}-{n}") for n in (1, 2)]
    resumed = learnt.with_suffix(".state.safetensors").exists()
    settings: Record = {"arch": arch, "steps": case.steps, "threads": 1, "anyway": True, "force": True}
    settings |= {"teach": case.taught, "curve": case.curve, "resume": resumed}
    started, worked = time.perf_counter(), time.process_time()
    report = dni_deploy.fit(files, learnt, photos=photographs, progress=tell, **settings)
    taken = {"seconds": time.perf_counter() - started, "cpu_seconds": time.process_time() - worked}

    model = learnt.with_suffix(".onnx")
    ends: tuple[Path, Path] = (files[0], learnt) if case.taught else files
    curve: Record = {"arch": arch} if case.taught else {"arch": arch, "through": middles, "curve": True}
    # Real-CUGAN pro's no-denoise alone is 1.2e-5 from PyTorch, in float32.
    dni_deploy.export(ends, model, alpha_input=True, verdict=False, force=True, atol=2e-5, **curve)
    with dni_runtime.load(model, threads=1) as loaded:
        before, after, last_to_b, strips = _tried(
            _straight(case, files), lambda alpha, image: _upright(loaded(image, alpha))
        )
    at_worst = max(before, key=lambda each: each.colour_shift).photograph
    record = {
        "pair": case.name,
        "kind": case.kind,
        "taught": case.taught,
        "curve": None if case.taught else case.curve,
        "steps": report.steps,
        "stopped": report.stopped,
        "resumed": resumed,
        "parameters": report.parameters,
        "photographs": len([*photographs.iterdir()]),
        **taken,
        "ends_exact": all(_is_end(ends, number, curve) for number in (0, 1)),
        "last_to_b_db": last_to_b if case.taught else None,
        "before": _outcome(before),
        "after": _outcome(after),
        "held_out_crops": report.after.text,
        "shown": at_worst,
    }
    record = rounded(record)
    return record | {"holds": not missed(record)}, strips[at_worst]


def _tried(straight: Run, fitted: Run) -> tuple[list[Figures], list[Figures], float, dict[str, list[Picture]]]:
    """Figures of the straight line and of what was fitted, how far B's place is from B at most, and the strips."""
    before: list[Figures] = []
    after: list[Figures] = []
    to_b, strips = [], {}
    for photograph in built_in():
        image = network_input(photograph.window(SIDE_PX, SIDE_PX), 3)
        a, b = (shown(straight(alpha, image)) for alpha in (1.0, 0.0))
        was, now = ({alpha: run(alpha, image) for alpha in BETWEEN} for run in (straight, fitted))
        for figures, raws in ((before, was), (after, now)):
            for alpha, raw in raws.items():
                figures.append(figures_of(raw, (a, b), (alpha, 1 - alpha), (alpha,), photograph.name))
        last = shown(fitted(0.0, image))
        to_b.append(psnr_db(last, b))
        strips[photograph.name] = [a, shown(was[0.5]), *(shown(now[alpha]) for alpha in BETWEEN), last, (a + b) / 2]
    return before, after, min(to_b), strips


def _straight(case: Case, files: tuple[Path, Path]) -> Run:
    """The straight line from B to A, as PyTorch runs it."""
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


def _is_end(ends: tuple[Path, Path], number: int, curve: Record) -> bool:
    """Whether the blend at alpha 1 or 0 is the endpoint, bit for bit."""
    file, theta = ends[number], dni_deploy.blend(ends, 1.0 - number, **curve)
    end = load_file(file) if file.suffix == ".safetensors" else torch.load(file, weights_only=True)
    return all(tensor.equal(end[name]) for name, tensor in theta.items() if isinstance(tensor, torch.Tensor))


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


def missed(record: Record) -> list[str]:
    """The bounds that it does not keep; where it keeps all, blends are as good as the mix on the photographs."""
    db, shift, contrast, detail = limits(record["after"])
    bounds = {
        "other ends": record["ends_exact"],
        f"{db:.1f} dB": db >= 33,
        f"shift {shift:.2f}": shift <= 1,
        f"contrast {contrast:.3f}": abs(contrast - 1) <= 0.03,
        f"detail {detail:.3f}": abs(detail - 1) <= 0.1,
    }
    return [bound for bound, kept in bounds.items() if not kept]
