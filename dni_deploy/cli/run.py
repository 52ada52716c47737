"""`dni run`: a model on image files and folders."""

from pathlib import Path
from typing import Any

import click

from . import options
from .errors import Command


@click.command(cls=Command)
@options.model_file
@click.argument("inputs", nargs=-1, required=True, type=options.PATH, metavar="INPUT...")
@options.output("An image file, or a folder for several results.")
@options.alphas("The strength; repeatable.")
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
def run(model: Path, inputs: tuple[Path, ...], output: Path, alphas: list[Any], **settings: Any) -> None:
    """Run MODEL, an .onnx or .ort file, on image files and folders.

    \b
    Examples:
      one image            dni run model.onnx photo.png --alpha 0.7 -o out.png
      a sweep and a sheet  dni run model.onnx photo.png --alpha 0:1:0.25 -o sweep/ --sheet sheet.png
      a folder             dni run model.onnx photos/ --alpha 0.7 -o results/
      on OpenVINO          dni run model.onnx photo.png --alpha 0.7 -o out.png --provider openvino
      an alpha per frame   dni run model.onnx frames/ --alpha-from alphas.csv -o results/
    """
    from dni_deploy.photographs.run import run_model

    if alphas and settings["alpha_from"]:
        raise click.UsageError("give either --alpha (for all images) or --alpha-from (one for each), not both")
    failed = run_model(model, list(inputs), output, alphas, **settings)
    if failed:
        raise click.exceptions.Exit(1)
