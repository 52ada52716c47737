"""The tables of `dni inspect`."""

from collections.abc import Iterator
from string import ascii_uppercase
from typing import TYPE_CHECKING

from dni_deploy import terminal
from dni_deploy.model_report import ModelReport, Weight
from dni_runtime import Calibration, Metadata, format_alpha
from dni_runtime.calibration import KINDS
from dni_runtime.metadata import AVERAGES, WHOLE

if TYPE_CHECKING:
    from dni_deploy.calibrating import CalibrationReport
    from dni_exporters import EndpointsReport, Verdict
    from dni_exporters.report import CheckpointReport

# What is shown of a long list; the others are in --json.
_LAYERS = 3
_MOST = 10
# Of a curve.
_WIDTH = 41


def print_endpoints(report: "EndpointsReport") -> None:
    """Print whether two endpoints can be blended, and how near to each other they are."""
    facts = [("tensors", f"{report.tensors} with {report.parameters:,} parameters")]
    if report.architecture:
        scale = "" if report.scale is None else f", scale {report.scale:g}"
        facts.append(("network", report.architecture + scale))
    facts.append(("can be blended", _can_be_blended(report)))
    lineage = report.lineage
    if lineage is not None:
        verdict = "look unrelated" if lineage.looks_unrelated else "look fine-tuned from one another"
        facts.append(("lineage", f"{verdict} (mean cosine similarity {lineage.overall_cosine:.3f})"))
        facts.append(("relative distance", f"{lineage.relative_distance:.3f} of A's norm"))
    facts += [
        (f"output at alpha {output.alpha:g}", f"mean {output.mean:.3f}, deviation {output.deviation:.3f}")
        for output in report.outputs
    ]
    if lineage is not None and lineage.cosine:
        least = sorted(lineage.cosine.items(), key=lambda item: item[1])[:_LAYERS]
        facts.append(("least alike layers", ", ".join(f"{name} {cosine:.3f}" for name, cosine in least)))
    terminal.say_facts(f"{report.endpoints[0]} and {report.endpoints[1]}", facts)
    listed = report.differences if report.reasons or len(report.differences) > 1 else ()
    terminal.say(*(f"  {line}" for line in listed[:_MOST]))
    if (more := len(listed) - _MOST) > 0:
        terminal.say(f"  and {more} more: --json lists all")


def _can_be_blended(report: "EndpointsReport") -> str:
    count = len(report.differences)
    if report.reasons:
        return f"no: {'; '.join(report.reasons)}" + (f"; they differ in {count} place(s)" if count else "")
    if count == 1:
        return f"no: {report.differences[0]}"
    return f"no, they differ in {count} place(s)" if count else "yes"


def print_verdict(verdict: "Verdict") -> None:
    """Print what the blend does to photographs: the worst for each alpha, and the sentence."""
    rows = [
        (
            format_alpha(each.alpha),
            f"{each.colour_shift:.1f}",
            f"{each.contrast:.2f}",
            f"{each.detail:.2f}",
            f"{each.to_mix_db:.1f} dB",
            each.photograph,
        )
        for each in verdict.figures
    ]
    if rows:
        columns = ("alpha", "colour shift (dE2000)", "contrast", "detail", "to the ends' mix", "largest shift on")
        terminal.say_table("the blend beside its ends, on photographs", columns, rows, numbers=range(1, 5))
        terminal.say(f"the ends are {verdict.ends_apart_db:.1f} dB apart; tried on {', '.join(verdict.photographs)}")
    terminal.say(f"verdict: {verdict.text}")


def print_checkpoint(report: "CheckpointReport") -> None:
    """Print what one checkpoint is."""
    facts = []
    if report.architecture:
        scale = "" if report.scale is None else f", scale {report.scale:g}"
        facts.append(("network", report.architecture + scale))
    if report.settings:
        facts.append(("built with", ", ".join(f"{name}={value}" for name, value in report.settings.items())))
    if report.channels:
        facts.append(("channels", "{} in, {} out".format(*report.channels)))
    facts.append(("tensors", f"{report.tensors} with {report.parameters:,} parameters"))
    facts.append(("dtypes", ", ".join(f"{dtype} ({count})" for dtype, count in report.dtypes.items())))
    facts.append(("weights are in", ".".join(report.nesting) or "the top level"))
    if report.prefix:
        facts.append(("names begin with", report.prefix))
    if report.values:
        facts.append(("values beside", ", ".join(f"{name}={value}" for name, value in report.values.items())))
    if report.bytes is not None:
        facts.append(("size", f"{report.bytes / 1e6:.2f} MB"))
    facts.append(("SHA-256", report.sha256))
    terminal.say_facts(report.name, facts)


