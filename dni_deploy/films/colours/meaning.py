"""What a film's numbers mean: what it says itself, and what players assume where it says nothing."""

from __future__ import annotations

import dataclasses

from dni_deploy.films.film import Colours, Video

from .pixel_format import pixel_format

LIMITED, FULL = 1, 2
RGB, BT709, NOT_SAID, FCC, BT470BG, SMPTE170M, SMPTE240M, BT2020, BT2020_CONSTANT = 0, 1, 2, 4, 5, 6, 7, 9, 10
_CONVERTED = {BT709, FCC, BT470BG, SMPTE170M, SMPTE240M, BT2020}
_PQ, _HLG = 16, 18
_SD_LINES = 576


def assumed(pixels: str, lines: int, colours: Colours) -> Colours:
    """`colours` with range and matrix filled in where they are not said, as players do: they go by the height.

    pixels: FFmpeg's name of the format. lines: the height of the pictures.
    """
    format_ = pixel_format(pixels)
    matrix = RGB if format_.kind == "rgb" else colours.matrix
    if matrix == NOT_SAID or (matrix == RGB and format_.kind != "rgb"):
        matrix = SMPTE170M if lines <= _SD_LINES else BT709
    # A format of full range, like those of JPEG pictures, is that whatever a stream says.
    range_ = FULL if format_.full and format_.kind != "grey" else colours.range or (FULL if format_.full else LIMITED)
    return dataclasses.replace(colours, matrix=matrix, range=range_)


def to_write(video: Video, pixels: str, lines: int) -> Colours:
    """What a result of another pixel format or height has to say, for it to be shown in the colours of `video`.

    What the film says stays; more is said only where players would assume something else of the result.
    """
    said, meant = video.colours, assumed(video.pixels, video.height, video.colours)
    source, result = pixel_format(video.pixels), pixel_format(pixels)
    if result.kind == "rgb":
        return dataclasses.replace(said, matrix=RGB, range=FULL)
    if source.kind == "rgb":
        # Nothing of the film's tells how to make brightness and colour differences of it: what players assume, said.
        matrix, range_ = assumed(pixels, lines, Colours()).matrix, FULL if pixels.startswith("yuvj") else LIMITED
        return dataclasses.replace(said, matrix=matrix, range=range_)
    unsaid = dataclasses.replace(said, range=said.range if said.range or source.full == result.full else meant.range)
    if assumed(pixels, lines, unsaid).matrix != meant.matrix:
        return dataclasses.replace(unsaid, matrix=meant.matrix)
    return unsaid


def notes(video: Video) -> tuple[str, ...]:
    """What is worth knowing of how the network sees that film, each a few words that follow its name."""
    found = []
    if video.colours.transfer in (_PQ, _HLG):
        curve = "PQ" if video.colours.transfer == _PQ else "HLG"
        found.append(
            f"is HDR ({curve}): the network sees its values as they are coded, duller than those of photographs"
        )
    matrix = assumed(video.pixels, video.height, video.colours).matrix
    if pixel_format(video.pixels).kind == "yuv" and matrix not in _CONVERTED | {BT2020_CONSTANT}:
        found.append(f"has a colour matrix (number {matrix}) that is not known: the network sees it as one of BT.709")
    return tuple(found)
