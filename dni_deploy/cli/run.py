"""`dni run`: a model on image files and folders."""

from typing import Any

import click

from dni_deploy import EnhancedFile, terminal
from dni_deploy.image_files.formats import SUFFIXES
from dni_deploy.image_files.image_file import Writing
from dni_deploy.image_files.reading import MAX_MEGAPIXELS
from dni_runtime import InputError

from . import options
from .errors import Command, under


@click.command(cls=Command)
@options.model_file
@click.argument("inputs", nargs=-1, required=True, type=options.PATH_OR_STREAM, metavar="INPUT...")
@options.output("An image file, a folder for several results, or - for standard output.", type=options.PATH_OR_STREAM)
@options.alphas(
    "The strength; repeatable. auto is what fits each image, of a model that is calibrated.  [default: the model's]",
    auto=True,
)
@click.option("--recursive", is_flag=True, help="Take folders inside folders, too; results keep the tree.")
@click.option(
    "--sheet",
    type=options.PATH,
    metavar="SHEET.png",
    help="Also write all results as one labelled picture.",
)
@click.option(
    "--compare",
    is_flag=True,
    help="Beside each result before and after in one picture, NAME_compare.png; that alone for several --alpha and "
    "-o SHEET.png.",
)
@click.option("--skip-existing", is_flag=True, help="Leave out results that are there, whatever they are.")
@options.force
@click.option("--dry-run", "dry", is_flag=True, help="Check everything and list what would be made; make nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print each result as a line of JSON.")
@under(
    "Other ways to say the strength",
    click.option("--noise", type=float, metavar="SIGMA", help="What fits noise of that sigma, of 255."),
    click.option("--jpeg", type=float, metavar="QUALITY", help="What fits JPEGs of that quality."),
    click.option(
        "--alpha-from",
        type=options.PATH,
        metavar="TABLE.csv",
        help="One for each image of a folder: columns file and alpha.",
    ),
    click.option(
        "--alpha-mask",
        type=options.PATH,
        metavar="MASK.png",
        help="One for each region: black is the low end of alpha's range, white the high one.",
    ),
    click.option(
        "--levels",
        type=click.IntRange(min=2),
        metavar="N",
        default=5,
        show_default=True,
        help="With --alpha-mask: at how many alphas the network runs at most.",
    ),
)
@under(
    "Names and formats",
    click.option(
        "--name",
        metavar="PATTERN",
        default="{stem}{alpha}{suffix}",
        show_default=True,
        help="How results in a folder are called: any of {name}, {stem}, {suffix}, {alpha}, {index}, {parent}.",
    ),
    click.option(
        "--format",
        type=click.Choice(SUFFIXES),
        help="Of results.  [default: the input's, or png where that is not written]",
    ),
    click.option(
        "--quality",
        type=click.IntRange(1, 100),
        metavar="Q",
        help="Of JPEG, WebP and AVIF.  [default: 95]",
    ),
    click.option("--lossless", is_flag=True, help="WebP without a loss."),
    click.option("--strip", is_flag=True, help="Leave out profile, EXIF, XMP and texts of the input."),
)
@under(
    "Pixels",
    options.output_scale,
    click.option("--wrap", is_flag=True, help="The image is a tile without seams: its edges meet."),
    options.tile,
    options.overlap,
    click.option(
        "--max-megapixels",
        type=click.FloatRange(0, min_open=True),
        metavar="N",
        default=MAX_MEGAPIXELS,
        show_default=True,
        help="Refuse inputs that are larger.",
    ),
)
@under(
    "Where it runs",
    options.provider,
    options.provider_options,
    options.threads("CPU threads.  [default: one per core]"),
    options.ray,
)
def run(as_json: bool, format: str | None, quality: int | None, lossless: bool, strip: bool, **settings: Any) -> None:
    """Run MODEL, an .onnx or .ort file, on image files and folders. An INPUT of - is standard input.
    Started again, a run into a folder makes only what is missing.

    \b
    Examples:
      one image            dni run model.onnx photo.png --alpha 0.7 -o out.png
      a sweep and a sheet  dni run model.onnx photo.png --alpha 0:1:0.25 -o sweep/ --sheet sheet.png
      which strength?      dni run model.onnx photo.png --alpha 0:1:0.25 -o choose.png --compare
      a folder             dni run model.onnx photos/ --alpha 0.7 -o results/
      a tree, as JPEG      dni run model.onnx album/ --recursive --alpha 0.7 --format jpg -o results/
      what fits each       dni run model.onnx photos/ --alpha auto -o results/
      on OpenVINO          dni run model.onnx photo.png --alpha 0.7 -o out.png --provider openvino
      an alpha per frame   dni run model.onnx frames/ --alpha-from alphas.csv -o results/
    """
    from dni_deploy.runs import STANDARD, RunJob, on_files, write_sheet
    from dni_deploy.runs import run as run_job

    try:
        job = RunJob(**settings, writing=Writing(format, quality, lossless, strip))
    except InputError as error:
        raise click.UsageError(str(error)) from None
    if as_json and job.output == STANDARD:
        raise click.UsageError("standard output takes either the image of -o - or what --json prints, not both")
    screen = terminal.Terminal()
    with on_files(job) as streams:

        def tell(result: EnhancedFile) -> None:
            _tell(screen, streams.shown(result), as_json, err=job.output == STANDARD)

        results = run_job(streams.job, screen, tell)
        streams.send()
        made = [result for result in results if result.error is None]
        if job.sheet is not None and made and not job.dry:
            write_sheet(job.sheet, made)
    if len(made) < len(results):
        raise click.exceptions.Exit(1)


def _tell(screen: terminal.Terminal, result: EnhancedFile, as_json: bool, *, err: bool) -> None:
    """A line for a result, as soon as it is there."""
    if result.error is not None:
        source = "standard input" if str(result.input) == "-" else str(result.input)
        named = "" if result.error.startswith(source) else f"{source}: "
        screen.say(f"failed: {named}{result.error}", err=True, color="red")
    if as_json:
        screen.say(terminal.as_json(result.to_dict()))
    elif result.error is None:
        before = "finished before" if result.kept and not result.notes else ""
        done = f"{result.seconds:.2f} s" if result.seconds else before
        screen.say("  ".join(filter(None, (str(result.output), result.strength, done, *result.notes))), err=err)
