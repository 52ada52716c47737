"""`dni inspect`: two checkpoints compared, or what a model holds."""

from pathlib import Path
from typing import Any

import click

import dni_exporters
from dni_deploy import terminal
from dni_exporters.sources import SUFFIXES

from . import options
from .errors import Command


@click.command(cls=Command)
@click.argument("files", nargs=-1, required=True, type=options.PATH, metavar="A B | MODEL.onnx")
@options.arch
@options.arch_args
@options.as_json
def inspect(files: tuple[Path, ...], arch: str, arch_args: dict[str, Any], as_json: bool) -> None:
    """Compare two checkpoints, or tell what an ONNX model holds.

    \b
    Examples:
      dni inspect A.pth B.pth      can they be blended, and were they trained from one another?
      dni inspect model.onnx       endpoints, alpha, sizes, operators, weights
    """
    from . import tables

    if len(files) == 1 and files[0].suffix.lower() not in SUFFIXES:
        from dni_deploy.model_report import inspect_model

        model = inspect_model(files[0])
        terminal.say_json(model.to_dict()) if as_json else tables.print_model(model)
        return
    if len(files) != 2:
        kind = "checkpoint" if len(files) == 1 else "files"
        raise click.UsageError(f"{len(files)} {kind} given; expected two checkpoints or one ONNX model")
    with terminal.status("comparing"):
        report = dni_exporters.inspect_endpoints(*files, arch=arch, arch_args=arch_args)
    terminal.remark(report.notes, [report.lineage.warning] if report.lineage else [])
    terminal.say_json(report.to_dict()) if as_json else tables.print_endpoints(report)
    if report.differences:
        raise click.exceptions.Exit(1)
