"""The tables of `dni inspect`."""

from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from dni_runtime import Metadata, format_alpha

from .model_report import ModelReport

if TYPE_CHECKING:
    from dni_exporters import EndpointsReport

# Layers to show; the others are in --json.
_LAYERS = 12


def print_endpoints(report: "EndpointsReport") -> None:
    """Print whether two endpoints can be blended, and how near to each other they are."""
    console = _console()
    facts = _facts(f"{report.endpoints[0]} and {report.endpoints[1]}")
    facts.add_row("tensors", f"{report.tensors} with {report.parameters:,} parameters")
    if report.architecture:
        scale = "" if report.scale is None else f", scale {report.scale:g}"
        facts.add_row("network", report.architecture + scale)
    if report.differences:
        facts.add_row("can be blended", f"no, they differ in {len(report.differences)} place(s)")
    else:
        facts.add_row("can be blended", "yes")
    lineage = report.lineage
    if lineage is not None:
        verdict = "look unrelated" if lineage.looks_unrelated else "look fine-tuned from one another"
        facts.add_row("lineage", f"{verdict} (mean cosine similarity {lineage.overall_cosine:.3f})")
        facts.add_row("relative distance", f"{lineage.relative_distance:.3f} of A's norm")
    for output in report.outputs:
        facts.add_row(f"output at alpha {output.alpha:g}", f"mean {output.mean:.3f}, deviation {output.deviation:.3f}")
    console.print(facts)
    for line in report.differences:
        console.print(f"  {line}", soft_wrap=True)
    if lineage is not None and lineage.cosine:
        table = Table("layer", "cosine similarity", title="least alike layers", title_justify="left")
        table.columns[0].overflow = "fold"
        least = sorted(lineage.cosine.items(), key=lambda item: item[1])
        for name, cosine in least[:_LAYERS]:
            table.add_row(name, f"{cosine:.3f}")
        console.print(table)


def print_model(report: ModelReport) -> None:
    """Print what an ONNX model holds."""
    console = _console()
    facts = _facts(str(report.path))
    weights = sum(weight.bytes for weight in report.weights)
    shared = sum(weight.bytes for weight in report.weights if not weight.blended)
    size = f"{report.file_bytes / 1e6:.2f} MB"
    if report.format == "ort":
        facts.add_row("size", size)
    else:
        facts.add_row("size", f"{size}, weights {weights / 1e6:.2f} MB")
        for kind, by_type in report.storage.items():
            parts = ", ".join(f"{count / 1e6:.3f} MB {dtype}" for dtype, count in by_type.items())
            facts.add_row(f"  {kind}", parts)
        facts.add_row("  graph", f"{report.graph_bytes / 1e6:.3f} MB")
    if report.external_files:
        facts.add_row("weights are in", ", ".join(report.external_files))
    for title, values in (("input", report.inputs), ("output", report.outputs)):
        for name, kind in values.items():
            facts.add_row(title, f"{name}: {kind}")
    if report.opset:
        facts.add_row("opset", str(report.opset))
    operators = ", ".join(f"{count} {name}" for name, count in report.operators.items())
    facts.add_row("operators", operators or "not told by an .ort file, nor its weights; inspect the .onnx file")
    if report.metadata is None:
        facts.add_row("made by", "another tool: no dni metadata")
    else:
        _add_metadata(facts, report.metadata)
    console.print(facts)
    if report.format == "ort":
        return
    table = Table("weight", "shape", "dtype", "kB", "endpoints", title_justify="left")
    table.columns[0].overflow = "fold"
    table.columns[3].justify = "right"
    for column in table.columns[1:]:
        column.no_wrap = True
    for weight in report.weights:
        shape = "x".join(map(str, weight.shape)) or "scalar"
        kept = "blended" if weight.blended else "shared"
        table.add_row(weight.name, shape, weight.dtype, f"{weight.bytes / 1e3:.1f}", kept)
    table.title = (
        f"{len(report.weights)} weights; {(weights - shared) / 1e6:.2f} MB blended, {shared / 1e6:.2f} MB shared"
    )
    console.print(table)


def _add_metadata(facts: Table, metadata: Metadata) -> None:
    for letter, endpoint in zip("ABCDEFGHIJKLMNOPQRSTUVWXYZ", metadata.endpoints, strict=False):
        facts.add_row(f"endpoint {letter}", f"{endpoint.file} (SHA-256 {endpoint.sha256[:12]}...)")
    if metadata.alpha_pinned is not None:
        facts.add_row("alpha", f"baked for {format_alpha(metadata.alpha_pinned)}")
    else:
        default = "no default"
        if metadata.alpha_default is not None:
            default = f"default {format_alpha(metadata.alpha_default)}"
        where = ", the last channels of the image" if metadata.alpha_plane else ""
        facts.add_row("alpha", f"{metadata.alpha_range[0]:g}..{metadata.alpha_range[1]:g}, {default}{where}")
    scale = "undefined" if metadata.scale is None else f"{metadata.scale:g}"
    facts.add_row("network", f"{metadata.architecture}, scale {scale}, {metadata.dtype}")
    reach = "unbounded or long" if metadata.overlap is None else f"{metadata.overlap} px"
    facts.add_row(
        "image sizes", f"multiples of {metadata.size_multiple}, at least {metadata.size_minimum}; reach {reach}"
    )
    facts.add_row("made by", metadata.tool)


def _console() -> Console:
    """Prints names as they are: `[batch,3]` is no markup, `:a:` no emoji."""
    return Console(highlight=False, markup=False, emoji=False)


def _facts(title: str) -> Table:
    table = Table(title=title, show_header=False, box=None, title_justify="left", padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    return table
