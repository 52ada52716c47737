"""From checkpoints to verified ONNX files: the order of the steps, nothing else."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from os import PathLike
from pathlib import Path
from typing import Any

import onnx_ir as ir
from torch import nn

import dni_runtime
from dni_runtime import Alpha, Endpoint, ExportError, Metadata, check_alpha

from . import write
from .architecture import Architecture, build
from .bake import bake
from .blend import attach_blend
from .checkpoint import Checkpoint, EndpointSource, StateDict, read_endpoints
from .endpoints import check_endpoints, lineage
from .fold import fold_batch_norm, fold_constants
from .probe import ImageContract, probe
from .report import ExportedFile, ExportReport
from .skeleton import Skeleton, trace
from .verify import TOLERANCE, Parity, Reference, check_parity, probe_alphas

Progress = Callable[[str], None]
DTYPES = ("float32", "float16")
WEIGHTS = ("embed", "external", "link")


def export(
    endpoints: Sequence[EndpointSource],
    output: str | PathLike[str],
    *,
    alpha_input: bool = False,
    alphas: Sequence[Alpha] | None = None,
    arch: str | nn.Module = "auto",
    arch_args: Mapping[str, Any] | None = None,
    alpha_range: tuple[float, float] = (0.0, 1.0),
    alpha_default: Alpha | None = None,
    input_shape: tuple[int, int, int, int] | None = None,
    static: bool = False,
    opset: int | None = None,
    dtype: str = "float32",
    weights: str = "embed",
    atol: float | None = None,
    verify: bool = True,
    force: bool = False,
    progress: Progress | None = None,
) -> ExportReport:
    """Write `endpoints` as one ONNX model that takes alpha at run time, or as one baked model per alpha.

    endpoints:     two or more checkpoints (paths) or state dicts of one architecture, A first.
    output:        the file to write; with several `alphas` the folder for `alpha-X.onnx` files.
    alpha_input:   one model with inputs `input` float32 (N,C,H,W) and `alpha` float32 (K-1), K endpoints.
    alphas:        instead: alpha of each baked model.
    arch:          see `dni_exporters.architecture.build`; `arch_args` are its keyword arguments.
    alpha_range:   the alphas that the model will accept; (0, 1) interpolates, wider ranges extrapolate.
    alpha_default: used by callers that give none. Some runtimes freeze or ignore an input with a default.
    input_shape:   (N,C,H,W) to trace with; found by itself for most networks.
    static:        keep N, H and W of `input_shape` as the only size.
    opset:         ONNX operator set, asserted on what was written; None takes PyTorch's own.
    dtype:         of weights and computation; input and output are float32 always.
    weights:       "embed" in the file, "external" in FILE.data, or "link" to the endpoints' .safetensors.
    atol:          allowed |difference| / max(1, |reference|max); None means 1e-5 (float16: 2e-2).
    verify:        compare with PyTorch before anything is written; turning it off is a risk.
    force:         replace existing outputs.
    progress:      called with the name of each step as it begins.

    Raises a DniError that says what is wrong; in that case no output was written or replaced.
    """
    job = _Job(
        output=Path(output),
        alphas=_check_alphas(alpha_input, alphas, alpha_range, len(endpoints)),
        alpha_range=alpha_range,
        alpha_default=None
        if alpha_default is None
        else check_alpha(alpha_default, alpha_range, len(endpoints) - 1),
        static=static,
        opset=opset,
        dtype=_one_of("dtype", dtype, DTYPES),
        weights=_one_of("weights", weights, WEIGHTS),
        tolerance=(TOLERANCE[dtype] if atol is None else atol) if verify else None,
    )
    if job.weights == "link" and job.alphas:
        raise ExportError(
            "--weights link is for --alpha-input: a baked model holds weights that no endpoint has"
        )
    outputs = job.outputs()
    write.refuse_existing(outputs, force=force)
    clock = _Clock(progress)
    with clock("read endpoints"):
        checkpoints, notes = read_endpoints(endpoints)
        check_endpoints(checkpoints)
    with clock("build network"):
        architecture = build(arch, checkpoints[0], arch_args)
        states = _load_all(architecture, checkpoints)
    with clock("probe network"):
        contract = probe(architecture, input_shape, static=static)
        related = lineage(states[0], states[-1])
    with clock("trace network"):
        skeleton = trace(
            architecture.network, contract.input_shape, static=static, opset=opset, half=dtype == "float16"
        )
    with clock("attach blend"):
        model = skeleton.model
        attach_blend(model, states)
        fold_batch_norm(model)
        if not job.alphas:
            fold_constants(model)
        metadata = job.describe(architecture, contract, checkpoints, model)
        job.finish_graph(model, metadata)
    reference = Reference(architecture.network, states, contract, static) if verify else None
    with write.staging(outputs[0].parent) as folder:
        external = job.weights == "external"
        if (
            job.weights == "embed"
            and write.weight_bytes(model) // (len(states) if job.alphas else 1) > write.EMBED_LIMIT_BYTES
        ):
            external = True
            notes.append("weights over 2 GB do not fit into an ONNX file; they are in a .data file beside it")
        make = _Maker(job, skeleton, reference, external, clock)
        files = (
            make.baked(model, folder, outputs)
            if job.alphas
            else [make.alpha_input(model, checkpoints, folder, outputs[0])]
        )
    return ExportReport(
        files=tuple(files),
        endpoints=tuple(c.name for c in checkpoints),
        architecture=architecture.name,
        parameters=sum(t.numel() for t in states[0].values() if t.is_floating_point()),
        scale=contract.scale,
        size_multiple=contract.size_multiple,
        size_minimum=contract.size_minimum,
        overlap=contract.overlap,
        dtype=dtype,
        opset=metadata.opset,
        lineage=related,
        notes=(*notes, *skeleton.notes),
        warnings=(related.warning,) if related.looks_unrelated else (),
        seconds=clock.seconds,
    )


@dataclass(frozen=True, slots=True)
class _Job:
    """The checked arguments of one export."""

    output: Path
    alphas: tuple[tuple[float, ...], ...]
    alpha_range: tuple[float, float]
    alpha_default: tuple[float, ...] | None
    static: bool
    opset: int | None
    dtype: str
    weights: str
    tolerance: float | None

    def outputs(self) -> list[Path]:
        """The final name of every model: `output` itself, or one name per alpha inside it."""
        if len(self.alphas) > 1 or (self.alphas and (self.output.is_dir() or not self.output.suffix)):
            if self.output.suffix == ".onnx":
                raise ExportError(
                    f"{len(self.alphas)} alphas make as many files, {self.output} names one; give a folder: -o "
                    f"{self.output.with_suffix('')}"
                )
            return [self.output / f"alpha-{text}.onnx" for text in _file_texts(self.alphas)]
        if self.output.suffix != ".onnx":
            raise ExportError(
                f"the output {self.output} has no .onnx suffix; expected a name such as {self.output}.onnx"
            )
        return [self.output]

    def describe(
        self,
        architecture: Architecture,
        contract: ImageContract,
        checkpoints: Sequence[Checkpoint],
        model: ir.Model,
    ) -> Metadata:
        return Metadata(
            endpoints=tuple(Endpoint(c.name, c.sha256) for c in checkpoints),
            alpha_range=self.alpha_range,
            alpha_default=self.alpha_default,
            architecture=architecture.name,
            scale=contract.scale,
            size_multiple=contract.size_multiple,
            size_minimum=contract.size_minimum,
            overlap=contract.overlap,
            color={1: "L", 3: "RGB"}.get(contract.input_shape[1], ""),
            dtype=self.dtype,
            opset=model.opset_imports[""],
            tool=_tool(),
        )

    def finish_graph(self, model: ir.Model, metadata: Metadata) -> None:
        """Names, metadata, and the default of alpha as an initializer of the input's name."""
        if self.opset is not None and model.opset_imports[""] != self.opset:
            raise ExportError(
                f"the model came out with opset {model.opset_imports['']}, --opset asked for {self.opset}; "
                "PyTorch could not convert it: leave --opset out or ask for the one it made"
            )
        model.graph.name = metadata.architecture
        model.producer_name, model.producer_version = (
            metadata.tool.split() if " " in metadata.tool else (metadata.tool, "")
        )
        model.metadata_props[dni_runtime.metadata.KEY] = metadata.to_json()
        if self.alpha_default is not None and not self.alphas:
            alpha = next(value for value in model.graph.inputs if value.name == "alpha")
            alpha.const_value = ir.tensor(list(self.alpha_default), dtype=ir.DataType.FLOAT, name="alpha")
            model.graph.register_initializer(alpha)


