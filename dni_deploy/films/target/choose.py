"""How a film is to be encoded: what is asked for, or what plays everywhere, and refusals of what cannot be."""

from __future__ import annotations

import dataclasses
from fractions import Fraction
from pathlib import Path

import numpy as np

from dni_deploy.extras import import_av
from dni_deploy.films.colours.conversion import Wanted
from dni_deploy.films.colours.meaning import to_write
from dni_deploy.films.colours.pixel_format import PixelFormat, pixel_format
from dni_deploy.films.colours.turning import is_turn, swaps_sides
from dni_deploy.films.film import Film
from dni_deploy.films.source.opening import reason
from dni_deploy.films.target.aspect import is_lost
from dni_deploy.films.target.codecs import CODECS, Codec
from dni_deploy.films.target.encoding import Encoding
from dni_deploy.films.target.holding import CONTAINERS, container_of
from dni_deploy.films.target.options import Asked, options_of
from dni_deploy.films.target.pixels import as_stored, pixels_of, widely_played
from dni_runtime import InputError, OutputError

_DEEP = 8  # bits, from where on a film is one of more


def choose_encoding(film: Film, output: Path, asked: Asked, size: tuple[int, int]) -> Encoding:
    """How pictures of `size` (width, height; before they are turned) are encoded into `output`.

    Raises OutputError where the container does not hold what is asked for, InputError where the encoder has no such
    option or value.
    """
    container, source = container_of(output), pixel_format(film.video.pixels)
    name = asked.codec or _default(container, source, asked)
    if (codec := CODECS.get(name)) is None:
        raise InputError(f"the codec {name!r} is not known; expected one of {', '.join(CODECS)}")
    if container not in codec.containers:
        suffixes = [suffix for suffix, each in CONTAINERS.items() if each in codec.containers]
        fit = [each for each, other in CODECS.items() if container in other.containers]
        raise OutputError(
            f"{output} cannot hold {name}: choose a name that ends in {' or '.join(suffixes)}, or a codec of "
            f"{', '.join(fit)}"
        )
    frames, matrix, notes = _frames(film, output, container, codec, size)
    pixels, more = _pixels(film, name, codec, asked, (frames.width, frames.height))
    if pixels.opacity and container == "mp4":
        raise OutputError(
            f"{output} has no place for opacity, which {film.path} has: choose a name that ends in .mkv, .mov or "
            ".webm, or leave opacity out by --pixel-format yuv420p"
        )
    encoding = Encoding(
        container=container,
        encoder=_encoder(codec, pixels),
        options=tuple(sorted(options_of(film, name, codec, asked, pixels, (frames.width, frames.height)).items())),
        frames=dataclasses.replace(
            frames, pixels=pixels.name, colours=to_write(film.video, pixels.name, frames.height)
        ),
        time_base=film.video.time_base,
        rate=film.video.rate,
        aspect=_aspect(film, frames),
        display_matrix=matrix,
        mastering=film.video.mastering,
        light=film.video.light,
        tag="hvc1" if name == "h265" and container != "matroska" else None,
        notes=(*notes, *more, *_moved(film, container)),
    )
    _try(encoding, output)
    return encoding


def _default(container: str, source: PixelFormat, asked: Asked) -> str:
    """The codec that most players of the container know, or the one that loses nothing."""
    opacity, deep = source.opacity and asked.pixel_format is None, source.depth > _DEEP
    if container == "matroska" and (asked.lossless or opacity):
        return "ffv1"
    if container == "webm":
        return "av1" if deep and not asked.lossless and not opacity else "vp9"
    if container == "mov" and opacity and not asked.lossless:
        return "prores"
    return "h265" if deep and not opacity else "h264"


def _frames(
    film: Film, output: Path, container: str, codec: Codec, size: tuple[int, int]
) -> tuple[Wanted, tuple[int, ...] | None, list[str]]:
    """Size and turn of the frames, and the display matrix that is written."""
    matrix = film.video.display_matrix
    if matrix is None or not (container == "webm" or is_lost(container, codec.encoder, film.video.aspect)):
        return Wanted("", *size), matrix, []
    if not is_turn(matrix):
        return Wanted("", *size), None, [f"shows its pictures as they lie: players do not turn {output.suffix} films"]
    turned = size[::-1] if swaps_sides(matrix) else size
    return Wanted("", *turned, turn=matrix), None, ["has its pictures turned, since not all players would do it"]


