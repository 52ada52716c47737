"""`dni ship`, the group."""

import click

from dni_deploy.cli.errors import Group

from .check import check
from .triton import triton
from .web import web


@click.group(cls=Group)
def ship() -> None:
    """Make models ready for an inference server or a browser."""


for command in (check, triton, web):
    ship.add_command(command)