@dataclass(frozen=True, slots=True)
class _Maker:
    """Writes and verifies models in the staging folder and publishes those that pass."""

    job: _Job
    skeleton: Skeleton
    reference: Reference | None
    external: bool
    clock: "_Clock"

    def alpha_input(
        self, model: ir.Model, checkpoints: Sequence[Checkpoint], folder: Path, output: Path
    ) -> ExportedFile:
        linked = self.job.weights == "link"
        with self.clock("write"):
            if linked:
                write.link_weights(model, checkpoints, output.parent)
            staged = folder / output.name
            write.save(model, staged, external=self.external)
        alphas = probe_alphas(len(checkpoints), self.job.alpha_range)
        # Linked weights are found from the final folder only, so that is where the check has to run.
        parity = self._verify(staged, alphas, run_from=output.parent if linked else None)
        with self.clock("publish"):
            size = _size(staged)
            write.publish(staged, output)
        return ExportedFile(output, None, size, parity)

    def baked(self, model: ir.Model, folder: Path, outputs: Sequence[Path]) -> list[ExportedFile]:
        with self.clock("write"):
            source = folder / "alpha-input" / "model.onnx"
            source.parent.mkdir()
            write.save(model, source, external=True)
        made = []
        for alpha, output in zip(self.job.alphas, outputs, strict=True):
            with self.clock("bake"):
                staged = folder / output.name
                write.save(bake(source, alpha), staged, external=self.external)
            made.append((staged, output, alpha, self._verify(staged, [alpha])))
        with self.clock("publish"):
            files = []
            for staged, output, alpha, parity in made:
                files.append(ExportedFile(output, alpha, _size(staged), parity))
                write.publish(staged, output)
        return files

    def _verify(
        self, staged: Path, alphas: list[tuple[float, ...]], run_from: Path | None = None
    ) -> tuple[Parity, ...]:
        if self.reference is None or self.job.tolerance is None:
            return ()
        with self.clock("verify"):
            path = staged
            if run_from is not None:
                path = run_from / f".{staged.parent.name}-{staged.name}"
                path.write_bytes(staged.read_bytes())
            try:
                return tuple(
                    check_parity(path, self.reference, alphas, self.job.tolerance, self.skeleton.layers)
                )
            finally:
                if run_from is not None:
                    path.unlink(missing_ok=True)


