"""`dni inspect`: two checkpoints compared, what one is, or what a model holds."""

from pathlib import Path
from typing import Any

import click

import dni_exporters
from dni_deploy import terminal
from dni_deploy.cli import options
from dni_deploy.cli.errors import Command
from dni_deploy.photographs.verdict_sheet import VerdictSheet
from dni_exporters.opening import SUFFIXES, is_safetensors
from dni_exporters.sources import UNIT


@click.command(cls=Command)
@click.argument("files", nargs=-1, required=True, type=options.PATH, metavar="A [B] | MODEL.onnx")
@options.arch
@options.arch_args
@options.value_range
@click.option("--photos", type=options.PATH, metavar="DIR", help="Photographs to try blends on; else built-in ones.")
@click.option("--sheet", type=options.PATH, metavar="FILE.png", help="Write what the blends made of them side by side.")
@options.force
@options.as_json
def inspect(
    files: tuple[Path, ...],
    arch: str,
    arch_args: dict[str, Any],
    value_range: tuple[float, float],
    photos: Path | None,
    sheet: Path | None,
    force: bool,
    as_json: bool,
) -> None:
    """Compare two checkpoints, or tell what one or a model holds.

    \b
    Examples:
      dni inspect A.pth B.pth      can they be blended, and does it work?
        --photos DIR --sheet S.png     tried on your own photographs, and shown
      dni inspect A.pth            which network, where in the file, parameters, dtypes
      dni inspect model.onnx       endpoints, alpha, sizes, operators, weights
    """
    if len(files) > 2:
        raise click.UsageError(f"{len(files)} files given; expected one or two checkpoints, or one ONNX model")
    if len(files) != 2 and (photos or sheet):
        raise click.UsageError("--photos and --sheet are for two checkpoints: blends of them are tried on photographs")
    if len(files) != 2 and value_range != UNIT:
        raise click.UsageError("--range is for two checkpoints: blends of them are tried on photographs")
    if len(files) == 2:
        rows = VerdictSheet(sheet, photos, force=force) if sheet else None
        _compare(files, arch, arch_args, value_range, as_json, photos, rows)
    elif _is_checkpoint(files[0]):
        _describe(files[0], arch, arch_args, as_json)
    else:
        _model(files[0], as_json)


def _compare(
    files: tuple[Path, ...],
    arch: str,
    arch_args: dict[str, Any],
    value_range: tuple[float, float],
    as_json: bool,
    photos: Path | None,
    sheet: VerdictSheet | None,
) -> None:
    from . import tables

    with terminal.status("comparing") as step:
        report = dni_exporters.inspect_endpoints(
            *files,
            arch=arch,
            arch_args=arch_args,
            value_range=value_range,
            photos=photos,
            progress=step,
            seen=sheet.add if sheet else None,
        )
    blends = report.verdict is not None and report.verdict.blends  # what photographs say outweighs what weights do
    advice = [report.verdict.advice] if report.verdict is not None and report.verdict.advice else []
    terminal.remark([*report.notes, *advice], [report.lineage.warning] if report.lineage and not blends else [])
    terminal.say_json(report.to_dict()) if as_json else tables.print_endpoints(report)
    if report.verdict is not None:
        if not as_json:
            tables.print_verdict(report.verdict)
        if sheet is not None:
            sheet.write(report.verdict)
    if report.reasons or report.differences:
        raise click.exceptions.Exit(1)


def _describe(file: Path, arch: str, arch_args: dict[str, Any], as_json: bool) -> None:
    from dni_exporters.inspection import inspect_checkpoint

    from . import tables

    with terminal.status("reading"):
        report = inspect_checkpoint(file, arch=arch, arch_args=arch_args)
    terminal.remark(report.notes)
    terminal.say_json(report.to_dict()) if as_json else tables.print_checkpoint(report)


def _model(file: Path, as_json: bool) -> None:
    from dni_deploy.model_report import inspect_model

    from . import tables

    model = inspect_model(file)
    terminal.say_json(model.to_dict()) if as_json else tables.print_model(model)


def _is_checkpoint(file: Path) -> bool:
    """By its name; of another one by what it begins with: a zip archive, a pickle, the header of safetensors."""
    suffix = file.suffix.lower()
    if suffix in (*SUFFIXES, ".json"):
        return True
    if suffix in (".onnx", ".ort") or not file.is_file():
        return False
    with file.open("rb") as opened:
        head = opened.read(9)
    return head.startswith((b"PK", b"\x80")) or is_safetensors(head)
