"""What is done with a row, step by step: each step gives plain data for its line in the results."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from judge import Images, Judge
from pictures import Shape, images, picture, shapes
from row import Row
from speed import cpu_times

import dni_deploy
import dni_runtime

ALPHAS = (0.0, 0.3, 0.77, 1.0)
ODD = (53, 71)
BOUND = 1e-5
# Bounds of other kinds of files, of max(1, |reference|max), as dni-export's own.
BOUNDS = {"float16": 2e-2, "int8": 2 / 255}
Found = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """A row at work in a folder of its own: its endpoints, its file, and the judge."""

    row: Row
    folder: Path

    @property
    def model(self) -> Path:
        return self.folder / "model.onnx"

    @cached_property
    def files(self) -> tuple[Path, Path]:
        return self.row.write(self.folder)

    @cached_property
    def judge(self) -> Judge:
        return Judge(self.row, self.files)

    @cached_property
    def shapes(self) -> list[Shape]:
        """Of images that the file takes."""
        with dni_runtime.load(self.model, "cpu", threads=1, alpha_policy="dynamic") as model:
            return shapes(model._signature.shape, model.metadata, self.judge)

    def export(self, output: Path, **options: Any) -> Any:
        asked: dict[str, Any] = {"arch": self.row.arch, "arch_args": self.row.arch_args or None, **options}
        if self.row.value_range is not None:
            asked["value_range"] = self.row.value_range
        return dni_deploy.export(list(self.files), output, force=True, **asked)


def detect(case: Case) -> Found:
    found = case.judge.descriptor
    weights = sum(tensor.numel() for tensor in case.judge._states[0].values() if tensor.is_floating_point())
    if found is None:
        return {"weights": weights, "spandrel": None}
    assert found.architecture.id == case.row.architecture
    needs = found.size_requirements
    return {
        "weights": weights,
        "spandrel": {
            "scale": found.scale,
            "channels": [found.input_channels, found.output_channels],
            "size": [needs.multiple_of, needs.minimum, needs.square],
            "half": found.supports_half,
            "tiling": found.tiling.name,
        },
    }


def export(case: Case) -> Found:
    """As a user does it, with nothing said of the network."""
    started = time.process_time()
    report = case.export(case.model, alpha_input=True)
    graph = onnx.load(case.model, load_external_data=False).graph
    image = next(each for each in graph.input if each.name == "input")
    dims = [dim.dim_param or dim.dim_value for dim in image.type.tensor_type.shape.dim]
    return {
        "dims": dims,
        "multiple": report.size_multiple,
        "minimum": report.size_minimum,
        "square": dims[2] == dims[3] and isinstance(dims[2], str),
        "overlap": report.overlap,
        "view": report.view,
        "scale": report.scale,
        "bytes": report.files[0].bytes,
        "notes": list(report.notes),
        "warnings": list(report.warnings),
        "steps": {name: round(seconds, 2) for name, seconds in report.seconds.items()},
        "cpu_s": round(time.process_time() - started, 1),
    }


def parity(case: Case) -> Found:
    """At four alphas and three sizes: the runtime's result beside what spandrel's call gives, and its users get."""
    worst, rows = 0.0, []
    with dni_runtime.load(case.model, "cpu", threads=1) as model:
        for shape, alpha in product(case.shapes, ALPHAS):
            x = images(shape)
            with_network = _error(model(x, alpha), case.judge.network(x, alpha))
            with_user = _error(model(x, alpha).clip(0, 1), case.judge.user(x, alpha))
            rows.append({"shape": list(shape), "alpha": alpha, "network": with_network, "user": with_user})
            worst = max(worst, with_network, with_user)
    return {"worst": worst, "ok": worst <= BOUND, "rows": rows}


def baked(case: Case) -> Found:
    output = case.folder / "baked.onnx"
    case.export(output, alphas=[0.3], verdict=False)
    return _one(case, output, 0.3, baked=True, bound=BOUND)


def float16(case: Case) -> Found:
    output = case.folder / "half.onnx"
    try:
        report = case.export(output, alpha_input=True, dtype="float16", verdict=False)
    except dni_runtime.ExportError as error:
        found = case.judge.descriptor
        if found is None or found.supports_half:
            raise
        return {"refused": str(error)}  # spandrel says that it cannot be run in float16
    return {**_one(case, output, 0.77, bound=BOUNDS["float16"]), "notes": [*report.notes, *report.warnings]}


def int8(case: Case) -> Found:
    output = case.folder / "int8.onnx"
    case.export(output, alpha_input=True, delta="int8", verdict=False)
    return {**_one(case, output, 0.77, bound=BOUNDS["int8"]), "bytes": output.stat().st_size}


def enhance(case: Case) -> Found:
    """An odd picture of bytes as `dni run` does it, beside what spandrel's users make of it; in steps of 1/255."""
    with dni_runtime.load(case.model, "cpu", threads=1) as model:
        takes = model.metadata.size_multiple, model.metadata.size_minimum
        # What is missing is mirrored once: beyond that spandrel repeats the last row, where we mirror on.
        height, width = (max(side, max(takes) // 2 + side % 10) for side in ODD)
        image = picture((height, width), case.judge.channels)
        result = model.enhance(image, 0.77)
    x = (image.reshape(height, width, -1).astype(np.float32) / 255).transpose(2, 0, 1)[None]
    expected = np.rint(case.judge.user(np.ascontiguousarray(x), 0.77, takes)[0].transpose(1, 2, 0) * 255)
    return {"size": [height, width], **_steps_apart(result.reshape(expected.shape), expected)}


def tiles(case: Case) -> Found:
    """In the smallest tiles that it takes, beside the whole picture; in steps of 1/255."""
    said = "it takes no tiles of up to 512 pixels"
    with dni_runtime.load(case.model, "cpu", threads=1) as model:
        least = max(model.metadata.size_multiple, model.metadata.size_minimum)
        for tile in (tile for tile in (64, 96, 128, 192, 256, 384, 512) if tile >= least):
            image = picture((tile + tile // 2 + 7, 2 * tile + 5), case.judge.channels)
            try:
                result = model.enhance(image, 0.77, tile=tile)
            except dni_runtime.InputError as error:
                said = str(error)
                continue
            return {"tile": tile, **_steps_apart(result, model.enhance(image, 0.77, tile=0))}
    return {"ok": False, "error": said}


def laid_out(case: Case) -> Found:
    with dni_runtime.load(case.model, "cpu", threads=1, alpha_policy="dynamic") as model:
        note = model.alpha_note
    return {"laid_out": note.startswith("weights are blended in ONNX Runtime's own layout"), "note": note}


def speed(case: Case) -> Found:
    n, channels, *sides = case.shapes[0]
    is_free = len(case.shapes) > 1  # multiples of what it takes are taken
    height, width = (side * max(1, round(96 / side)) if is_free else side for side in sides)
    return cpu_times(case.model, images((n, channels, height, width)))


def refused(case: Case) -> Found:
    """In words, within ten seconds of the checkpoint being there; nothing is written."""
    files, started = case.files, time.perf_counter()
    try:
        case.export(case.model, alpha_input=True)
    except dni_runtime.DniError as error:
        seconds = time.perf_counter() - started
        return {"ok": seconds < 10 and not case.model.exists(), "message": str(error), "within_s": round(seconds, 1)}
    return {"ok": False, "error": f"{files[0]} was exported"}


STEPS: Mapping[str, Callable[[Case], Found]] = {
    "detect": detect, "export": export, "parity": parity, "enhance": enhance, "tiles": tiles, "laid out": laid_out,
    "speed": speed, "baked": baked, "float16": float16, "int8": int8, "refused": refused,
}  # fmt: skip
# Of another configuration of an architecture.
_BRIEF = ("detect", "export", "parity", "enhance")
ON_FILE = ("parity", "enhance", "tiles", "laid out", "speed")


def steps_of(row: Row) -> Sequence[str]:
    """Of a row: all; of further configurations those that say whether its pixels are right."""
    if row.refused:
        return ("refused",)
    return [name for name in STEPS if name != "refused"] if row.is_first else _BRIEF


def _one(case: Case, file: Path, alpha: float, *, bound: float, baked: bool = False) -> Found:
    worst = 0.0
    with dni_runtime.load(file, "cpu", threads=1) as model:
        for shape in shapes(model._signature.shape, model.metadata, case.judge):
            x = images(shape)
            worst = max(worst, _error(model(x, None if baked else alpha), case.judge.network(x, alpha)))
    return {"worst": worst, "ok": worst <= bound}


def _error(found: Images, expected: Images) -> float:
    """The largest difference, of max(1, |expected|max)."""
    assert found.shape == expected.shape, f"{found.shape} is not {expected.shape}"
    assert np.isfinite(expected).all()
    return float(np.abs(found - expected).max() / max(1.0, np.abs(expected).max()))


def _steps_apart(found: Any, expected: Any) -> Found:
    apart = np.abs(found.astype(np.float64) - expected)
    return {"max": float(apart.max()), "mean": round(float(apart.mean()), 4)}
