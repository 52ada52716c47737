"""`dni ship web`: a page that runs models in the browser."""

import shlex
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

from dni_deploy import terminal
from dni_deploy.cli import options
from dni_deploy.cli.errors import Command
from dni_runtime.files.unfinished import unfinished_folder


@click.command(cls=Command)
@click.argument("models", nargs=-1, type=options.PATH, metavar="MODEL...")
@options.output("The folder to write; with --serve it may be left out.", "site", metavar="SITE", required=False)
@click.option("--serve", is_flag=True, help="Serve the site until Ctrl-C; without MODEL, one that is there.")
@options.listen(
    8080,
    host_help="The address to serve on; 0.0.0.0 for all. Browsers want HTTPS for threads and WebGPU elsewhere.",
    port_help="Of HTTP; 0 for a free one.",
)
@click.option("--title", metavar="TEXT", help="The page's heading.  [default: Choose the strength]")
@click.option("--example", type=options.PATH, metavar="IMAGE", help="A picture that visitors can try.")
@click.option(
    "--ort",
    type=options.PATH,
    metavar="DIR",
    help="A folder with the npm package onnxruntime-web.  [default: found, or fetched by npm]",
)
@click.option(
    "--webgpu/--no-webgpu",
    default=True,
    show_default=True,
    help="Run on graphics processors too; 27 MB that only browsers with WebGPU load.",
)
@options.force
@options.as_json
def web(
    models: tuple[Path, ...],
    site: Path | None,
    serve: bool,
    host: str,
    port: int,
    title: str | None,
    as_json: bool,
    **settings: Any,
) -> None:
    """Write a static page that runs models in the browser. It has a slider for the strength.

    \b
    Examples:
      a site for any static host     dni ship web denoise.onnx -o site
      several models, a sample       dni ship web models/ --example photo.jpg -o site
      try it here, write nothing     dni ship web denoise.onnx --serve
      serve a site that is there     dni ship web -o site --serve

    Photographs stay in the browser. SITE/dni/dni.js is a module for pages of your own.
    """  # fmt: skip
    if not models and not serve:
        raise click.UsageError("give at least one MODEL, or --serve and -o SITE for a site that is there")
    if site is None and not (models and serve):
        raise click.UsageError("give the folder to write to: -o SITE")
    with ExitStack() as stack:
        if site is None:
            site = stack.enter_context(unfinished_folder()) / "site"
        told = _write(models, site, {"title": title, **settings}) if models else {"site": str(site)}
        if serve:
            _serve(site, host, port, told, as_json)
        else:
            _tell(told, as_json)


def _write(models: tuple[Path, ...], site: Path, options: dict[str, Any]) -> dict[str, Any]:
    from dni_deploy.ship import ship_web

    chosen = {name: value for name, value in options.items() if value is not None}
    with terminal.status("starting") as step:
        return ship_web(models, site, **chosen, progress=step).to_dict()


def _serve(site: Path, host: str, port: int, told: dict[str, Any], as_json: bool) -> None:
    from dni_deploy.ship import serve_site

    serve_site(site, host=host, port=port, ready=lambda url: _tell({**told, "url": url}, as_json))
    terminal.say("stopped", err=True)


def _tell(told: dict[str, Any], as_json: bool) -> None:
    if as_json:
        terminal.say_json(told)
    elif "url" in told:
        terminal.say(f"{told['url']}  Ctrl-C stops the server.")
    else:
        terminal.say(f"{told['site']}  {told['bytes'] / 1e6:.1f} MB  {', '.join(told['models'])}")
        terminal.say(f"look at it with: dni ship web -o {shlex.quote(told['site'])} --serve", err=True)
