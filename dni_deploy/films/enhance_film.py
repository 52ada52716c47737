"""A film through a model, from Python; what the command runs is here, too."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from dni_deploy.extras import import_av
from dni_runtime import Alpha
from dni_runtime.calibration import Auto

from .making.job import LINEAR, FilmJob, Progress, Tell
from .making.report import FilmReport


def enhance_film(
    model: str | os.PathLike[str],
    film: str | os.PathLike[str],
    output: str | os.PathLike[str],
    alpha: Alpha | Auto | None = None,
    *,
    alpha_from: str | os.PathLike[str] | None = None,
    between: str = LINEAR,
    start: float | None = None,
    end: float | None = None,
    codec: str | None = None,
    crf: float | None = None,
    preset: str | None = None,
    lossless: bool = False,
    pixel_format: str | None = None,
    drop: Sequence[str] = (),
    output_scale: float | None = None,
    tile: int | None = None,
    overlap: int | None = None,
    provider: str = "auto",
    provider_options: Mapping[str, str] | None = None,
    threads: int | None = None,
    resume: bool = False,
    overwrite: bool = False,
    ray: str | None = None,
    progress: Progress | None = None,
) -> FilmReport:
    """Enhance every frame of a film; all else in its file stays as it is: timing, sound, subtitles, chapters, tags.

    model:      an .onnx or .ort file, opened as `dni_runtime.load` does with `provider`, its options and `threads`.
    output:     an .mp4, .mov, .mkv or .webm file.
    alpha:      for every frame; None for the model's default, or a baked model; "auto" follows the noise of the film,
                of a model that is calibrated for it.
    alpha_from: a CSV file of moments and their alphas in place of `alpha`; `between` them it is "linear" or "hold".
    start, end: the section that is made, in seconds from the film's first frame.
    codec:      "h264", "h265", "av1", "vp9", "ffv1" or "prores"; None for what plays everywhere in that container.
    crf, preset, lossless, pixel_format: as FFmpeg's encoders know them; None for our defaults.
    drop:       kinds of other streams to leave out, of "audio", "subtitles", "attachments", "data", "videos".
    output_scale: height and width of the result over those of the film; None for the network's own factor.
    tile, overlap: as for `Model.enhance`.
    resume:     go on where a run with the same arguments stopped.
    overwrite:  replace an output that exists.
    ray:        the address of a Ray cluster, or "local".
    progress:   called with (frames done, frames in all, the film).

    Frames are decoded, enhanced and encoded at the same time, with about a quarter of a GiB of frames in memory.

    Raises, before anything runs, ModelError, AlphaError, InputError or OutputError for what cannot be done, and
    DniError without the extra `video`. What fails later leaves nothing under the output's name; parts that are
    finished are kept in a hidden folder beside it, for `resume`.
    """
    job = FilmJob(
        model=Path(model),
        film=Path(film),
        output=Path(output),
        alpha=alpha,
        alpha_from=None if alpha_from is None else Path(alpha_from),
        between=between,
        start=start,
        end=end,
        codec=codec,
        crf=crf,
        preset=preset,
        lossless=lossless,
        pixel_format=pixel_format,
        drop=(drop,) if isinstance(drop, str) else tuple(drop),
        output_scale=output_scale,
        tile=tile,
        overlap=overlap,
        provider=provider,
        provider_options=dict(provider_options or {}),
        threads=threads,
        resume=resume,
        force=overwrite,
        ray=ray,
    )
    return run(job, lambda remark: None, progress or (lambda done, total, file: None))


def run(job: FilmJob, tell: Tell, progress: Progress) -> FilmReport:
    """What `enhance_film` and the command do. Ctrl-C is a KeyboardInterrupt whose note says what is done."""
    import_av()
    from .making.make_film import make_film
    from .making.make_parts import make_parts

    if job.ray is None:
        return make_film(job, tell, progress, make_parts)
    from .on_ray import make_parts_on_ray

    return make_film(job, tell, progress, make_parts_on_ray(job.ray, tell))
