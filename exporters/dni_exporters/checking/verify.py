"""Does the written file compute what PyTorch computes? If not: which layer is to blame."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort

import dni_runtime
from dni_exporters.networks.probe import Array
from dni_exporters.report import Parity
from dni_runtime import ModelError, ParityError
from dni_runtime.alpha import append_planes

from .reference import Reference

_LARGEST_FLOAT16 = 65504
_SIZES = "the network depends on sizes in a way that tracing loses: use --static with --input-shape"


def check_parity(
    path: Path,
    reference: Reference,
    alphas: Sequence[tuple[float, ...]],
    tolerance: float,
    layers: Mapping[str, str],
) -> list[Parity]:
    """Run the model at `path` at every one of `alphas` and compare; return the errors.

    `layers` maps module names to value names in the graph, for naming the worst one.

    Raises ParityError where an output differs by more than the bound, has another shape or is not finite.
    """
    # All of PyTorch's outputs first: blended weights and a session's copies would add up in memory.
    expected = [reference.outputs(alpha) for alpha in alphas]
    with dni_runtime.load(path, provider="cpu", threads=1) as model:
        baked = model.metadata.alpha_pinned is not None
        half = model.metadata.dtype == "float16"
        results = []
        for alpha, outputs in zip(alphas, expected, strict=True):
            # ONNX Runtime computes float16 networks in float32 on the CPU and so hides what overflows on a GPU.
            if half and (layer := reference.first_beyond(_LARGEST_FLOAT16, alpha)):
                raise ParityError(
                    f"the output of layer {layer!r} leaves the range of float16 ({_LARGEST_FLOAT16}) at alpha "
                    f"{dni_runtime.format_alpha(alpha)}; nothing was written. Use --dtype float32"
                )
            worst = Parity(alpha, 0.0, tolerance)
            for image, wanted in zip(reference.images, outputs, strict=True):
                error, size = _difference(_run(model, image, None if baked else alpha, wanted), wanted)
                bound = tolerance * size
                if not error <= bound:  # NaN is not
                    raise ParityError(_Wrong(path, reference, layers, alpha, image, baked).blame(error, bound))
                if error / bound >= worst.error / worst.bound:
                    worst = Parity(alpha, error, bound)
            results.append(worst)
    return results


def _run(model: dni_runtime.Model, image: Array, alpha: tuple[float, ...] | None, wanted: Array) -> Array:
    """The model's output. Raises ParityError where there is none of the shape of `wanted`."""
    try:
        got: Array = model(image, alpha=alpha)
    except ModelError as failure:
        raise ParityError(f"the ONNX model fails for an input of {image.shape}: {failure}; {_SIZES}") from failure
    if got.shape != wanted.shape:
        raise ParityError(
            f"the ONNX model gives shape {got.shape} for an input of {image.shape}, PyTorch {wanted.shape}; {_SIZES}"
        )
    return got


def _difference(got: Array, wanted: Array) -> tuple[float, float]:
    """max |difference|, and max(1, |wanted|max), which it is measured by."""
    return float(np.abs(got - wanted).max()), max(1.0, float(np.abs(wanted).max()))


@dataclass(frozen=True, slots=True)
class _Wrong:
    """A file, and an image at an alpha for which it is wrong."""

    path: Path
    reference: Reference
    layers: Mapping[str, str]
    alpha: tuple[float, ...]
    image: Array
    baked: bool

    def blame(self, error: float, bound: float) -> str:
        """What is wrong, and in which layer."""
        differences = self._layer_differences()
        text = dni_runtime.format_alpha(self.alpha)
        broken = next((name for name, difference in differences.items() if not np.isfinite(difference)), None)
        if broken is not None or not np.isfinite(error):
            where = f", first in layer {broken!r}" if broken is not None else ""
            return (
                f"the ONNX model gives NaN or Inf at alpha {text}{where}; nothing was written. Values there leave the "
                f"range of the number format (float16 ends at {_LARGEST_FLOAT16}): use --dtype float32"
            )
        where = ""
        if differences:
            name = max(differences, key=lambda layer: differences[layer])
            where = f", worst in layer {name!r} (relative error {differences[name]:.2g})"
        return (
            f"the ONNX model differs from PyTorch by {error:.3g} at alpha {text}, input {self.image.shape}{where}; "
            f"expected at most {bound:.3g}; nothing was written. A looser bound is set with --atol; a large difference "
            "means that the network depends on the image size, which has to be fixed then: --static --input-shape "
            "N,C,H,W"
        )

    def _layer_differences(self) -> dict[str, float]:
        """max |difference| / max(1, |PyTorch|max) of every module's output, in the order of computation."""
        got = self._file_outputs()
        wanted = self.reference.layer_outputs(self.alpha, self.image, got)
        both = {module: (got[module], wanted[module]) for module in got if module in wanted}
        compared = {module: _difference(*pair) for module, pair in both.items() if pair[0].shape == pair[1].shape}
        return {module: error / size for module, (error, size) in compared.items()}

    def _file_outputs(self) -> dict[str, Array]:
        """What the file computes for every module that it has, by name, in the order of computation."""
        model = onnx.load(self.path, load_external_data=False)
        order = {name: i for i, name in enumerate(itertools.chain.from_iterable(n.output for n in model.graph.node))}
        watched = sorted((m for m, value in self.layers.items() if value in order), key=lambda m: order[self.layers[m]])
        if not watched:
            return {}
        names = list(dict.fromkeys(self.layers[module] for module in watched))
        model.graph.output.extend(onnx.ValueInfoProto(name=n) for n in names if n != "output")
        probe = self.path.with_name(f"watched-{self.path.name}")
        onnx.save(model, probe)
        session = ort.InferenceSession(str(probe), providers=["CPUExecutionProvider"])
        feed = {"input": self.image}
        if "alpha" in {value.name for value in session.get_inputs()}:
            feed["alpha"] = np.array(self.alpha, np.float32)
        elif not self.baked:
            feed["input"] = append_planes(self.image, self.alpha)
        values = dict(zip(names, session.run(names, feed), strict=True))
        return {module: np.asarray(values[self.layers[module]], np.float32) for module in watched}
