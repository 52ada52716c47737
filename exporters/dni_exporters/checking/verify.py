"""Does the written file compute what PyTorch computes? If not: which layer is to blame."""

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import torch

import dni_runtime
from dni_exporters.networks.probe import quiet_inference
from dni_exporters.report import Parity
from dni_runtime import ModelError, ParityError
from dni_runtime.alpha import append_planes

from .reference import Array, Reference

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
    results = []
    # All of PyTorch's outputs first: blended weights and a session's copies would add up in memory.
    expected = [reference.outputs(alpha) for alpha in alphas]
    with dni_runtime.load(path, provider="cpu", threads=1) as model:
        baked = model.metadata.alpha_pinned is not None
        for alpha, outputs in zip(alphas, expected, strict=True):
            # ONNX Runtime computes float16 networks in float32 on the CPU and so hides what overflows on a GPU.
            if model.metadata.dtype == "float16" and (layer := reference.first_beyond(65504, alpha)):
                raise ParityError(
                    f"the output of layer {layer!r} leaves the range of float16 (65504) at alpha "
                    f"{dni_runtime.format_alpha(alpha)}; nothing was written. Use --dtype float32"
                )
            worst = Parity(alpha, 0.0, tolerance)
            for image, wanted in zip(reference.images, outputs, strict=True):
                try:
                    got = model(image, alpha=None if baked else alpha)
                except ModelError as failure:
                    raise ParityError(
                        f"the ONNX model fails for an input of {image.shape}: {failure}; {_SIZES}"
                    ) from failure
                if got.shape != wanted.shape:
                    raise ParityError(
                        f"the ONNX model gives shape {got.shape} for an input of {image.shape}, PyTorch "
                        f"{wanted.shape}; {_SIZES}"
                    )
                error = float(np.abs(got - wanted).max())
                bound = tolerance * max(1.0, float(np.abs(wanted).max()))
                if not error <= bound:  # NaN is not
                    raise ParityError(_blame(path, reference, alpha, image, layers, error, bound, baked))
                if error / bound >= worst.error / worst.bound:
                    worst = Parity(alpha, error, bound)
            results.append(worst)
    return results


def _blame(
    path: Path,
    reference: Reference,
    alpha: tuple[float, ...],
    image: Array,
    layers: Mapping[str, str],
    error: float,
    bound: float,
    baked: bool,
) -> str:
    with reference.lock:
        differences = _layer_differences(path, reference, alpha, image, layers, baked)
    text = dni_runtime.format_alpha(alpha)
    broken = next((name for name, difference in differences.items() if not np.isfinite(difference)), None)
    if broken is not None or not np.isfinite(error):
        where = f", first in layer {broken!r}" if broken is not None else ""
        return (
            f"the ONNX model gives NaN or Inf at alpha {text}{where}; nothing was written. Values there leave the "
            "range of the number format (float16 ends at 65504): use --dtype float32"
        )
    where = ""
    if differences:
        name = max(differences, key=lambda layer: differences[layer])
        where = f", worst in layer {name!r} (relative error {differences[name]:.2g})"
    return (
        f"the ONNX model differs from PyTorch by {error:.3g} at alpha {text}, input {image.shape}{where}; expected at "
        f"most {bound:.3g}; nothing was written. A looser bound is set with --atol; a large difference means that "
        "the network depends on the image size, which has to be fixed then: --static --input-shape N,C,H,W"
    )


def _layer_differences(
    path: Path,
    reference: Reference,
    alpha: tuple[float, ...],
    image: Array,
    layers: Mapping[str, str],
    baked: bool,
) -> dict[str, float]:
    """max |difference| / max(1, |PyTorch|max) of every module's output, in the order of computation."""
    model = onnx.load(path, load_external_data=False)
    order = {name: i for i, name in enumerate(itertools.chain.from_iterable(n.output for n in model.graph.node))}
    watched = sorted((m for m, value in layers.items() if value in order), key=lambda m: order[layers[m]])
    names = list(dict.fromkeys(layers[module] for module in watched))
    model.graph.output.extend(onnx.ValueInfoProto(name=n) for n in names if n != "output")
    probe = path.with_name(f"watched-{path.name}")
    onnx.save(model, probe)
    session = ort.InferenceSession(str(probe), providers=["CPUExecutionProvider"])
    feed = {"input": image}
    if "alpha" in {value.name for value in session.get_inputs()}:
        feed["alpha"] = np.array(alpha, np.float32)
    elif not baked:
        feed["input"] = append_planes(image, alpha)
    got = dict(zip(names, session.run(names, feed), strict=True)) if names else {}
    wanted: dict[str, Any] = {}
    reference.load(alpha)
    modules = dict(reference.network.named_modules())
    hooks = [
        modules[name].register_forward_hook(lambda _m, _i, output, name=name: wanted.__setitem__(name, output))
        for name in watched
        if name in modules
    ]
    try:
        with quiet_inference():
            reference.network(torch.from_numpy(image))
    finally:
        for hook in hooks:
            hook.remove()
    differences = {}
    for module in watched:
        expected = wanted.get(module)
        if not isinstance(expected, torch.Tensor) or tuple(expected.shape) != got[layers[module]].shape:
            continue
        exact = expected.float().numpy()
        difference = np.abs(np.asarray(got[layers[module]], np.float32) - exact).max()
        differences[module] = float(difference / max(1.0, float(np.abs(exact).max())))
    return differences
