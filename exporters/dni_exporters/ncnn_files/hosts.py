"""What Upscayl and realesrgan-ncnn-vulkan can run, and what a user of their files should know.

Read in upscayl/upscayl-ncnn and xinntao/Real-ESRGAN-ncnn-vulkan, src/realesrgan.cpp and src/main.cpp of both, which
are one program in two versions.
"""

from collections.abc import Sequence
from pathlib import Path

from dni_exporters.networks.probe import ImageContract
from dni_exporters.outputs import scale_said
from dni_runtime import ExportError
from dni_runtime.metadata import AVERAGES, WHOLE
from dni_runtime.sizes import Sizes

UPSCAYL, REALESRGAN = "upscayl", "realesrgan-ncnn-vulkan"
HOSTS = (UPSCAYL, REALESRGAN)

_COLOURS = 3
# By these they enlarge opacity, too, or can be told to enlarge by.
_SCALES = (1, 2, 3, 4, 8)
# Of their tiles, each with what is around it: 10 pixels on each side, mirrored at the image's edges.
_AROUND = 10
_SMALLEST_TILE = 1 + 2 * _AROUND
# Their tiles and what is around these are multiples of it, unless a user sets others.
_OF_TILES = 4
_DEFAULT_SCALE = 4


def refuse_or_tell(contract: ImageContract, sizes: Sizes, outputs: Sequence[Path], tool: str | None) -> list[str]:
    """Notes on what these programs make of a network; `sizes` are those that its files, `outputs`, are for.

    Raises ExportError where the files are for one of them, by `tool`, and it would run the network wrong.
    """
    if reason := _why_not(contract, sizes):
        if tool in HOSTS:
            raise ExportError(
                f"--for {tool}: it would run this network wrong: {reason}. For a program of your own give "
                "--format ncnn in place of --for"
            )
        return [f"not for Upscayl and realesrgan-ncnn-vulkan: {reason}"]
    told = [_misread(path, contract.scale, tool) for path in outputs if tool in (None, UPSCAYL)]
    if contract.view in (AVERAGES, WHOLE):
        told.append(
            "Upscayl and realesrgan-ncnn-vulkan cut images into tiles, and the network looks at averages over what it "
            "is given: colours may change from tile to tile; larger tiles are fewer"
        )
    elif contract.overlap is None or contract.overlap > _AROUND:
        told.append(
            f"Upscayl and realesrgan-ncnn-vulkan show the network {_AROUND} pixels around each tile, and it looks at "
            f"{contract.overlap or 'more'}: tiles may have seams; larger tiles have fewer"
        )
    return [*filter(None, told)]


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


def _why_not(contract: ImageContract, sizes: Sizes) -> str:
    """Empty where they can run it."""
    given, made = contract.input_shape[1], contract.out_channels
    if (given, made) != (_COLOURS, _COLOURS):
        return f"they give it {_COLOURS} channels and take {_COLOURS}, it has {given} and {made}"
    if contract.scale not in _SCALES:
        return (
            f"they enlarge by {', '.join(map(str, _SCALES[:-1]))} or {_SCALES[-1]}, not by {contract.scale or 'this'}"
        )
    if sizes.multiple == 1 and sizes.minimum <= _SMALLEST_TILE and not sizes.square:
        return ""
    asks = f"they give it tiles of any height and width, and it takes: {sizes}"
    if _OF_TILES % sizes.multiple == 0 and sizes.minimum <= _SMALLEST_TILE and not sizes.square:
        return f"{asks}. Images whose height and width are such are right in tiles of the programs' choice"
    return asks
