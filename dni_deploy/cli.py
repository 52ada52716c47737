"""The command line `dni`, and `dni-export`, which is `dni export`. Errors: one message, exit 1."""

from pathlib import Path
from typing import Any

import click

from . import cli_options as common
from . import terminal
from .ship.commands import serve, ship

CHECKPOINT_SUFFIXES = (".ckpt", ".pt", ".pth", ".safetensors")


@click.group(cls=common.Group, context_settings=common.HELP)
@click.version_option(package_name="dni-deploy", message="dni-deploy %(version)s")
def main() -> None:
    """Deep Network Interpolation: blend two networks, export them with the strength as an input, run them.

    \b
    Start here:
      dni demo                                                  everything below, on a bundled pair
      dni-export A.pth B.pth --alpha-input -o model.onnx        one file, alpha at run time
      dni run model.onnx photo.png --alpha 0.7 -o out.png       alpha is the share of A
    """


@main.command()
@common.endpoint_files
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
    type=common.alphas,
    metavar="X|LO:HI:STEP",
    help="A baked model for this alpha; repeatable.",
)
@common.alpha_range
@click.option("--alpha-default", type=common.alphas, metavar="X", help="Used by callers that give no alpha.")
@common.arch
@common.arch_args
@click.option("--input-shape", type=common.shape, metavar="N,C,H,W", help="Trace with this shape, not the one found.")
@click.option("--static", is_flag=True, help="Keep that shape as the only one.")
@click.option("--opset", type=int, help="ONNX operator set, asserted on what was written.")
@click.option(
    "--dtype",
    type=click.Choice(["float32", "float16"]),
    default="float32",
    show_default=True,
    help="Of weights and computation (with --delta: of computation); input and output are float32.",
)
@click.option(
    "--delta",
    type=click.Choice(["int8", "float16"]),
    help="A smaller file, with --alpha-input: the last endpoint stored as float16, the difference of each other one "
    "from it as int8 (3 bytes a weight for two endpoints) or float16 (4 bytes).",
)
@click.option(
    "--single-input",
    type=click.Choice(["baked", "plane"]),
    help="For tools that feed one input (vs-mlrt, chaiNNer): check that they take what --alpha X makes, or, with "
    "--alpha-input, read alpha from a constant fourth channel of the image.",
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
    help="Allowed difference from PyTorch, relative to max(1, largest output).  [default: 1e-5; --dtype float16 2e-2; "
    "--delta float16 2e-3; --delta int8 2/255]",
)
@click.option("--no-verify", is_flag=True, help="Do not compare with PyTorch.")
@common.force
@common.as_json
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
      smallest, for browser and phone    dni-export A.pth B.pth --alpha-input -o model.onnx --delta int8
      for VapourSynth, chaiNNer          dni-export A.pth B.pth --alpha-input -o model.onnx --single-input plane

    Every file is compared with PyTorch before it gets its name; nothing else is ever written there.
    """
    options["alphas"] = [alpha for group in options["alphas"] for alpha in group]
    options["alpha_default"] = _single(options["alpha_default"], "--alpha-default")
    if options["alpha_input"] == bool(options["alphas"]):
        raise click.UsageError("give either --alpha-input (alpha at run time) or --alpha X (baked), not both or none")
    with terminal.status("loading PyTorch") as step:
        report = _import_exporters().export(
            endpoints,
            output,
            verify=not no_verify,
            progress=step,
            arch_args=dict(options.pop("arch_args")),
            **options,
        )
    terminal.remark(report.notes, report.warnings)
    terminal.say_json(report.to_dict()) if as_json else terminal.say(*report.summary().split("\n"))


@main.command()
@common.endpoint_files
@click.option("--alpha", required=True, type=common.alphas, metavar="X", help="The share of A.")
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path),
    metavar="OUT",
    help="A .safetensors, or a .pth with the nesting of A.",
)
@common.alpha_range
@common.force
@common.as_json
def blend(
    endpoints: tuple[Path, ...], alpha: Any, output: Path, alpha_range: tuple[float, float], force: bool, as_json: bool
) -> None:
    """Write the PyTorch checkpoint alpha * A + (1 - alpha) * B.

    \b
    Example:
      dni blend A.pth B.pth --alpha 0.3 -o C.safetensors
    """
    single = _single(alpha, "--alpha")
    with terminal.status("blending"):
        report = _import_exporters().write_blend(endpoints, output, single, alpha_range=alpha_range, force=force)
    terminal.remark(report.notes, [report.lineage.warning])
    if as_json:
        terminal.say_json(report.to_dict())
    else:
        terminal.say(
            f"{report.path}  {report.bytes / 1e6:.2f} MB  {report.blended} of {report.tensors} tensors blended"
        )


@main.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="A B | MODEL.onnx")
@common.arch
@common.arch_args
@common.as_json
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
        terminal.say_json(model.to_dict()) if as_json else tables.print_model(model)
        return
    if len(files) != 2:
        kind = "checkpoint" if len(files) == 1 else "files"
        raise click.UsageError(f"{len(files)} {kind} given; expected two checkpoints or one ONNX model")
    with terminal.status("comparing"):
        report = _import_exporters().inspect_endpoints(*files, arch=arch, arch_args=dict(arch_args))
    terminal.remark(report.notes, [report.lineage.warning] if report.lineage else [])
    terminal.say_json(report.to_dict()) if as_json else tables.print_endpoints(report)
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
    "--alpha", "alphas", multiple=True, type=common.alphas, metavar="X|LO:HI:STEP", help="The strength; repeatable."
)
@click.option(
    "--alpha-from",
    type=click.Path(path_type=Path),
    metavar="TABLE.csv",
    help="A strength for each image of a folder: columns file and alpha. Goes on where it was interrupted.",
)
@click.option(
    "--ray",
    metavar="ADDRESS|local",
    help="Over the Ray cluster of this machine: auto or HOST:PORT; local starts one here. Goes on as well.",
)
@click.option(
    "--tile",
    type=click.IntRange(min=0),
    metavar="N",
    help="Tiles of N x N pixels, 0 for none.  [default: 512 for large images]",
)
@click.option(
    "--overlap",
    type=click.IntRange(min=0),
    metavar="N",
    help="Pixels thrown away on each inner side of a tile.  [default: the network's reach]",
)
@common.provider
@common.provider_options
@click.option("--threads", type=click.IntRange(min=1), metavar="N", help="CPU threads.  [default: one per core]")
@click.option(
    "--sheet",
    type=click.Path(path_type=Path),
    metavar="SHEET.png",
    help="Also write all results as one labelled picture.",
)
@common.force
@common.as_json
def run(model: Path, inputs: tuple[Path, ...], output: Path, alphas: tuple[list[Any], ...], **options: Any) -> None:
    """Run MODEL, an .onnx or .ort file, on image files and folders.

    \b
    Examples:
      one image            dni run model.onnx photo.png --alpha 0.7 -o out.png
      a sweep and a sheet  dni run model.onnx photo.png --alpha 0:1:0.25 -o sweep/ --sheet sheet.png
      a folder             dni run model.onnx photos/ --alpha 0.7 -o results/
      on OpenVINO          dni run model.onnx photo.png --alpha 0.7 -o out.png --provider openvino
      an alpha per frame   dni run model.onnx frames/ --alpha-from alphas.csv -o results/
    """
    from .photographs.run import run_model

    values = [alpha for group in alphas for alpha in group]
    options["provider_options"] = dict(options["provider_options"])
    if values and options["alpha_from"]:
        raise click.UsageError("give either --alpha (for all images) or --alpha-from (one for each), not both")
    failed = run_model(model, list(inputs), output, values, **options)
    if failed:
        raise click.exceptions.Exit(1)


@main.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--size", "sizes", multiple=True, type=common.size, metavar="HxW", help="Image size; repeatable.")
@click.option(
    "--threads", multiple=True, type=click.IntRange(min=1), metavar="N", help="CPU threads; repeatable.  [default: all]"
)
@click.option("--alpha", type=common.alphas, metavar="X", help="The strength that is held.")
@common.provider
@click.option(
    "--seconds",
    type=click.FloatRange(min=0.1),
    default=30.0,
    show_default=True,
    help="Of measuring, for each size and number of threads.",
)
@common.as_json
def bench(model: Path, threads: tuple[int, ...], alpha: Any, as_json: bool, **options: Any) -> None:
    """Compare the ways to run MODEL, an alpha-input model, on random images.

    \b
    Examples:
      what it costs to change alpha    dni bench model.onnx
      larger images, one and two cores dni bench model.onnx --size 256x256 --threads 1 --threads 2

    A file baked for one alpha is the yardstick; nothing is timed before all have given the same result.
    """
    from .bench import bench_model, print_report

    with terminal.status("loading") as step:
        report = bench_model(
            model,
            threads=threads or (None,),
            alpha=_single(alpha, "--alpha"),
            progress=step,
            **options,
        )
    terminal.say_json(report.to_dict()) if as_json else print_report(report)


@main.command()
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default=Path("demo-output"),
    show_default=True,
    help="The folder to write to.",
)
@common.force
def demo(output: Path, force: bool) -> None:
    """Try everything on a bundled pair of denoisers.

    Exports them, sweeps a noisy photograph over alpha, and makes a contact sheet.
    """
    from .demo.show import show

    show(output, force=force)


main.add_command(ship)
main.add_command(serve)


def export_main() -> None:
    """The command `dni-export`."""
    export.main(prog_name="dni-export", **common.HELP)


def _import_exporters() -> Any:
    from .extras import import_exporters

    return import_exporters()


def _single(alphas: Any, option: str) -> Any:
    if alphas is not None and len(alphas) != 1:
        raise click.UsageError(f"{option} takes one alpha, {len(alphas)} were given")
    return alphas[0] if alphas else None


if __name__ == "__main__":
    main()
