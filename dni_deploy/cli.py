"""The command line `dni`, and `dni-export`, which is `dni export`. Errors: one message, exit 1."""

import json
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from dni_runtime import PROVIDERS, DniError, InputError

from .alphas import parse_alphas

SHAPE_LENGTH = 4
CHECKPOINT_SUFFIXES = (".ckpt", ".pt", ".pth", ".safetensors")
HELP: dict[str, Any] = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
_err = Console(stderr=True, highlight=False)


class _Command(click.Command):
    """Turns our own errors into one message on stderr and exit code 1."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except DniError as error:
            raise click.ClickException(str(error)) from None


class _Group(click.Group):
    command_class = _Command


def _alphas(text: str) -> Any:
    try:
        return parse_alphas(text)
    except InputError as error:
        raise click.BadParameter(str(error)) from None


def _shape(text: str) -> Any:
    parts = text.split(",")
    if len(parts) != SHAPE_LENGTH or not all(part.strip().isdecimal() and int(part) for part in parts):
        raise click.BadParameter(f"{text!r} is no shape; expected four whole numbers such as 1,3,64,64")
    return tuple(int(part) for part in parts)


def _key_value(text: str) -> Any:
    key, equals, value = text.partition("=")
    if not equals or not key.isidentifier():
        raise click.BadParameter(f"{text!r} is no KEY=VALUE; expected something like features=64")
    try:
        return key, json.loads(value)  # numbers, true, false, null, lists
    except ValueError:
        return key, value


@click.group(cls=_Group, context_settings=HELP)
@click.version_option(package_name="dni-deploy", message="dni-deploy %(version)s")
def main() -> None:
    """Deep Network Interpolation: blend two networks, export them with the strength as an input, run them."""


alpha_range = click.option(
    "--alpha-range", type=float, nargs=2, default=(0.0, 1.0), metavar="LO HI", show_default=True,
    help="Smallest and largest alpha that will be accepted; beyond 0..1 the blend extrapolates.",
)  # fmt: skip
arch = click.option(
    "--arch", default="auto", show_default=True, metavar="auto|NAME|CODE",
    help="The network: found by spandrel, a name that spandrel knows, or module:callable, path.py:callable.",
)  # fmt: skip
arch_args = click.option(
    "--arch-arg", "arch_args", multiple=True, type=_key_value, metavar="KEY=VALUE",
    help="An argument for the callable of --arch; repeatable.",
)  # fmt: skip
force = click.option("--force", is_flag=True, help="Replace outputs that exist.")
as_json = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
endpoint_files = click.argument(
    "endpoints", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="A B [C ...]"
)


@main.command()
@endpoint_files
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path),
    metavar="OUT",
    help="MODEL.onnx, or a folder for several alphas.",
)
@click.option("--alpha-input", is_flag=True, help="One model that takes alpha at run time.")
@click.option(
    "--alpha",
    "alphas",
    multiple=True,
    type=_alphas,
    metavar="X|LO:HI:STEP",
    help="A baked model for this alpha; repeatable.",
)
@alpha_range
@click.option("--alpha-default", type=_alphas, metavar="X", help="Used by callers that give no alpha.")
@arch
@arch_args
@click.option("--input-shape", type=_shape, metavar="N,C,H,W", help="Trace with this shape, not one that was found.")
@click.option("--static", is_flag=True, help="Keep that shape as the only one.")
@click.option("--opset", type=int, help="ONNX operator set, asserted on what was written.")
@click.option(
    "--dtype",
    type=click.Choice(["float32", "float16"]),
    default="float32",
    show_default=True,
    help="Of weights and computation; input and output are float32.",
)
@click.option(
    "--weights",
    type=click.Choice(["embed", "external", "link"]),
    default="embed",
    show_default=True,
    help="In the file, in OUT.data, or read from the endpoints' .safetensors.",
)
@click.option(
    "--atol",
    type=float,
    metavar="X",
    help="Allowed difference from PyTorch, relative to max(1, largest output).  [default: 1e-5; float16 2e-2]",
)
@click.option("--no-verify", is_flag=True, help="Do not compare with PyTorch.")
@force
@as_json
def export(endpoints: tuple[Path, ...], output: Path, as_json: bool, no_verify: bool, **options: Any) -> None:
    """Export checkpoints A B to ONNX; alpha is the share of A (1: A alone, 0: B alone).

    \b
    Examples:
      one file, strength at run time     dni-export A.pth B.pth --alpha-input -o model.onnx
      one file for one strength          dni-export A.pth B.pth --alpha 0.7 -o model.onnx
      eleven files, 0.0 to 1.0           dni-export A.pth B.pth --alpha 0:1:0.1 -o models/
      a network of your own              dni-export A.pth B.pth --alpha-input -o model.onnx \\
                                           --arch net.py:Net --arch-arg features=64
      half precision, for GPUs           dni-export A.pth B.pth --alpha-input -o model.onnx --dtype float16

    Every file is compared with PyTorch before it gets its name; nothing else is ever written there.
    """
    options["alphas"] = [alpha for group in options["alphas"] for alpha in group]
    options["alpha_default"] = _single(options["alpha_default"], "--alpha-default")
    if options["alpha_input"] == bool(options["alphas"]):
        raise click.UsageError("give either --alpha-input (alpha at run time) or --alpha X (baked), not both or none")
    with _err.status("loading PyTorch") as status:
        report = _import_exporters().export(
            endpoints,
            output,
            verify=not no_verify,
            progress=lambda step: status.update(step),
            arch_args=dict(options.pop("arch_args")),
            **options,
        )
    _remark(report.notes, report.warnings)
    click.echo(json.dumps(report.to_dict()) if as_json else report.summary())


@main.command()
@endpoint_files
@click.option("--alpha", required=True, type=_alphas, metavar="X", help="The share of A.")
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path),
    metavar="OUT",
    help="A .safetensors, or a .pth with the nesting of A.",
)
@alpha_range
@force
@as_json
def blend(
    endpoints: tuple[Path, ...], alpha: Any, output: Path, alpha_range: tuple[float, float], force: bool, as_json: bool
) -> None:
    """Write the PyTorch checkpoint alpha * A + (1 - alpha) * B.

    \b
    Example:
      dni blend A.pth B.pth --alpha 0.3 -o C.safetensors
    """
    single = _single(alpha, "--alpha")
    with _err.status("blending"):
        report = _import_exporters().write_blend(endpoints, output, single, alpha_range=alpha_range, force=force)
    _remark(report.notes, [report.lineage.warning])
    if as_json:
        click.echo(json.dumps({"path": str(report.path), "alpha": report.alpha, "bytes": report.bytes}))
    else:
        click.echo(f"{report.path}  {report.bytes / 1e6:.2f} MB  {report.blended} of {report.tensors} tensors blended")


@main.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="A B | MODEL.onnx")
@arch
@arch_args
@as_json
def inspect(files: tuple[Path, ...], arch: str, arch_args: tuple[tuple[str, Any], ...], as_json: bool) -> None:
    """Compare two checkpoints, or tell what an ONNX model holds.

    \b
    Examples:
      dni inspect A.pth B.pth      can they be blended, and were they trained from one another?
      dni inspect model.onnx       endpoints, alpha, sizes, operators, weights
    """
    from . import tables

    if len(files) == 1 and files[0].suffix.lower() not in CHECKPOINT_SUFFIXES:
        from .model_report import inspect_model

        model = inspect_model(files[0])
        click.echo(json.dumps(model.to_dict())) if as_json else tables.print_model(model)
        return
    if len(files) != 2:
        kind = "checkpoint" if len(files) == 1 else "files"
        raise click.UsageError(f"{len(files)} {kind} given; expected two checkpoints or one ONNX model")
    with _err.status("comparing"):
        report = _import_exporters().inspect_endpoints(*files, arch=arch, arch_args=dict(arch_args))
    _remark(report.notes, [report.lineage.warning] if report.lineage else [])
    click.echo(json.dumps(report.to_dict())) if as_json else tables.print_endpoints(report)
    if report.differences:
        raise click.exceptions.Exit(1)


@main.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("inputs", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="INPUT...")
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path),
    metavar="OUT",
    help="An image file, or a folder for several results.",
)
@click.option(
    "--alpha", "alphas", multiple=True, type=_alphas, metavar="X|LO:HI:STEP", help="The strength; repeatable."
)
@click.option(
    "--tile", type=int, metavar="N", help="Tiles of N x N pixels, 0 for none.  [default: 512 for large images]"
)
@click.option(
    "--overlap",
    type=int,
    metavar="N",
    help="Pixels thrown away on each inner side of a tile.  [default: the network's reach]",
)
@click.option(
    "--provider",
    type=click.Choice(PROVIDERS),
    default="auto",
    show_default=True,
    help="Where to run; nothing falls back silently.",
)
@click.option("--threads", type=int, metavar="N", help="CPU threads.  [default: one per core]")
@click.option(
    "--sheet",
    type=click.Path(path_type=Path),
    metavar="SHEET.png",
    help="Also write all results as one labelled picture.",
)
@force
@as_json
def run(model: Path, inputs: tuple[Path, ...], output: Path, alphas: tuple[list[Any], ...], **options: Any) -> None:
    """Run MODEL on image files and folders.

    \b
    Examples:
      one image            dni run model.onnx photo.png --alpha 0.7 -o out.png
      a sweep and a sheet  dni run model.onnx photo.png --alpha 0:1:0.25 -o sweep/ --sheet sheet.png
      a folder             dni run model.onnx photos/ --alpha 0.7 -o results/
    """
    from .run import run_model

    values = [alpha for group in alphas for alpha in group]
    failed = run_model(model, list(inputs), output, values, **options)
    if failed:
        raise click.exceptions.Exit(1)


@main.command()
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default=Path("demo-output"),
    show_default=True,
    help="The folder to write to.",
)
@force
def demo(output: Path, force: bool) -> None:
    """Export the bundled pair of denoisers, sweep a noisy photograph, and make a contact sheet."""
    from .demo.show import show

    show(output, force=force)


def export_main() -> None:
    """The command `dni-export`."""
    export.main(prog_name="dni-export", **HELP)


def _import_exporters() -> Any:
    from .extras import import_exporters

    return import_exporters()


def _single(alphas: Any, option: str) -> Any:
    if alphas is not None and len(alphas) != 1:
        raise click.UsageError(f"{option} takes one alpha, {len(alphas)} were given")
    return alphas[0] if alphas else None


def _remark(notes: Any, warnings: Any) -> None:
    for note in notes:
        click.echo(f"note: {note}", err=True)
    for warning in filter(None, warnings):
        click.secho(f"warning: {warning}", err=True, fg="yellow")


if __name__ == "__main__":
    main()
