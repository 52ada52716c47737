"""`dni fit`: weights that are learnt from photographs, so that two networks lie on one slider."""

from pathlib import Path
from typing import Any

import click

import dni_exporters
from dni_deploy import terminal
from dni_deploy.photographs.fit_sheet import FitSheet
from dni_exporters.fitting.job import CURVES, DEGRADE, MINUTES

from . import options
from .errors import Command


@click.command(cls=Command)
@click.argument("endpoints", nargs=2, required=True, type=options.PATH, metavar="A B")
@options.output("C.safetensors; a cubic curve has two, C-1 and C-2.")
@click.option(
    "--photos", type=options.PATH, required=True, metavar="DIR", help="Photographs to learn from; any will do."
)
@click.option(
    "--curve",
    type=click.Choice([*CURVES]),
    default="quadratic",
    show_default=True,
    help="Around one middle, or around two.",
)
@click.option(
    "--start", type=options.PATH, metavar="C", help="Begin with what was fitted for a pair like this one, not anew."
)
@click.option("--teach", is_flag=True, help="Write a network like A that gives the pictures of B, and blends with A.")
@options.arch
@options.arch_args
@options.value_range
@click.option("--arch-b", metavar="auto|NAME|CODE", help="With --teach: the network of B, where it is another one.")
@click.option(
    "--range-b",
    type=float,
    nargs=2,
    default=(0.0, 1.0),
    metavar="LO HI",
    show_default=True,
    help="As --range, of --arch-b.",
)
@click.option(
    "--degrade",
    multiple=True,
    default=DEGRADE,
    show_default=True,
    metavar="KIND:LO:HI",
    help="What is done to the photographs, as the networks expect it: noise (sigma of 255), jpeg (quality), blur "
    "(sigma in pixels), each to half of them; none; repeatable.",
)
@click.option("--minutes", type=float, metavar="N", help=f"End at the latest then.  [default: {MINUTES:g}]")
@click.option(
    "--steps", type=click.IntRange(min=1), metavar="N", help="In place of minutes: repeatable with the same seed."
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, metavar="N", help="Of all chance.")
@options.threads("Of the CPU.  [default: PyTorch's own]")
@click.option("--resume", is_flag=True, help="Go on from the state that an earlier fit has left beside the output.")
@click.option("--anyway", is_flag=True, help="Fit also where the straight line blends already.")
@click.option("--sheet", type=options.PATH, metavar="FILE.png", help="Write pictures before and after side by side.")
@options.force
@options.as_json
def fit(
    endpoints: tuple[Path, ...], output: Path, sheet: Path | None, force: bool, as_json: bool, **settings: Any
) -> None:
    """Learn a middle around which A and B blend, from photographs.

    \b
    Examples:
      ten minutes, and a look at it   dni fit A.pth B.pth --photos DIR -o C.safetensors --sheet fit.png
      go on from where it stopped     dni fit A.pth B.pth --photos DIR -o C.safetensors --resume --minutes 30
      from the next level's middle    dni fit A.pth B.pth --photos DIR -o C.safetensors --start C2.safetensors
      B of another architecture       dni fit A.pth B.pth --photos DIR -o B2.safetensors --teach

    No pairs of pictures are needed: what is learnt is the mix of what A and B make of a photograph. Export A and B
    with --through C.safetensors --curve; or A and B2, the network that was taught, as any pair.
    """
    rows = FitSheet(sheet, settings["photos"], force=force or settings["resume"]) if sheet else None
    try:
        with terminal.status("reading photographs") as step:
            report = dni_exporters.fit(
                endpoints, output, force=force, progress=step, shown=rows.add if rows else None, **settings
            )
    except KeyboardInterrupt as interrupt:
        terminal.remark(getattr(interrupt, "__notes__", ()))
        raise click.Abort from None
    terminal.remark(report.notes, report.warnings)
    if rows is not None:
        rows.write(report.after.text)
    terminal.say_json(report.to_dict()) if as_json else terminal.say(*report.summary().split("\n"))
