"""Which layer of a file that is wrong is to blame."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort

from dni_exporters.networks.probe import Array
from dni_runtime import Metadata
from dni_runtime.alpha import append_planes

from .reference import Reference


@dataclass(frozen=True)
class WorstLayer:
    """A file that is wrong for an image at an alpha.

    layers: module name -> name of the value in the graph.
    """

    path: Path
    reference: Reference
    layers: Mapping[str, str]
    alpha: tuple[float, ...]
    image: Array
    metadata: Metadata

    def first_broken(self) -> str | None:
        """The first layer with a value that is no number."""
        return next((name for name, difference in self._differences.items() if not np.isfinite(difference)), None)

    def told(self) -> str:
        """The one that differs most, for the middle of a sentence; empty where none can be compared."""
        if not self._differences:
            return ""
        name = max(self._differences, key=lambda layer: self._differences[layer])
        return f", worst in layer {name!r} (relative error {self._differences[name]:.2g})"

    @cached_property
    def _differences(self) -> dict[str, float]:
        """max |difference| / max(1, |PyTorch|max) of every module's output, in the order of computation."""
        got = self._file_outputs()
        wanted = self.reference.layer_outputs(self.alpha, self.image, got)
        return {
            module: float(np.abs(got[module] - wanted[module]).max()) / max(1.0, float(np.abs(wanted[module]).max()))
            for module in got
            if module in wanted and got[module].shape == wanted[module].shape
        }

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
        if self.metadata.alpha_plane:
            feed["input"] = append_planes(self.image, self.alpha)
        elif self.metadata.alpha_pinned is None:
            inputs = self.metadata.alpha_inputs
            feed |= zip(inputs, np.split(np.array(self.alpha, np.float32), len(inputs)), strict=True)
        values = dict(zip(names, session.run(names, feed), strict=True))
        return {module: np.asarray(values[self.layers[module]], np.float32) for module in watched}
