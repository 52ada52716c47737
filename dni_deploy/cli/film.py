"""`dni film`: a model on a film."""

from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from dni_deploy import FilmReport, terminal
from dni_deploy.films.alpha_sheet import make_alpha_sheet
from dni_deploy.films.enhance_film import run
from dni_deploy.films.making.job import BETWEEN, LINEAR, FilmJob
from dni_deploy.films.moments import read_moment
from dni_deploy.films.target.codecs import CODECS
from dni_deploy.films.target.copies import DROPPABLE
from dni_runtime import InputError

from . import options
from .errors import Command, parsed, under

_OF_SHEETS = {
    *("model", "film", "alphas", "alpha_sheet", "force", "start", "end", "tile", "overlap"),
    *("provider", "provider_options", "threads"),
}


def _as_tuple(context: click.Context, option: click.Parameter, text: str | None) -> tuple[str, ...]:
    kinds = tuple(kind.strip() for kind in (text or "").split(",") if kind.strip())
    if unknown := [kind for kind in kinds if kind not in DROPPABLE]:
        raise click.UsageError(f"--drop {unknown[0]!r} is no kind of stream; expected any of {','.join(DROPPABLE)}")
    return kinds


@click.command(cls=Command)
@options.model_file
@click.argument("film", type=options.PATH)
@options.output("The film to write: .mp4, .mov, .mkv or .webm.", required=False)
@options.alphas("The strength; auto follows the film's noise, of a model that is calibrated.", auto=True)
@click.option(
    "--alpha-from",
    type=options.PATH,
    metavar="KEYS.csv",
    help="A strength that moves: columns time (or frame) and alpha.",
)
@click.option(
    "--between",
    type=click.Choice(BETWEEN),
    default=LINEAR,
    show_default=True,
    help="What alpha is between two lines of --alpha-from: on its way, or held.",
)
@click.option(
    "--save-keys",
    type=options.PATH,
    metavar="KEYS.csv",
    help="Write down what --alpha auto has found, for --alpha-from.",
)
@click.option(
    "--alpha-sheet",
    type=options.PATH,
    metavar="SHEET.png",
    help="In place of a film: some of its frames at each --alpha, 0:1:0.25 for example, as one picture.",
)
@click.option("--resume", is_flag=True, help="Go on where the same command was stopped.")
@options.force
@click.option("--json", "as_json", is_flag=True, help="Print what was done as JSON.")
@under(
    "Which section",
    click.option("--start", type=parsed(read_moment), metavar="TIME", help="Seconds, or h:m:s.  [default: 0]"),
    click.option("--end", type=parsed(read_moment), metavar="TIME", help="Likewise; of the film, not of the section."),
    click.option(
        "--preview",
        type=float,
        metavar="SECONDS",
        help="Only so many, from --start or in the middle, before and after beside each other.",
    ),
)
@under(
    "The file",
    click.option(
        "--codec",
        type=click.Choice(CODECS),
        help="[default: h264 for 8 bits, h265 for more; in .webm vp9 and av1]",
    ),
    click.option("--crf", type=float, metavar="Q", help="The encoder's quality: the lower, the better."),
    click.option("--preset", metavar="NAME", help="The encoder's, such as slow."),
    click.option("--lossless", is_flag=True, help="Lose nothing: what the network leaves alone stays exactly."),
    click.option("--pixel-format", metavar="NAME", help="FFmpeg's, such as yuv444p10le."),
    click.option(
        "--drop",
        callback=_as_tuple,
        metavar="KINDS",
        help=f"Streams to leave out, any of {','.join(DROPPABLE)}.",
    ),
)
@under(
    "Pixels",
    options.output_scale,
    options.tile,
    options.overlap,
)
@under(
    "Where it runs",
    options.provider,
    options.provider_options,
    options.threads("CPU threads of the network.  [default: one per core]"),
    options.ray,
)
def film(as_json: bool, alphas: list[Any], alpha_sheet: Path | None, **settings: Any) -> None:
    """Run MODEL, an .onnx or .ort file, on every frame of FILM. Timing, sound, subtitles, chapters and all else in the
    file stay as they are.

    \b
    Examples:
      one strength         dni film model.onnx in.mp4 --alpha 0.4 -o out.mp4
      one that moves       dni film model.onnx in.mkv --alpha-from keys.csv -o out.mkv
      a section            dni film model.onnx in.mp4 --alpha 0.4 --start 0:01:10 --end 0:01:20 -o out.mp4
      which strength?      dni film model.onnx in.mp4 --alpha 0:1:0.25 --alpha-sheet strengths.png
      before and after     dni film model.onnx in.mp4 --alpha 0.4 --preview 3 -o look.mp4
      go on                dni film model.onnx in.mp4 --alpha 0.4 -o out.mp4 --resume
    """
    screen = terminal.Terminal()
    if alpha_sheet is not None:
        _check_sheet_alone()
        job = _job({**settings, "output": alpha_sheet})
        with screen.progress("", "pictures") as report:
            make_alpha_sheet(job, alphas, report)
        terminal.say(alpha_sheet)
        return
    if settings["output"] is None:
        raise click.UsageError("-o is missing: a film needs a name (or give --alpha-sheet, for a picture of strengths)")
    if len(alphas) > 1:
        raise click.UsageError(
            f"a film has one --alpha, {len(alphas)} were given; --alpha-from lets it move, --alpha-sheet shows several"
        )
    job = _job({**settings, "alpha": alphas[0] if alphas else None})
    with screen.progress("", "frames") as report:
        made = run(job, screen.tell, report)
    if as_json:
        terminal.say_json(made.to_dict())
    else:
        terminal.say(told(made))


def _job(settings: dict[str, Any]) -> FilmJob:
    try:
        return FilmJob(**settings)
    except InputError as error:
        raise click.UsageError(str(error)) from None


def _check_sheet_alone() -> None:
    """Refuse options that say something of a film which is not made."""
    context = click.get_current_context()
    for option in context.command.params:
        given = context.get_parameter_source(option.name or "") == ParameterSource.COMMANDLINE
        if given and option.name not in _OF_SHEETS:
            raise click.UsageError(f"--alpha-sheet makes a picture and no film; leave {option.opts[0]} out")


def told(made: FilmReport) -> str:
    """One line."""
    computed = made.frames - made.kept
    rate = f"{computed / made.seconds:.1f} frames a second" if computed else "finished before"
    kept = f"{made.kept} of them finished before" if made.kept and computed else ""
    equal = f"{made.equal} equal to the one before" if made.equal else ""
    told = (str(made.output), f"{made.frames} frames", kept, equal, f"{made.seconds:.1f} s", rate)
    return "  ".join(filter(None, told))
