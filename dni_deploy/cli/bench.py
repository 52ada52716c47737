"""`dni bench`: the ways to run a model, compared."""

from pathlib import Path
from typing import Any

import click

from dni_deploy import terminal

from . import options
from .errors import Command


@click.command(cls=Command)
@options.model_file
@options.sizes("--size", "Image size; repeatable.", "sizes")
@options.threads("CPU threads; repeatable.  [default: all]", multiple=True)
@options.one_alpha("The strength that is held.")
@options.provider
@click.option(
    "--seconds",
    type=click.FloatRange(min=0.1),
    default=30.0,
    show_default=True,
    help="Of measuring, for each size and number of threads.",
)
@options.as_json
def bench(model: Path, threads: tuple[int, ...], as_json: bool, **settings: Any) -> None:
    """Compare the ways to run an alpha-input MODEL on random images.

    \b
    Examples:
      what it costs to change alpha    dni bench model.onnx
      larger images, one and two cores dni bench model.onnx --size 256x256 --threads 1 --threads 2

    A file baked for one alpha is the yardstick; nothing is timed before all have given the same result. On the CPU
    OpenVINO and ncnn take part where they are installed, ncnn if MODEL has a form for it.
    """
    from dni_deploy.bench import bench_model, print_report

    with terminal.status("loading") as step:
        report = bench_model(model, threads=threads or (None,), progress=step, **settings)
    terminal.say_json(report.to_dict()) if as_json else print_report(report)
