"""The files that are measured, written on the GPU machine: weights filled in, and alpha baked in."""

import os
from dataclasses import dataclass
from pathlib import Path

import onnx
from endpoints import State, fill
from export import carried
from way import ALPHA

from dni_runtime import pin


@dataclass(frozen=True, slots=True)
class Files:
    """The alpha-input file, and one that is baked for ALPHA; `note` says how it was baked."""

    model: Path
    baked: Path
    note: str


def write_files(source: Path, target: Path, name: str, dtype: str, a: State, b: State) -> Files:
    """Write both into the folder `target`, from the graph that was carried in `source`."""
    graph = onnx.load(carried(source, name, dtype), load_external_data=False)
    fill(graph, a, b)
    files = Files(target / f"{name}-{dtype}.onnx", target / f"{name}-{dtype}-baked.onnx", "folded by the exporter")
    onnx.save(graph, files.model)
    try:
        import onnx_ir as ir

        from dni_exporters.graphs.bake import bake

        ir.save(bake(files.model, ALPHA), files.baked)
    except Exception as error:  # an exporter that does not run there must not end the measurement
        files.baked.unlink(missing_ok=True)
        onnx.save(pin(graph, ALPHA), files.baked)
        return Files(files.model, files.baked, f"pinned, folded by ONNX Runtime ({type(error).__name__}: {error})")
    return files


def size_bytes(path: Path) -> int:
    return os.path.getsize(path)
