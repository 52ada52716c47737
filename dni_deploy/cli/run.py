"""`dni run`: a model on image files and folders."""

from collections.abc import Sequence
from typing import Any

import click

from dni_deploy import EnhancedFile, terminal
from dni_runtime import InputError

from . import options
from .errors import Command


@click.command(cls=Command)
@options.model_file
@click.argument("inputs", nargs=-1, required=True, type=options.PATH, metavar="INPUT...")
@options.output("An image file, or a folder for several results.")
@options.alphas("The strength; repeatable. auto is what fits each image, of a model that is calibrated.", auto=True)
@click.option("--noise", type=float, metavar="SIGMA", help="The strength for noise of that sigma, of 255, instead.")
@click.option("--jpeg", type=float, metavar="QUALITY", help="The strength for JPEGs of that quality, instead.")
@click.option(
    "--alpha-from",
    type=options.PATH,
    metavar="TABLE.csv",
    help="A strength for each image of a folder: columns file and alpha. Goes on where it was interrupted.",
)
@click.option(
    "--ray",
    metavar="ADDRESS|local",
    help="Over the Ray cluster of this machine: auto or HOST:PORT; local starts one here. Goes on as well.",
)
@click.option(
    "--tile",
    type=click.IntRange(min=0),
    metavar="N",
    help="Tiles of N x N pixels, 0 for none.  [default: 512 for large images]",
)
@click.option(
    "--overlap",
    type=click.IntRange(min=0),
    metavar="N",
    help="Pixels thrown away on each inner side of a tile.  [default: the network's reach]",
)
@options.provider
@options.provider_options
@options.threads("CPU threads.  [default: one per core]")
@click.option(
    "--sheet",
    type=options.PATH,
    metavar="SHEET.png",
    help="Also write all results as one labelled picture.",
)
@options.force
@options.as_json
def run(as_json: bool, **settings: Any) -> None:
    """Run MODEL, an .onnx or .ort file, on image files and folders.

    \b
    Examples:
      one image            dni run model.onnx photo.png --alpha 0.7 -o out.png
      a sweep and a sheet  dni run model.onnx photo.png --alpha 0:1:0.25 -o sweep/ --sheet sheet.png
      a folder             dni run model.onnx photos/ --alpha 0.7 -o results/
      what fits each       dni run model.onnx photos/ --alpha auto -o results/
      on OpenVINO          dni run model.onnx photo.png --alpha 0.7 -o out.png --provider openvino
      an alpha per frame   dni run model.onnx frames/ --alpha-from alphas.csv -o results/
    """
    from dni_deploy.runs import RunJob, write_sheet
    from dni_deploy.runs import run as run_job

    try:
        job = RunJob(**settings)
    except InputError as error:
        raise click.UsageError(str(error)) from None
    results = run_job(job, terminal.Terminal())
    _tell(results, as_json)
    made = [result for result in results if result.error is None]
    if job.sheet is not None and made:
        write_sheet(job.sheet, made)
    if len(made) < len(results):
        raise click.exceptions.Exit(1)


def _tell(results: Sequence[EnhancedFile], as_json: bool) -> None:
    for result in results:
        if result.error is not None:
            named = "" if result.error.startswith(str(result.input)) else f"{result.input}: "
            terminal.say(f"failed: {named}{result.error}", err=True, color="red")
    if as_json:
        terminal.say_json([result.to_dict() for result in results])
        return
    for result in results:
        if result.error is None:
            done = "finished before" if result.kept else f"{result.seconds:.2f} s"
            terminal.say("  ".join(filter(None, (str(result.output), result.strength, done))))