@dataclass(slots=True)
class _Clock:
    """Tells the user which step runs, and remembers how long each took in all."""

    progress: Progress | None
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def __call__(self, step: str) -> Iterator[None]:
        if self.progress is not None:
            self.progress(step)
        started = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[step] = self.seconds.get(step, 0.0) + time.perf_counter() - started


def _load_all(architecture: Architecture, checkpoints: Sequence[Checkpoint]) -> list[StateDict]:
    """Every endpoint's state dict under the network's own names; the first one's is in the network already."""
    first = {name: tensor.detach().clone() for name, tensor in architecture.network.state_dict().items()}
    return [first, *(architecture.load(c.tensors) for c in checkpoints[1:])]


def _check_alphas(
    alpha_input: bool, alphas: Sequence[Alpha] | None, alpha_range: tuple[float, float], endpoint_count: int
) -> tuple[tuple[float, ...], ...]:
    low, high = alpha_range
    if not low < high:
        raise ExportError(f"the alpha range is {low:g}..{high:g}; expected the smaller number first")
    if alpha_input == bool(alphas):
        raise ExportError(
            "say which model to make: one that takes alpha at run time (--alpha-input, alpha_input=True) or one "
            "for a fixed alpha (--alpha X, alphas=[X]), not both"
        )
    if endpoint_count < 2:
        return ()  # the endpoints' own check says it better
    return tuple(dict.fromkeys(check_alpha(alpha, alpha_range, endpoint_count - 1) for alpha in alphas or ()))


def _file_texts(alphas: Sequence[tuple[float, ...]]) -> list[str]:
    """Texts of alphas for file names, with as many decimals as tell them all apart, so that they sort."""
    places = max(
        len(text.partition(".")[2]) for alpha in alphas for text in (f"{v:.10f}".rstrip("0") for v in alpha)
    )
    return ["_".join(f"{value:.{max(places, 1)}f}" for value in alpha) for alpha in alphas]


def _one_of(name: str, value: str, allowed: Sequence[str]) -> str:
    if value not in allowed:
        raise ExportError(f"{name} is {value!r}; expected one of {', '.join(allowed)}")
    return value


def _size(path: Path) -> int:
    data = path.with_name(f"{path.name}.data")
    return path.stat().st_size + (data.stat().st_size if data.exists() else 0)


def _tool() -> str:
    try:
        return f"dni-deploy {version('dni-deploy')}"
    except PackageNotFoundError:  # a bare clone on sys.path
        return "dni-deploy"
