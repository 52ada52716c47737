"""What Upscayl and realesrgan-ncnn-vulkan can run, and what a user of their files should know.

Read in upscayl/upscayl-ncnn and xinntao/Real-ESRGAN-ncnn-vulkan, src/realesrgan.cpp and src/main.cpp of both, which
are one program in two versions.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dni_exporters.asked.tools import REALESRGAN, UPSCAYL
from dni_exporters.networks.probe import ImageContract
from dni_exporters.outputs import scale_said
from dni_runtime import ExportError
from dni_runtime.metadata import WHOLE
from dni_runtime.sizes import Sizes

# Layers, of those that are ever written, that their releases are built without (src/CMakeLists.txt).
_MISSING: Mapping[str, frozenset[str]] = {
    UPSCAYL: frozenset(
        "DeconvolutionDepthWise ELU HardSigmoid HardSwish InstanceNorm Mish TanH UnaryOp".split()  # noqa: SIM905
    ),
    REALESRGAN: frozenset(
        "Clip ConvolutionDepthWise Deconvolution DeconvolutionDepthWise ELU HardSigmoid HardSwish InstanceNorm "  # noqa: SIM905
        "MemoryData Mish Pooling Reduction Reorg Sigmoid Slice Swish TanH UnaryOp".split()
    ),
}
_COLOURS = 3
# What Upscayl reads in a name, but for 16, which it takes for 1.
_SCALES = (1, 2, 3, 4, 8)
# Of their tiles, each with what is around it: 10 pixels on each side, mirrored at the image's edges.
_AROUND = 10
_SMALLEST_TILE = 1 + 2 * _AROUND
# Their tiles and what is around these are multiples of it, unless a user sets others.
_OF_TILES = 4
_DEFAULT_SCALE = 4


@dataclass(frozen=True, slots=True)
class Needs:
    """What files need: the images that they are for, and the kinds of layers in them."""

    contract: ImageContract
    sizes: Sizes
    kinds: frozenset[str] = frozenset()


def refuse_or_tell(needs: Needs, outputs: Sequence[Path], tool: str | None) -> list[str]:
    """Notes on the files `outputs`: which images they are for, and what these two programs make of them.

    Raises ExportError where the files are for one of them, by `tool`, and it would run the network wrong.
    """
    told = []
    if not _are_any(needs.sizes):
        told.append(f"in ncnn it takes heights and widths: {needs.sizes}")
    hosts = [host for host in _MISSING if tool in (None, host)]
    reasons = {host: reason for host in hosts if (reason := _why_not(needs, host))}
    if tool in reasons:
        raise ExportError(
            f"--for {tool}: it would run this network wrong: {reasons[tool]}. For a program of your own give "
            "--format ncnn in place of --for"
        )
    told += [
        f"not for {' and '.join(host for host in reasons if reasons[host] == reason)}: {reason}"
        for reason in dict.fromkeys(reasons.values())
    ]
    if runs := [host for host in hosts if host not in reasons]:
        if UPSCAYL in runs:
            told += [_misread(path, needs.contract.scale, tool) for path in outputs]
            told.append(_on_windows(needs.contract.scale))
        told.append(_seams(needs.contract, " and ".join(runs)))
    return [*filter(None, told)]


def is_your_own(tool: str | None) -> bool:
    """Whether the files are for programs that a user writes."""
    return tool not in _MISSING


def _seams(contract: ImageContract, hosts: str) -> str:
    """What is to be seen of their tiles; empty where nothing is, or more than seams, which is told of every network."""
    if contract.view == WHOLE or (contract.overlap is not None and contract.overlap <= _AROUND):
        return ""
    return (
        f"{hosts}: the network is shown {_AROUND} pixels around each tile, and it looks at "
        f"{contract.overlap or 'more'}: tiles may have seams; larger tiles have fewer"
    )


def _misread(path: Path, scale: float | None, tool: str | None) -> str:
    """What is wrong with the name of a .param file, in which Upscayl reads the scale; empty where that is right."""
    if (read := scale_said(path.stem) or _DEFAULT_SCALE) == scale:
        return ""
    named = path.with_name(f"{path.stem}-x{scale:g}.param")
    remedy = f"call it {named.name}" if scale_said(named.stem) == scale else "choose another name"
    told = f"Upscayl reads a scale of {read} in the name {path.name}, and the network enlarges by {scale:g}: {remedy}"
    if tool == UPSCAYL:
        raise ExportError(f"--for {tool}: {told}")
    return told


def _on_windows(scale: float | None) -> str:
    """Names are read elsewhere alone (src/main.cpp, _WIN32), and Upscayl's window does not hand the scale over."""
    if scale == _DEFAULT_SCALE:
        return ""
    return (
        f"Upscayl on Windows takes a scale of {_DEFAULT_SCALE} whatever a name says, and would run this network wrong; "
        "on Linux and macOS it reads the name"
    )


def _why_not(needs: Needs, host: str) -> str:
    """Empty where it can run it."""
    contract, sizes = needs.contract, needs.sizes
    given, made = contract.input_shape[1], contract.out_channels
    if (given, made) != (_COLOURS, _COLOURS):
        return f"it has {given} channels and makes {made}, expected {_COLOURS} and {_COLOURS}"
    if contract.scale not in _SCALES:
        return f"it enlarges by {contract.scale or 'no single number'}, expected {', '.join(map(str, _SCALES))}"
    if missing := sorted(needs.kinds & _MISSING[host]):
        return f"their releases are built without ncnn's layer{'s' * (len(missing) > 1)} {', '.join(missing)}"
    if _are_any(sizes):
        return ""
    asks = f"it takes {sizes} and would be given tiles of any height and width"
    if _OF_TILES % sizes.multiple == 0 and sizes.minimum <= _SMALLEST_TILE and not sizes.square:
        return f"{asks} (right are images whose own height and width are such, in tiles of the programs' choice)"
    return asks


def _are_any(sizes: Sizes) -> bool:
    """Whether tiles may be of any height and width."""
    return sizes.multiple == 1 and sizes.minimum <= _SMALLEST_TILE and not sizes.square
