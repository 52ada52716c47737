"""Every frame of a clip through a model: a node made of VapourSynth's own filters, which ask Python for each frame."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from dni_runtime.errors import DniError, InputError
from dni_runtime.loading import ProviderName, load
from dni_runtime.model import Model

from .clips import check_clip, check_strength
from .frames import Frames
from .strengths import Strength, strength_of, strength_of_pixels

if TYPE_CHECKING:
    import vapoursynth as vs

NAME = "dni_runtime.vapoursynth.enhance"
MOST_STREAMS = 64


def enhance(
    clip: vs.VideoNode,
    model: Model | str | os.PathLike[str],
    alpha: Strength = None,
    *,
    tile: int | None = None,
    overlap: int | None = None,
    provider: ProviderName | None = None,
    threads: int | None = None,
    num_streams: int = 1,
) -> vs.VideoNode:
    """Run a model on every frame of a clip: `Model.enhance`, as a filter of VapourSynth.

    clip:        RGBS or GRAYS, 0 black and 1 white, of constant size; frames progressive. What is beyond 0..1, as
                 saturated YUV makes it, is clipped before the network and after it.
    model:       the path of an .onnx file; or a loaded Model, which several clips may share and its owner closes.
    alpha:       the share of endpoint A. A number, or whatever else a call of the model takes; None for the model's
                 default. A function of the frame's number, which returns one; frames are asked for in any order. The
                 name of a frame property that holds one in every frame, such as "dni_alpha". A clip, GRAYS and of as
                 many pixels and frames: one for each pixel, of a model of one alpha. Or "auto", the one that fits the
                 noise of each frame.
    tile, overlap:      as for `Model.enhance`.
    provider, threads:  as for `dni_runtime.load`; not for a model that is loaded already.
    num_streams: frames that are in the network at once; more than 1 can pay on a GPU, and takes as much more memory.

    Returns a clip of the same format, length, rate and frame properties, enlarged by the model's scale. Opacity (the
    frame property `_Alpha`, a grey frame of the clip's size) goes through as `Model.enhance` does it, and comes back as
    GRAYS of the size of the result.

    Where the model runs if nobody says, and what to know of a network in tiles, is told as messages of VapourSynth.

    Raises vapoursynth.Error, here for all that is known before a frame is; a frame's own errors name the frame.
    """
    vs = _vapoursynth()
    by_pixel = isinstance(alpha, vs.VideoNode)
    try:
        check_clip(clip)
        if by_pixel:
            check_strength(alpha, clip)
        if isinstance(num_streams, bool) or not isinstance(num_streams, int) or not 1 <= num_streams <= MOST_STREAMS:
            raise InputError(f"num_streams is {num_streams!r}; expected a whole number in 1..{MOST_STREAMS}")
        chosen = not isinstance(model, Model) and provider is None
        model = _loaded(model, provider, threads)
        frames = Frames(model, strength_of_pixels if by_pixel else strength_of(alpha, model), tile, overlap)
        plan = model.plan(clip.height, clip.width, tile=tile, overlap=overlap)
    except DniError as error:
        raise vs.Error(f"{NAME}: {error}") from None

    for note in (model.provider_note if chosen else None, plan.note):
        if note is not None:
            vs.core.log_message(vs.MESSAGE_TYPE_INFORMATION, f"{NAME}: {note}")

    def run(n: int, f: Any) -> Any:
        try:
            return frames.run(n, *(f if by_pixel else (f, f)))
        except DniError as error:
            raise vs.Error(f"{NAME}: frame {n}: {error}") from error.__cause__

    # No frame of it is looked at: a node takes its format, size, length and rate from a clip.
    like = vs.core.std.BlankClip(clip, width=plan.width, height=plan.height)
    # VapourSynth calls the function of a node for one frame at a time: with that of its source, or a list of them.
    sources = [clip, alpha] if by_pixel else [clip]
    streams = [vs.core.std.ModifyFrame(like, sources, run) for _ in range(num_streams)]
    return streams[0] if num_streams == 1 else vs.core.std.FrameEval(like, lambda n: streams[n % num_streams])


def _vapoursynth() -> Any:
    """The module. Raises InputError where it is not installed: what it raises itself is not there then."""
    try:
        import vapoursynth
    except ModuleNotFoundError as error:
        if error.name != "vapoursynth":
            raise
        raise InputError(
            'VapourSynth is not installed: pip install "dni-deploy[vapoursynth]", which needs Python 3.12 or later'
        ) from None
    return vapoursynth


def _loaded(model: Model | str | os.PathLike[str], provider: ProviderName | None, threads: int | None) -> Model:
    if not isinstance(model, Model):
        return load(model, provider or "auto", threads=threads)
    if provider is not None or threads is not None:
        raise InputError(
            f"provider is {provider!r} and threads is {threads!r} beside a loaded model, which has its own; leave them "
            "out, or give the path of the file"
        )
    return model