def print_model(report: ModelReport) -> None:
    """Print what an ONNX model holds."""
    facts: list[tuple[str, str]] = []
    weights = sum(weight.bytes for weight in report.weights)
    shared = sum(weight.bytes for weight in report.weights if not weight.blended)
    size = f"{report.file_bytes / 1e6:.2f} MB"
    if report.format == "ort":
        facts.append(("size", size))
    else:
        facts.append(("size", f"{size}, weights {weights / 1e6:.2f} MB"))
        for kind, by_type in report.storage.items():
            parts = ", ".join(f"{count / 1e6:.3f} MB {dtype}" for dtype, count in by_type.items())
            facts.append((f"  {kind}", parts))
        facts.append(("  graph", f"{report.graph_bytes / 1e6:.3f} MB"))
    if report.external_files:
        missing = {name: " (missing)" for name in report.missing_files}
        facts.append(("weights are in", ", ".join(name + missing.get(name, "") for name in report.external_files)))
    for title, values in (("input", report.inputs), ("output", report.outputs)):
        for name, kind in values.items():
            facts.append((title, f"{name}: {kind}"))
    if report.opset:
        facts.append(("opset", str(report.opset)))
    operators = ", ".join(f"{count} {name}" for name, count in report.operators.items())
    facts.append(("operators", operators or "not told by an .ort file, nor its weights; inspect the .onnx file"))
    if report.metadata is None:
        facts.append(("made by", "another tool: no dni metadata"))
    else:
        facts += _metadata(report.metadata)
    if report.ncnn_form is not None:
        facts.append(("ncnn form", report.ncnn_form))
    terminal.say_facts(str(report.path), facts)
    if report.metadata is not None and report.metadata.calibration is not None:
        print_calibration(report.metadata.calibration, report.metadata.alpha_range)
    if report.format == "ort":
        return
    rows = [
        (
            weight.name,
            "x".join(map(str, weight.shape)) or "scalar",
            weight.dtype,
            f"{weight.bytes / 1e3:.1f}",
            f"blended{_by(weight)}" if weight.blended else "shared",
        )
        for weight in report.weights
    ]
    title = f"{len(rows)} weights; {(weights - shared) / 1e6:.2f} MB blended, {shared / 1e6:.2f} MB shared"
    terminal.say_table(title, ("weight", "shape", "dtype", "kB", "endpoints"), rows, numbers=[3])


def _by(weight: Weight) -> str:
    return "" if weight.knob is None else f" by {weight.knob}"


def _metadata(metadata: Metadata) -> Iterator[tuple[str, str]]:
    path = metadata.alpha_path
    at = {} if path is None else dict(zip(path.knot_numbers, path.knots, strict=True))
    for number, (letter, endpoint) in enumerate(zip(ascii_uppercase, metadata.endpoints, strict=False)):
        where = f", at {at[number]:g}" if number in at else "" if path is None else ", a middle"
        yield f"endpoint {letter}", f"{endpoint.file}{where} (SHA-256 {endpoint.sha256[:12]}...)"
    if metadata.alpha_pinned is not None:
        yield "alpha", f"baked for {format_alpha(metadata.alpha_pinned)}"
    else:
        default = "no default"
        if metadata.alpha_default is not None:
            default = f"default {format_alpha(metadata.alpha_default)}"
        where = ", the last channels of the image" if metadata.alpha_plane else ""
        yield "alpha", f"{metadata.alpha_range[0]:g}..{metadata.alpha_range[1]:g}, {default}{where}"
    for knob in metadata.alpha_knobs:
        yield f"knob {knob.name}", f"for {', '.join(knob.patterns)}"
    if path is not None:
        yield "path", path.tell([endpoint.file for endpoint in metadata.endpoints])
    scale = "undefined" if metadata.scale is None else f"{metadata.scale:g}"
    yield "network", f"{metadata.architecture}, scale {scale}, {metadata.dtype}"
    reach = "unbounded or long" if metadata.overlap is None else f"{metadata.overlap} px"
    reach = {WHOLE: "the whole image", AVERAGES: f"{reach}, and averages of all"}.get(metadata.view or "", reach)
    yield "image sizes", f"{metadata.sizes}; reach {reach}"
    yield "made by", metadata.tool
    if metadata.verdict is not None:
        yield "verdict", metadata.verdict


def print_calibration(
    calibration: Calibration, alpha_range: tuple[float, float], report: "CalibrationReport | None" = None
) -> None:
    """Print the best alpha for each level, as numbers and as a curve, and what came of it where somebody looked."""
    low, high = alpha_range
    steps = [round((alpha - low) / (high - low) * (_WIDTH - 1)) for alpha in calibration.alphas]
    ends = f"{low:g}".ljust(_WIDTH - len(f"{high:g}")) + f"{high:g}"
    columns = [calibration.kind, "alpha", ends]
    rows = [
        [f"{level:g}", format_alpha([alpha]), "." * step + "o"]
        for level, alpha, step in zip(calibration.levels, calibration.alphas, steps, strict=True)
    ]
    if report is not None:
        columns += ["best", f"at {low:g}", f"at {high:g}"]
        figures = zip(report.best_db, report.low_db, report.high_db, strict=True)
        for row, each in zip(rows, figures, strict=True):
            row += [f"{db:.2f} dB" for db in each]
    title = f"calibrated: the best alpha for each {KINDS[calibration.kind]}"
    terminal.say_table(title, columns, rows, numbers=(0, 1, 3, 4, 5))
