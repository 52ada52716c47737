"""What is asked for of a new film's pictures, and what an encoder is told of it."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real

from dni_deploy.films.colours.coarse import AS_IN_FILMS, is_coarse, location
from dni_deploy.films.colours.pixel_format import PixelFormat
from dni_deploy.films.film import Film
from dni_deploy.films.target.codecs import CODECS, Codec
from dni_deploy.films.target.encoding import add_option
from dni_deploy.films.target.hdr import encoder_options
from dni_runtime import InputError

_SMALL = 64  # x265, as PyAV 18 brings it, writes beyond its memory for 33 to 48 pixels in blocks as large as usual


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked for of a new film's pictures, by the names of options; None for what suits film and container.

    codec:        one of `CODECS`.
    crf:          constant quality, 0 for the best.
    preset:       how much time the encoder takes, in its own words.
    lossless:     pictures are stored exactly.
    pixel_format: FFmpeg's name.
    """

    codec: str | None = None
    crf: float | None = None
    preset: str | None = None
    lossless: bool = False
    pixel_format: str | None = None


def options_of(
    film: Film, name: str, codec: Codec, asked: Asked, pixels: PixelFormat, size: tuple[int, int]
) -> dict[str, str]:
    """By FFmpeg's names. Raises InputError where the encoder has no such option or value."""
    options = codec.options(pixels)
    if is_coarse(pixels) and (lies := location(film.video)) != AS_IN_FILMS:
        options["chroma_sample_location"] = lies
    if name == "h265" and min(size) < _SMALL:
        add_option(options, "x265-params", "ctu=16")
    if asked.preset is not None and asked.preset not in codec.presets:
        expected = f"expected one of {', '.join(codec.presets)}" if codec.presets else "it has none: leave it out"
        raise InputError(f"{name} has no preset {asked.preset!r}; {expected}")
    if codec.presets:
        options[codec.preset_option] = asked.preset or codec.preset
    for option, value in encoder_options(codec.encoder, film.video.mastering, film.video.light).items():
        add_option(options, option, value)
    for option, value in _quality(name, codec, asked).items():
        add_option(options, option, value)
    return options


def _quality(name: str, codec: Codec, asked: Asked) -> dict[str, str]:
    if asked.lossless:
        if codec.lossless is None:
            exact = [each for each, other in CODECS.items() if other.lossless is not None]
            raise InputError(f"{name} is never lossless; choose one of {', '.join(exact)}")
        if asked.crf is not None:
            raise InputError("--crf and --lossless cannot be used together: lossless has one quality")
        return codec.lossless
    if codec.crf is None:
        if asked.crf is not None:
            raise InputError(f"{name} has no constant quality to choose: leave --crf out")
        return {}
    usual, worst = codec.crf
    crf = usual if asked.crf is None else asked.crf
    if not (isinstance(crf, Real) and 0 <= crf <= worst):
        raise InputError(f"--crf has to be from 0 to {worst:g} for {name}, got {crf!r}")
    return {"crf": f"{crf:g}"}
