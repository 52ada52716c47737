"""The approaches that need nothing but an alpha-input file, and the files that they run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import onnx

from dni_deploy.model_report import inspect_model
from dni_runtime import AlphaError, Metadata, ModelError
from dni_runtime.ncnn.form import read_form
from dni_runtime.onnx_files.declared import Declared
from dni_runtime.onnx_files.external_data import external_files
from dni_runtime.onnx_files.reading import read_model
from dni_runtime.providers import choosing
from dni_runtime.providers.choosing import why_not
from dni_runtime.signature import Signature, read_signature

from .approach import Approach, Strength
from .baked import write_baked
from .ours import Runtime
from .sessions import OutputMixing, PlainSession, SessionCache

BAKED = "baked file"
NAIVE = "naive alpha-input"
OURS = "dni-runtime"
CACHE = "session cache"
MIXING = "output mixing"
OPENVINO = "OpenVINO"
FASTEST = "dni-runtime, fastest"
NCNN = "dni-runtime, ncnn"

Shape = tuple[int, int, int, int]
"""(N, C, H, W)"""

# Six strengths a product may offer; three sessions kept, as a server has memory for some of them, not for all.
STRENGTHS = 6
_CACHED = 3


@dataclass(frozen=True, slots=True)
class Lineup:
    """An alpha-input model, its approaches, and the alphas that they share.

    alpha:             the one that is held.
    strengths:         those that there is a baked file for, alpha first.
    one_weights_bytes: of one baked file.
    """

    model: Path
    metadata: Metadata
    signature: Signature
    approaches: tuple[Approach, ...]
    alpha: Strength
    strengths: tuple[Strength, ...]
    weights_bytes: int
    one_weights_bytes: int

    def approach(self, name: str) -> Approach:
        return next(approach for approach in self.approaches if approach.name == name)


def line_up(model: Path, folder: Path, alpha: Strength | None, provider: str) -> Lineup:
    """Check that `model` takes alpha, write its baked files into `folder`, and list what runs them.

    `alpha`: None for one near the middle of the model's range.

    Raises ModelError if the file cannot be read or takes no alpha, AlphaError for an alpha that it refuses.
    """
    facts = inspect_model(model)
    if facts.format == "ort":
        raise ModelError(
            f"{model} is an .ort file, which cannot be baked; measure the .onnx file that it was made from"
        )
    metadata = facts.metadata or Metadata()
    if "alpha" not in facts.inputs:
        why = "" if metadata.alpha_pinned is None else ", it is baked for one"
        raise ModelError(
            f"{model} has no input alpha{why}: there is no change of alpha to measure. "
            "Export one with dni-export A B --alpha-input"
        )
    # What chooses among engines, or wants a form of its own, is ours alone: its yardsticks run on the CPU.
    plain = "cpu" if provider in (choosing.NCNN, choosing.FASTEST) else provider
    held = metadata.check_alpha(even(metadata, 0.3) if alpha is None else alpha)
    others = [even(metadata, step / (STRENGTHS - 2)) for step in range(STRENGTHS - 1)]
    strengths = (held, *(strength for strength in others if strength != held))
    baked = [write_baked(model, s, folder / f"baked{number}.onnx") for number, s in enumerate(strengths)]
    graph = read_model(model)
    files = tuple(dict.fromkeys([model.resolve(), *external_files(graph, model).values()]))
    approaches: list[Approach] = [
        PlainSession(name=BAKED, files=(baked[0],), strengths=(held,), provider=plain),
        Runtime(name=OURS, files=files, provider=provider),
        PlainSession(name=NAIVE, files=files, provider=plain),
        SessionCache(name=CACHE, files=tuple(baked), strengths=strengths, provider=plain, capacity=_CACHED),
    ]
    if (ends := _ends(model, metadata, folder)) is not None:
        approaches.append(OutputMixing(name=MIXING, files=ends, provider=plain))
    if provider == "cpu":
        approaches += _beside_the_cpu(files, graph)
    return Lineup(
        model=model,
        metadata=metadata,
        signature=read_signature(Declared(graph), metadata),
        approaches=tuple(approaches),
        alpha=held,
        strengths=strengths,
        weights_bytes=sum(weight.bytes for weight in facts.weights),
        one_weights_bytes=_weights_bytes(baked[0]),
    )


def _beside_the_cpu(files: tuple[Path, ...], graph: onnx.ModelProto) -> list[Approach]:
    """Other engines that run the model on the CPU, as far as they are installed."""
    found: list[Approach] = []
    if why_not(choosing.OPENVINO) is None:
        found.append(PlainSession(name=OPENVINO, files=files, provider=choosing.OPENVINO))
    if why_not(choosing.NCNN) is None and read_form(graph) is not None:
        found.append(Runtime(name=NCNN, files=files, provider=choosing.NCNN))
    if found:
        found.append(Runtime(name=FASTEST, files=files, provider=choosing.FASTEST))
    return found


def even(metadata: Metadata, part: float) -> Strength:
    """The strength `part` of the way through the range, 0 to 1, of equal numbers."""
    (low, high), count = metadata.alpha_range, metadata.alpha_count
    if count > 1 and not metadata.alpha_knobs:  # shares, whose sum ends where one does
        low, high = max(low, 0.0), high / count
    return (low + part * (high - low),) * count


def _ends(model: Path, metadata: Metadata, folder: Path) -> tuple[Path, ...] | None:
    """One baked file for each endpoint alone.

    None where the range leaves one out, where they lie elsewhere, and with knobs, which no mix of outputs can follow.
    """
    count, path = metadata.alpha_count, metadata.alpha_path
    if metadata.alpha_knobs or (path is not None and path.knots != (1.0, 0.0)):
        return None
    ends = [tuple(float(i == j) for j in range(count)) for i in range(count + 1)]
    try:
        return tuple(write_baked(model, end, folder / f"end{number}.onnx") for number, end in enumerate(ends))
    except AlphaError:
        return None


def _weights_bytes(file: Path) -> int:
    return sum(
        len(tensor.raw_data) or onnx.numpy_helper.to_array(tensor).nbytes
        for tensor in onnx.load(file).graph.initializer
    )
