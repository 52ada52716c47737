"""`export`: what it can be asked, and what is refused before PyTorch is imported."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any

from dni_runtime import Alpha

from .clock import Progress
from .extra import heavy_imports, require_extra, require_ncnn
from .job import ExportJob
from .making.linkable import check_linkable
from .networks.arguments import check_arch
from .outputs import check_folder, refuse_existing
from .report import ExportReport
from .sources import EndpointSource, check_range, check_sources
from .torch_types import nn

# PyTorch's exporter traces one network at a time in a process, and what is changed in PyTorch meanwhile is everybody's.
_ONE_AT_A_TIME = threading.RLock()


def export(
    endpoints: Sequence[EndpointSource],
    output: str | PathLike[str],
    *,
    tool: str | None = None,
    format: str | None = None,
    alpha_input: bool = False,
    alphas: Sequence[Alpha] | None = None,
    through: Sequence[EndpointSource] = (),
    curve: bool = False,
    path: bool = False,
    at: Sequence[float] | None = None,
    knobs: Mapping[str, str | Sequence[str]] | None = None,
    arch: str | nn.Module = "auto",
    arch_args: Mapping[str, Any] | None = None,
    value_range: tuple[float, float] = (0.0, 1.0),
    alpha_range: tuple[float, float] = (0.0, 1.0),
    alpha_default: Alpha | None = None,
    input_shape: tuple[int, int, int, int] | None = None,
    static: bool = False,
    opset: int | None = None,
    ir_version: int | None = None,
    dtype: str = "float32",
    delta: str | None = None,
    single_input: str | None = None,
    weights: str = "embed",
    ncnn_form: bool = False,
    atol: float | None = None,
    verify: bool = True,
    verdict: bool = True,
    force: bool = False,
    progress: Progress | None = None,
) -> ExportReport:
    """Write `endpoints` as one ONNX model that takes alpha at run time, or as one baked model per alpha.

    Baked models may be ncnn's files in place of ONNX files.

    endpoints:     two or more checkpoints (paths) or state dicts of one architecture, A first.
    output:        the file to write; with several `alphas` the folder for `alpha-X.onnx` files.
    tool:          the program that the files are for, such as "chainner", which sets what follows as it needs it; what
                   contradicts it is refused. See docs/how-to/other-tools.md.
    format:        "onnx", or "ncnn": for each of `alphas` a .param file, which `output` names, with a .bin file beside
                   it; several go into a folder, or get `output` as the beginning of their names. See
                   docs/how-to/ncnn.md; needs the extra `export-ncnn`. None is what `tool` takes, else "onnx".
    alpha_input:   one model with inputs `input` float32 (N,C,H,W) and `alpha` float32 (K-1), K endpoints.
    alphas:        instead: alpha of each baked model.
    through:       fitted middles (`fit`) that the way from one endpoint to the next bends around.
    curve:         alpha is one number along a curve from B (0) to A (1) around the one or two middles of `through`.
    path:          alpha is one number along all endpoints in their order, and exactly each of them at its place:
                   straight from one to the next, or around the middles of `through` that were fitted between these two.
    at:            the place of each endpoint of a curve or path, rising or falling; None spreads them evenly from 1
                   down to 0. `alpha_range` is not given then: alpha ends where they do.
    knobs:         parameters with an alpha of their own, such as {"tail": ["conv_last*", "conv_up*"]}: an input
                   `alpha_tail` float32 (1) for all whose names match (`fnmatch`); `alpha` is for the others. Alpha
                   has one number more for each then: in their order, by name, or one for all.
    arch:          the network: "auto" (found by spandrel), a name that spandrel knows, "module:callable" or
                   "path.py:callable" that makes it, or a built network.
    arch_args:     keyword arguments of that callable. Of networks that spandrel knows, DRUNet and FDnCNN take "noise":
                   sigma of the noise to remove, in 0..255; or a list of one for each endpoint, and alpha moves it.
    value_range:   what black and white are in the images that a network given as code takes and gives, such as (-1, 1)
                   or (0, 255). Images of the model that is written are in 0..1 all the same.
    alpha_range:   the alphas that the model will accept; (0, 1) interpolates, wider ranges extrapolate.
    alpha_default: used by callers that give none. Some runtimes freeze or ignore an input with a default.
    input_shape:   (N,C,H,W) to trace with; found by itself for most networks.
    static:        keep N, H and W of `input_shape` as the only size.
    opset:         ONNX operator set, asserted on what was written; None takes PyTorch's own.
    ir_version:    version of ONNX's file format, 8 to 13, for readers that refuse newer ones; without `opset` it comes
                   with an operator set that such files may use (8: 18, later ones: 20). None takes PyTorch's own.
    dtype:         of weights and computation; input and output are float32 always. In ncnn's files of weights alone,
                   what is computed in is the host's choice.
    delta:         a smaller alpha-input model: the last endpoint stored in float16, and the difference of each
                   other one from it as "int8" or "float16"; both are widened in the graph and `dtype` is of the
                   computation alone.
    single_input:  for tools that feed one input: "baked" checks that they take what `alphas` makes, "plane" puts
                   alpha into further channels of the image. Written for older readers, with opset 18.
    weights:       "embed" in the file, "external" in FILE.data, or "link" to the endpoints' .safetensors.
    ncnn_form:     also write into the model what ncnn needs to run it (`load(provider="ncnn")`), see
                   docs/how-to/small-devices.md; needs the extra `export-ncnn`.
    atol:          allowed |difference| / max(1, |reference|max); None means 1e-5 (dtype float16: 2e-2, in ncnn's
                   files 2/255; delta float16: 2e-3, delta int8: 2/255).
    verify:        compare with PyTorch before anything is written; turning it off is a risk.
    verdict:       say whether the blend works, from what it does to photographs; kept in the files' metadata.
    force:         replace existing outputs.
    progress:      called with the name of each step as it begins; of those that take long also with where they are.

    Exports in several threads of one process take turns.

    Raises a DniError that says what is wrong; in that case no output was written or replaced.
    """
    job = ExportJob(**locals())  # a field for each keyword, and nothing else: a test holds the two together
    refuse_existing(job.outputs, force=force)
    check_folder(job.outputs[0].parent)
    sources = [*job.endpoints, *job.through]
    check_sources(sources)
    if weights == "link":
        check_linkable(sources, job.outputs[0].parent, dtype)
    check_arch(arch, arch_args, len(endpoints))
    check_range(value_range, arch)
    require_extra()
    if ncnn_form or job.is_for_ncnn:
        require_ncnn("--ncnn-form" if ncnn_form else "--format ncnn")
    with heavy_imports():
        from .making.steps import make_models

    with _ONE_AT_A_TIME:
        return make_models(job)
