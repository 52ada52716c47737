"""`dni ship` and `dni serve` on the command line."""

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from dni_deploy import cli_options as common
from dni_deploy import terminal
from dni_runtime import InputError

from .triton.balancer.haproxy import DEFAULT_LISTEN, Front
from .triton.balancer.server_address import ServerAddress, parse_address, parse_servers
from .triton.contract import BACKENDS
from .triton.options import ACCELERATORS, DEVICES, ShipOptions
from .web.command import web

_DEFAULTS = ShipOptions()
_SERVE_WARMUP = ((64, 64),)


def _parsed(parse: Callable[[str], Any]) -> Callable[[str], Any]:
    """A click type that turns `parse`'s InputError into a usage error."""

    def convert(text: str) -> Any:
        try:
            return parse(text)
        except InputError as error:
            raise click.BadParameter(str(error)) from None

    return convert


def _options(backend: str) -> Callable[[Any], Any]:
    """The options of ShipOptions, but for the warm-up; `backend` is the default."""
    options = [
        click.option(
            "--backend", type=click.Choice(BACKENDS), default=backend, show_default=True,
            help="onnxruntime: tensors as the network takes them. python: whole photographs, batches of equal alpha.",
        ),
        click.option("--device", type=click.Choice(DEVICES), default=_DEFAULTS.device, show_default=True,
                     help="Where the model runs."),
        click.option("--instances", type=click.IntRange(min=1), default=_DEFAULTS.instances, show_default=True,
                     metavar="N", help="Copies of the model that run at the same time."),
        click.option("--max-batch", type=click.IntRange(min=1), metavar="N",
                     help=f"Images of one execution; python backend only.  [default: {_DEFAULTS.max_batch}]"),
        click.option("--max-queue-delay", "max_queue_delay_ms", type=click.FloatRange(min=0), metavar="MS",
                     default=_DEFAULTS.max_queue_delay_ms, show_default=True,
                     help="Milliseconds that a request may wait for others to join it."),
        click.option("--max-pixels", type=click.IntRange(min=1), metavar="N", default=_DEFAULTS.max_pixels,
                     show_default=True, help="Refuse requests with more pixels of uint8 images; python backend."),
        click.option("--max-input-pixels", type=click.IntRange(min=1), metavar="N", show_default=True,
                     default=_DEFAULTS.max_input_pixels, help="The same for float tensors, which are not tiled."),
        click.option("--threads", type=click.IntRange(min=1), metavar="N",
                     help="CPU threads of an instance.  [default: the cores, shared among the instances]"),
        click.option("--accelerator", type=click.Choice(ACCELERATORS), default=_DEFAULTS.accelerator,
                     show_default=True, help="With --device gpu and the onnxruntime backend."),
        click.option("--response-cache", is_flag=True,
                     help="Answer repeated requests from memory; the server needs --cache-config too."),
    ]  # fmt: skip

    def decorate(command: Any) -> Any:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


@click.group(cls=common.Group)
def ship() -> None:
    """Make models ready for where they run: an inference server, a browser."""


ship.add_command(web)


@ship.command()
@click.argument("models", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="MODEL...")
@click.option(
    "-o",
    "--output",
    "repository",
    required=True,
    type=click.Path(path_type=Path),
    metavar="REPO",
    help="The model repository, a folder; other models in it are kept.",
)
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
@_options(_DEFAULTS.backend)
@click.option(
    "--warmup",
    multiple=True,
    type=common.size,
    metavar="HxW",
    help="Sizes that run before the model counts as ready; repeatable.  [default: 512x512]",
)
@click.option("--no-warmup", is_flag=True, help="Be ready at once; the first requests take longer.")
@click.option(
    "--haproxy",
    "servers",
    type=_parsed(parse_servers),
    metavar="HOST:PORT,...",
    help="Also write haproxy.cfg, for these servers: their HTTP ports; gRPC is at the next one.",
)
@click.option(
    "--haproxy-listen",
    "listen",
    type=_parsed(parse_address),
    metavar="HOST:PORT",
    help=f"Where HAProxy listens: HTTP, gRPC at the next port, statistics at the third.  [default: {DEFAULT_LISTEN}]",
)
@common.force
@common.as_json
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
    **options: Any,
) -> None:
    """Write a repository for NVIDIA Triton Inference Server that loads as it is.

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
    sizes = () if no_warmup else warmup or _DEFAULTS.warmup
    if listen is not None and servers is None:
        raise click.UsageError("--haproxy-listen needs --haproxy")
    from .triton.repository import ship_triton

    report = ship_triton(
        models,
        repository,
        _ship_options(options, sizes),
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


@ship.command()
@click.argument("repository", type=click.Path(path_type=Path), metavar="REPO")
@common.as_json
def check(repository: Path, as_json: bool) -> None:
    """Find what Triton would load and answer wrongly, or not load at all.

    Looks at every model of REPO: tensors and batching against the ONNX file, above all that requests of different
    alphas never run as one; and whether it brings code that the server would run.
    """
    from .triton.lint.lint import check_repository

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


@click.command(cls=common.Command)
@click.argument("model", type=click.Path(path_type=Path), metavar="MODEL|REPO")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on; 0.0.0.0 for all.")
@click.option(
    "--port",
    type=click.IntRange(min=0, max=65533),
    default=8000,
    show_default=True,
    help="Of HTTP; gRPC and metrics take the next two. 0 for free ones.",
)
@click.option(
    "--server",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="The tritonserver to use, or a Python environment with nvidia-pytriton.  [default: found]",
)
@_options("python")
@click.option(
    "--model-control",
    is_flag=True,
    help="Let clients load models: new versions, or others. Whoever reaches the server can have it run any program.",
)
@click.option("--verbose", is_flag=True, help="Show the server's own log.")
@common.as_json
def serve(
    model: Path,
    host: str,
    port: int,
    server: Path | None,
    model_control: bool,
    verbose: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Serve MODEL on a real Triton Inference Server until Ctrl-C; on this machine only, unless --host says more.

    REPO (dni ship triton writes it) is served as it is, unless it brings code of its own. A server that ends, or of
    which a model does not answer any more, is started again.

    \b
    Examples:
      dni serve denoise.onnx --port 8000
      dni serve repo --port 8000 --model-control

    Needs a tritonserver: NVIDIA's container has one, and so has pip install nvidia-pytriton "numpy<2".
    """
    from .triton.server.serve import serve_model

    chosen = None if model.is_dir() else _ship_options(options, _SERVE_WARMUP)
    if chosen is None:
        _refuse_given(options)
    serve_model(
        model,
        chosen,
        host=host,
        port=port,
        server=server,
        model_control=model_control,
        verbose=verbose,
        as_json=as_json,
    )


def _refuse_given(options: dict[str, Any]) -> None:
    context = click.get_current_context()
    for parameter in context.command.params:
        if (
            parameter.name in options
            and context.get_parameter_source(parameter.name) is click.core.ParameterSource.COMMANDLINE
        ):
            raise click.UsageError(f"{parameter.opts[0]} is for a MODEL; a repository was shipped with its options")


def _ship_options(options: dict[str, Any], warmup: tuple[tuple[int, int], ...]) -> ShipOptions:
    if options["max_batch"] is None:
        options["max_batch"] = _DEFAULTS.max_batch
    elif options["backend"] == "onnxruntime":
        raise click.UsageError(
            "--max-batch needs --backend python: the onnxruntime backend would run requests of different alphas as one"
        )
    return ShipOptions(**options, warmup=warmup)
