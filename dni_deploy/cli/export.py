"""`dni export` and `dni blend`: from checkpoints to a model, or to a checkpoint between them."""

from pathlib import Path
from typing import Any

import click

import dni_exporters
from dni_deploy import terminal
from dni_exporters.asked.tools import TOOLS, listed
from dni_exporters.job import DELTAS, DTYPES, SINGLE_INPUTS, WEIGHTS
from dni_exporters.outputs import FORMATS

from . import options
from .errors import Command, parsed
from .parsers import parse_shape


@click.command(cls=Command)
@options.endpoint_files
@options.output("MODEL.onnx, or a folder for several alphas.")
@click.option(
    "--for",
    "tool",
    type=click.Choice(list(TOOLS)),
    help=f"The program that will read it, which sets the options for it. {listed()}",
)
@click.option(
    "--format",
    type=click.Choice(list(FORMATS)),
    help="ncnn, with --alpha X: MODEL.param and MODEL.bin, for Upscayl, realesrgan-ncnn-vulkan, programs for Android.  "
    "[default: onnx, or what --for says]",
)
@click.option("--alpha-input", is_flag=True, help="One model that takes alpha at run time.")
@options.alphas("A baked model for this alpha; repeatable.")
@options.curves
@options.knobs
@options.alpha_range
@options.one_alpha("Used by callers that give no alpha.", "--alpha-default")
@options.arch
@options.arch_args
@options.value_range
@click.option(
    "--input-shape",
    type=parsed(parse_shape),
    metavar="N,C,H,W",
    help="Trace with this shape, not the one found.",
)
@click.option("--static", is_flag=True, help="Keep that shape as the only one.")
@click.option("--opset", type=int, help="ONNX operator set, asserted on what was written.")
@click.option(
    "--ir-version",
    type=int,
    metavar="N",
    help="Version of ONNX's file format, 8 to 13, for readers that refuse newer ones; 8 comes with opset 18.",
)
@click.option(
    "--dtype",
    type=click.Choice(DTYPES),
    default="float32",
    show_default=True,
    help="Of weights and computation (with --delta: of computation); input and output are float32.",
)
@click.option(
    "--delta",
    type=click.Choice(DELTAS),
    help="A smaller file, with --alpha-input: the last endpoint stored as float16, the difference of each other one "
    "from it as int8 (3 bytes a weight for two endpoints) or float16 (4 bytes).",
)
@click.option(
    "--single-input",
    type=click.Choice(SINGLE_INPUTS),
    help="For tools that feed one input (vs-mlrt, chaiNNer): check that they take what --alpha X makes, or, with "
    "--alpha-input, read alpha from a constant fourth channel of the image.",
)
@click.option(
    "--weights",
    type=click.Choice(WEIGHTS),
    default="embed",
    show_default=True,
    help="In the file, in OUT.data, or read from the endpoints' .safetensors.",
)
@click.option(
    "--ncnn-form",
    is_flag=True,
    help="Also write into the model what ncnn needs to run it (--provider ncnn).",
)
@click.option(
    "--atol",
    type=float,
    metavar="X",
    help="Allowed difference from PyTorch, relative to max(1, largest output).  [default: 1e-5; --dtype float16 2e-2, "
    "with --format ncnn 2/255; --delta float16 2e-3; --delta int8 2/255]",
)
@click.option("--no-verify", is_flag=True, help="Do not compare with PyTorch.")
@click.option("--no-verdict", is_flag=True, help="Do not try the blend on photographs.")
@options.force
@options.as_json
def export(
    endpoints: tuple[Path, ...], output: Path, as_json: bool, no_verify: bool, no_verdict: bool, **settings: Any
) -> None:
    """Export checkpoints A B to ONNX. Alpha is the share of A: at 1 it is A alone, at 0 B alone.

    \b
    Examples:
      one file, strength at run time     dni-export A.pth B.pth --alpha-input -o model.onnx
      one file for one strength          dni-export A.pth B.pth --alpha 0.7 -o model.onnx
      eleven files, 0.0 to 1.0           dni-export A.pth B.pth --alpha 0:1:0.1 -o models/
      a network of your own              dni-export A.pth B.pth --alpha-input -o model.onnx \\
                                           --arch net.py:Net --arch-arg features=64
      one with images of -1..1           dni-export A.pth B.pth --alpha-input -o model.onnx \\
                                           --arch gan.py:Generator --range -1 1
      half precision, for GPUs           dni-export A.pth B.pth --alpha-input -o model.onnx --dtype float16
      smallest, for browser and phone    dni-export A.pth B.pth --alpha-input -o model.onnx --delta int8
      for chaiNNer, both ends            dni-export A.pth B.pth --alpha 0 --alpha 1 -o models/ --for chainner
      to run in ncnn, too                dni-export A.pth B.pth --alpha-input -o model.onnx --ncnn-form
      eleven strengths for Upscayl       dni-export A.pth B.pth --alpha 0:1:0.1 -o models/ --for upscayl
      around a fitted middle             dni-export A.pth B.pth --alpha-input -o model.onnx \\
                                           --through C.safetensors --curve
      through several in order           dni-export L0.pth L1.pth L2.pth --alpha-input -o model.onnx \\
                                           --path --at 0,1,2
      two sliders                        dni-export A.pth B.pth --alpha-input -o model.onnx \\
                                           --knob "tail=conv_last*"

    Every file is compared with PyTorch before it gets its name; nothing else is ever written there.
    """
    if settings["tool"] is None and settings["alpha_input"] == bool(settings["alphas"]):
        raise click.UsageError("give either --alpha-input (alpha at run time) or --alpha X (baked), not both or none")
    with terminal.status("loading PyTorch") as step:
        report = dni_exporters.export(
            endpoints, output, verify=not no_verify, verdict=not no_verdict, progress=step, **settings
        )
    terminal.remark(report.notes, report.warnings)
    terminal.say_json(report.to_dict()) if as_json else terminal.say(*report.summary().split("\n"))


@click.command(cls=Command)
@options.endpoint_files
@options.one_alpha("The share of A; with --curve or --path the place on it.", required=True)
@options.output("A .safetensors, or a .pth with the nesting of A.")
@options.curves
@options.knobs
@options.alpha_range
@options.arch
@options.arch_args
@options.force
@options.as_json
def blend(endpoints: tuple[Path, ...], alpha: Any, output: Path, as_json: bool, **settings: Any) -> None:
    """Write the PyTorch checkpoint alpha * A + (1 - alpha) * B. With --through or --path: that of a place on it.

    \b
    Examples:
      dni blend A.pth B.pth --alpha 0.3 -o C.safetensors
      dni blend A.pth B.pth --alpha 0.3 -o D.safetensors --through C.safetensors --curve
    """
    with terminal.status("blending"):
        report = dni_exporters.write_blend(endpoints, output, alpha, **settings)
    terminal.remark(report.notes, [report.lineage.warning])
    if as_json:
        terminal.say_json(report.to_dict())
    else:
        terminal.say(
            f"{report.path}  {report.bytes / 1e6:.2f} MB  {report.blended} of {report.tensors} tensors blended"
        )