def _pixels(film: Film, name: str, codec: Codec, asked: Asked, size: tuple[int, int]) -> tuple[PixelFormat, list[str]]:
    source = pixel_format(film.video.pixels)
    odd = codec.even and any(side % 2 for side in size)
    if asked.pixel_format is not None:
        return _asked_pixels(source, name, codec, asked.pixel_format, odd, size)
    encoder = codec.rgb_encoder if source.kind == "rgb" and asked.lossless and codec.rgb_encoder else codec.encoder
    if asked.lossless or codec.keeps:
        pixels = as_stored(source, encoder, whole=asked.lossless, whole_colours=odd)
    else:
        pixels = widely_played(source, encoder, whole_colours=odd)
    if pixels is None:
        hides = source.opacity and not any(each.opacity for each in pixels_of(encoder))
        lack = "opacity" if hides else f"{source.name} without loss" if asked.lossless else source.name
        raise OutputError(
            f"{film.path} cannot be encoded in {name}, which has no {lack}: choose a name that ends in .mkv and "
            f"--codec ffv1{', or leave opacity out by --pixel-format yuv420p' if hides else ''}"
        )
    notes = []
    if odd and pixels.across < source.across:
        notes.append(f"is in 4:4:4, which not all players show: {name} has no 4:2:0 of {size[0]} x {size[1]} pixels")
    if pixels.kind == "yuv" and source.kind == "yuv" and (pixels.across, pixels.down) > (source.across, source.down):
        notes.append(f"is in {pixels.chroma} of {source.chroma}, as players expect it; --pixel-format chooses another")
    if pixels.depth < source.depth:
        notes.append(f"has {pixels.depth} bits of {source.depth}; --lossless keeps all in .mkv")
    return pixels, notes


def _asked_pixels(
    source: PixelFormat, name: str, codec: Codec, wanted: str, odd: bool, size: tuple[int, int]
) -> tuple[PixelFormat, list[str]]:
    known = {each.name: each for each in (*pixels_of(codec.encoder), *pixels_of(codec.rgb_encoder or codec.encoder))}
    if (pixels := known.get(wanted)) is None:
        raise InputError(f"{name} has no pixel format {wanted!r}; expected one of {', '.join(known)}")
    if odd and (pixels.across, pixels.down) != (1, 1):
        raise InputError(
            f"{name} has no {pixels.chroma} of {size[0]} x {size[1]} pixels, which are odd: "
            "choose --pixel-format yuv444p"
        )
    return pixels, ["has no opacity any more"] if source.opacity and not pixels.opacity else []


def _encoder(codec: Codec, pixels: PixelFormat) -> str:
    return codec.rgb_encoder if codec.rgb_encoder and pixels.kind == "rgb" else codec.encoder


def _moved(film: Film, container: str) -> list[str]:
    """Matroska counts in milliseconds."""
    ticks_s = film.video.time_base * 1000
    if container not in ("matroska", "webm") or not np.any(film.index.pts * ticks_s.numerator % ticks_s.denominator):
        return []
    return ["shows frames up to half a millisecond earlier or later, as its kind of file has no finer moments"]


def _aspect(film: Film, frames: Wanted) -> Fraction | None:
    aspect = film.video.aspect
    turned = aspect is not None and frames.turn is not None and swaps_sides(frames.turn)
    return 1 / aspect if aspect is not None and turned else aspect


def _try(encoding: Encoding, output: Path) -> None:
    """Open the encoder: it knows best what it can do."""
    frames = encoding.frames
    try:
        encoding.context()
    except (import_av().FFmpegError, ValueError, OverflowError) as error:
        raise OutputError(
            f"{output} cannot be encoded by {encoding.encoder} as {frames.width} x {frames.height} pixels of "
            f"{frames.pixels} ({reason(error)}): choose another codec (--codec) or size (--output-scale)"
        ) from error
