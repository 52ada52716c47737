"""`dni ship triton`: a repository for NVIDIA Triton Inference Server."""

import shlex
from pathlib import Path
from typing import Any

import click

from dni_deploy import terminal
from dni_deploy.cli import options
from dni_deploy.cli.errors import Command, parsed
from dni_deploy.ship import Front, ServerAddress
from dni_deploy.ship.triton.balancer.haproxy import DEFAULT_LISTEN
from dni_deploy.ship.triton.balancer.server_address import parse_address, parse_servers

from .options import DEFAULTS, chosen, ship_options


@click.command(cls=Command)
@click.argument("models", nargs=-1, required=True, type=options.PATH, metavar="MODEL...")
@options.output("The model repository, a folder; other models in it are kept.", "repository", metavar="REPO")
@click.option("--name", help="The model's name for clients.  [default: that of the file]")
@click.option(
    "--model-version",
    "version",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    metavar="N",
    help="The version folder; a new one may lie beside those that are there.",
)
@ship_options(DEFAULTS.backend)
@options.sizes("--warmup", "Sizes that run before the model counts as ready; repeatable.  [default: 512x512]", "warmup")
@click.option("--no-warmup", is_flag=True, help="Be ready at once; the first requests take longer.")
@click.option(
    "--haproxy",
    "servers",
    type=parsed(parse_servers),
    metavar="HOST:PORT,...",
    help="Also write haproxy.cfg, for these servers: their HTTP ports; gRPC is at the next one.",
)
@click.option(
    "--haproxy-listen",
    "listen",
    type=parsed(parse_address),
    metavar="HOST:PORT",
    help=f"Where HAProxy listens: HTTP, gRPC at the next port, statistics at the third.  [default: {DEFAULT_LISTEN}]",
)
@options.force
@options.as_json
def triton(
    models: tuple[Path, ...],
    repository: Path,
    name: str | None,
    version: int,
    warmup: tuple[tuple[int, int], ...],
    no_warmup: bool,
    servers: tuple[ServerAddress, ...] | None,
    listen: ServerAddress | None,
    force: bool,
    as_json: bool,
    **settings: Any,
) -> None:
    """Write a repository for NVIDIA Triton Inference Server. It loads as it is.

    \b
    Examples:
      strength chosen by each request     dni ship triton denoise.onnx -o repo
      photographs, batched by strength    dni ship triton denoise.onnx -o repo --backend python
      one model for each baked strength   dni ship triton models/ -o repo
      the next version, beside the first  dni ship triton better.onnx --name denoise -o repo --model-version 2
      several servers behind one address  dni ship triton denoise.onnx -o repo --haproxy 10.0.0.1:8000,10.0.0.2:8000

    The python backend needs dni-deploy in the server's Python; the onnxruntime backend needs nothing. A client
    example and an index of the models are written into REPO too. `dni serve` tries a model out.
    """
    if warmup and no_warmup:
        raise click.UsageError("give either --warmup or --no-warmup")
    sizes = () if no_warmup else warmup or DEFAULTS.warmup
    if listen is not None and servers is None:
        raise click.UsageError("--haproxy-listen needs --haproxy")
    from dni_deploy.ship import ship_triton

    report = ship_triton(
        models,
        repository,
        chosen(settings, sizes),
        name=name,
        version=version,
        haproxy=None if servers is None else Front(servers, listen or DEFAULT_LISTEN),
        force=force,
    )
    terminal.remark(report.notes)
    if as_json:
        terminal.say_json(report.to_dict())
        return
    for model in report.models:
        terminal.say(f"{report.repository / model}  {report.backend} backend, version {report.version}")
    if report.haproxy is not None:
        command = shlex.join(["haproxy", "-W", "-f", str(report.haproxy)])
        terminal.say(f"{report.haproxy}  HAProxy, start it with: {command}")
    command = shlex.join(["tritonserver", "--model-repository", str(report.repository)])
    terminal.say(f"checked; start it with: {command}", err=True)
