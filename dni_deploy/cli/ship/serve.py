"""`dni serve`: a model on a server of this machine."""

from pathlib import Path
from typing import Any

import click

from dni_deploy.cli import options
from dni_deploy.cli.errors import Command

from .options import chosen, ship_options

_WARMUP = ((64, 64),)


@click.command(cls=Command)
@click.argument("model", type=options.PATH, metavar="MODEL|REPO")
@options.listen(
    8000,
    ports=3,
    host_help="The address to listen on; 0.0.0.0 for all.",
    port_help="Of HTTP; gRPC and metrics take the next two. 0 for free ones.",
)
@click.option(
    "--server",
    type=options.PATH,
    metavar="PATH",
    help="The tritonserver to use, or a Python environment with nvidia-pytriton.  [default: found]",
)
@ship_options("python")
@click.option(
    "--model-control",
    is_flag=True,
    help="Let clients load models: new versions, or others. Whoever reaches the server can have it run any program.",
)
@click.option("--verbose", is_flag=True, help="Show the server's own log.")
@options.as_json
def serve(
    model: Path,
    host: str,
    port: int,
    server: Path | None,
    model_control: bool,
    verbose: bool,
    as_json: bool,
    **settings: Any,
) -> None:
    """Serve MODEL on a real Triton Inference Server until Ctrl-C.

    It is reached from this machine only, unless --host says more.

    REPO (dni ship triton writes it) is served as it is, unless it brings code of its own. A server that ends, or of
    which a model does not answer any more, is started again.

    \b
    Examples:
      dni serve denoise.onnx --port 8000
      dni serve repo --port 8000 --model-control

    Needs a tritonserver: NVIDIA's container has one, and so has pip install nvidia-pytriton "numpy<2".
    """
    from dni_deploy.ship.triton.server.serve import serve_model

    is_repository = model.is_dir()
    if is_repository:
        _refuse_given(settings)
    serve_model(
        model,
        None if is_repository else chosen(settings, _WARMUP),
        host=host,
        port=port,
        server=server,
        model_control=model_control,
        verbose=verbose,
        as_json=as_json,
    )


def _refuse_given(settings: dict[str, Any]) -> None:
    """Raise a usage error where one of `settings` was given: a repository has its own."""
    context = click.get_current_context()
    for option in context.command.params:
        source = context.get_parameter_source(option.name or "")
        if option.name in settings and source is click.core.ParameterSource.COMMANDLINE:
            raise click.UsageError(f"{option.opts[0]} is for a MODEL; a repository was shipped with its options")
