"""`dni calibrate`: which alpha fits which noise, put into a model's file."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from dni_deploy import terminal

from . import options
from .errors import Command, parsed
from .parsers import parse_levels


@click.command(cls=Command)
@options.model_file
@click.option(
    "--clean", type=options.PATH, required=True, metavar="DIR", help="Clean photographs, ten or more, to spoil."
)
@click.option(
    "--noise", type=parsed(parse_levels), metavar="LO:HI:STEP", help="For noise: sigmas, of 255, such as 5:75:5."
)
@click.option("--jpeg", type=parsed(parse_levels), metavar="LO:HI:STEP", help="For JPEGs: qualities, such as 10:95:5.")
@options.output("Write the calibrated model there.  [default: into MODEL itself]", required=False)
@options.provider
@options.threads("CPU threads.  [default: one per core]")
@options.force
@options.as_json
def calibrate(
    model: Path,
    clean: Path,
    noise: Sequence[float] | None,
    jpeg: Sequence[float] | None,
    as_json: bool,
    **settings: Any,
) -> None:
    """Find which alpha fits which noise, or quality of a JPEG.

    \b
    Examples:
      for noise               dni calibrate model.onnx --clean photos/ --noise 5:75:5
      for JPEGs, in a copy    dni calibrate model.onnx --clean photos/ --jpeg 10:95:5 -o calibrated.onnx

    Photographs are spoiled by each level, and the model is run on them at alphas over its whole range. What comes
    nearest to the clean photograph is kept, in the file's metadata: `dni inspect` shows it, and `dni run` takes
    --noise, --jpeg and --alpha auto.
    """
    from dni_deploy.calibrating import calibrate as find

    if (noise is None) == (jpeg is None):
        raise click.UsageError("give either --noise LO:HI:STEP or --jpeg LO:HI:STEP, not both or none")
    with terminal.Terminal().progress("calibrating ") as report:
        found = find(
            model,
            clean,
            noise=noise or (),
            jpeg=jpeg or (),
            progress=lambda done, total: report(done, total, model),
            **settings,
        )
    terminal.remark([], [found.warning])
    if as_json:
        terminal.say_json(found.to_dict())
        return
    from .inspecting.tables import print_calibration

    print_calibration(found.calibration, found.alpha_range, found)
    of = "photograph" if found.photographs == 1 else "photographs"
    terminal.say(f"{found.path}: calibrated on {found.parts} parts of {found.photographs} {of}")
