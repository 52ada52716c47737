"""`dni ship check`: what a server would answer wrongly."""

from pathlib import Path

import click

from dni_deploy import terminal
from dni_deploy.cli import options
from dni_deploy.cli.errors import Command


@click.command(cls=Command)
@click.argument("repository", type=options.PATH, metavar="REPO")
@options.as_json
def check(repository: Path, as_json: bool) -> None:
    """Find what Triton would answer wrongly, or not load at all.

    Looks at every model of REPO: tensors and batching against the ONNX file, above all that requests of different
    alphas never run as one; and whether it brings code that the server would run.
    """
    from dni_deploy.ship import check_repository

    report = check_repository(repository)
    if as_json:
        terminal.say_json(report.to_dict())
    else:
        for problem in report.problems:
            terminal.say(f"{problem.model}: {problem.message}")
        for model in report.models:
            if model not in {problem.model for problem in report.problems}:
                terminal.say(f"{model}: good")
    if report.problems:
        raise click.exceptions.Exit(1)
