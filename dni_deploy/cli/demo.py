"""`dni demo`: everything once, on the bundled pair."""

from pathlib import Path

import click

from . import options
from .errors import Command


@click.command(cls=Command)
@options.output("The folder to write to.", metavar=None, required=False, default=Path("demo-output"), show_default=True)
@options.force
def demo(output: Path, force: bool) -> None:
    """Try everything on a bundled pair of denoisers.

    Exports them, sweeps a noisy photograph over alpha, and makes a contact sheet.
    """
    from dni_deploy.demo.show import show

    show(output, force=force)
