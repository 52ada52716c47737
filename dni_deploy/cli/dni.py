"""`dni`, the group of all commands, and `dni-export`."""

import click

from .bench import bench
from .calibrate import calibrate
from .demo import demo
from .errors import Group
from .export import blend, export
from .film import film
from .fit import fit
from .inspecting import inspect
from .options import HELP
from .run import run
from .ship import serve, ship


@click.group(cls=Group, context_settings=HELP)
@click.version_option(package_name="dni-deploy", message="dni-deploy %(version)s")
def main() -> None:
    """Deep Network Interpolation: blend two networks, export them with the strength as an input, run them.

    \b
    Start here:
      dni demo                                                  everything below, on a bundled pair
      dni-export A.pth B.pth --alpha-input -o model.onnx        one file, alpha at run time
      dni run model.onnx photo.png --alpha 0.7 -o out.png       alpha is the share of A
      dni film model.onnx in.mp4 --alpha 0.7 -o out.mp4         films, too
    """


for command in (bench, blend, calibrate, demo, export, film, fit, inspect, run, serve, ship):
    main.add_command(command)


def export_main() -> None:
    """The command `dni-export`."""
    export.main(prog_name="dni-export", **HELP)
