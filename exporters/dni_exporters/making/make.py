"""Write, verify, publish: the models of one export, in the staging folder first."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import onnx_ir as ir

from dni_exporters.checking.reference import Reference, probe_alphas
from dni_exporters.checking.verify import check_parity
from dni_exporters.checkpoints.checkpoint import Checkpoint
from dni_exporters.clock import Clock
from dni_exporters.graphs.bake import bake
from dni_exporters.graphs.blend import Stored, blended_values
from dni_exporters.graphs.formula import Formula
from dni_exporters.graphs.link import link_weights
from dni_exporters.graphs.single_input import check_single_input
from dni_exporters.job import ExportJob
from dni_exporters.ncnn_files.checking import check_files
from dni_exporters.ncnn_files.hosts import Needs, is_your_own, refuse_or_tell
from dni_exporters.ncnn_files.writing import NcnnFiles
from dni_exporters.ncnn_form.attach import attach_form
from dni_exporters.networks.probe import ImageContract
from dni_exporters.report import ExportedFile, Parity
from dni_runtime.sizes import Sizes

from . import write


@dataclass(frozen=True, slots=True)
class Maker:
    """What every model of an export needs.

    contract:  the images that the network takes and gives.
    layers:    module name -> value name, for naming the worst one.
    formula:   how alpha becomes the endpoints' shares.
    reference: None where the export is not to be verified.
    collect:   frees the graphs that are done with.
    notes:     what users should know about the files, each once; filled as they are made.
    """

    job: ExportJob
    contract: ImageContract
    layers: dict[str, str]
    formula: Formula
    reference: Reference | None
    clock: Clock
    collect: Callable[[], object]
    notes: dict[str, None] = field(default_factory=dict)

    def alpha_input(
        self, model: ir.Model, stored: Stored, checkpoints: Sequence[Checkpoint], folder: Path, output: Path
    ) -> ExportedFile:
        """Write `model` as it is; `folder` is the staging folder, `stored` tells which weights to link."""
        # Linked weights are found from the final folder alone, so there the model has to be while it is checked.
        staged = folder / output.name if self.job.weights != "link" else output.parent / f"{folder.name}{output.name}"
        try:
            with self.clock("write"):
                if self.job.weights == "link":
                    link_weights(model, stored, checkpoints, output.parent)
                write.save(model, staged, self.job.weights)
            parity = self._verify(staged, probe_alphas(len(checkpoints), self.job.range, self.formula))
            return self._publish(staged, output, None, parity)
        finally:
            staged.unlink(missing_ok=True)

    def baked(self, model: ir.Model, stored: Stored, folder: Path, outputs: Sequence[Path]) -> list[ExportedFile]:
        """Write one model per alpha, each from the same alpha-input `model`; publish all or none."""
        weights = blended_values(stored) if self.job.is_blended_again else None
        with self.clock("write"):
            source = folder / "alpha-input" / "model.onnx"
            source.parent.mkdir()
            write.save(model, source, "external")
        ncnn = self._ncnn_files(source, outputs)
        checks: list[Future[tuple[Parity, ...]]] = []
        # ONNX Runtime loads and runs one file on one core while the next one and PyTorch's answer are made on another.
        with ThreadPoolExecutor(1) as checker:
            try:
                for alpha, output in zip(self.job.pinned, outputs, strict=True):
                    with self.clock("bake"):
                        if ncnn is not None:
                            ncnn.write(alpha, folder / output.name)
                        else:
                            write.save(bake(source, alpha, weights), folder / output.name, self.job.weights)
                            self.collect()
                    if self.reference is not None:
                        with self.clock("verify"):
                            self.reference.outputs(alpha)
                    verify = self._verify if ncnn is None else partial(self._verify_in_ncnn, ncnn.sizes)
                    checks.append(checker.submit(verify, folder / output.name, [alpha]))
                    if checks[0].done():
                        checks[0].result()  # raises what the check of the first file found, before all are made
                parities = [check.result() for check in checks]
            finally:
                checker.shutdown(cancel_futures=True)
        return [
            self._publish(folder / output.name, output, alpha, parity)
            for output, alpha, parity in zip(outputs, self.job.pinned, parities, strict=True)
        ]

    def _verify(self, staged: Path, alphas: list[tuple[float, ...]]) -> tuple[Parity, ...]:
        if self.job.single_input:
            check_single_input(staged)
        if self.job.ncnn_form:
            with self.clock("convert for ncnn"):
                self.notes.update(dict.fromkeys(filter(None, [attach_form(staged)])))
        if self.reference is None:
            return ()
        with self.clock("verify"):
            return tuple(check_parity(staged, self.reference, alphas, self.job.tolerance, self.layers))

    def _ncnn_files(self, source: Path, outputs: Sequence[Path]) -> NcnnFiles | None:
        """What writes ncnn's files, where those are asked for."""
        if not self.job.is_for_ncnn:
            return None
        with self.clock("convert for ncnn"):
            files = NcnnFiles(source, half=self.job.dtype == "float16")
        told = refuse_or_tell(Needs(self.contract, files.sizes, files.kinds), outputs, self.job.tool)
        are_ends = {(0.0,), (1.0,)} <= {*self.job.pinned} and self.formula.path is None
        if are_ends and is_your_own(self.job.tool):
            told.append(files.between)
        self.notes.update(dict.fromkeys(told))
        return files

    def _verify_in_ncnn(self, sizes: Sizes, staged: Path, alphas: list[tuple[float, ...]]) -> tuple[Parity, ...]:
        if self.reference is None:
            return ()
        with self.clock("verify"):
            return tuple(check_files(staged, self.reference, alpha, self.job.tolerance, sizes) for alpha in alphas)

    def _publish(
        self, staged: Path, output: Path, alpha: tuple[float, ...] | None, parity: tuple[Parity, ...]
    ) -> ExportedFile:
        with self.clock("publish"):
            written = write.publish(staged, output)
        return ExportedFile(output, alpha, sum(path.stat().st_size for path in written), parity)
