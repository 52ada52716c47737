"""The strength that fits the noise of a film: measured twice a second, and smoothed within each scene."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dni_deploy.films.film import Film
from dni_deploy.films.glances import pictures_at, seconds_of_frames
from dni_runtime import AlphaError, InputError, Model
from dni_runtime.calibration import JPEG

from .cuts import find_cut
from .strength import Curve

_RATE = 2  # frames a second that are looked at
# A sample depends on so many before and behind it, and a frame on two samples.
_MEDIAN, _MEAN = 2, 1
_CONTEXT_S = (_MEDIAN + _MEAN + 1) / _RATE
_WEIGHTS = np.array([0.25, 0.5, 0.25])
# A cut is looked for where alpha, from one sample to the next, moves by more than this.
_STEP = 0.1


def check_measurable(model: Model) -> None:
    """Raise AlphaError where no film tells which alpha of `model` fits it."""
    if model.require_calibration().kind == JPEG:
        raise AlphaError(
            "the model is calibrated for the quality of JPEGs, which frames of a film do not have; expected one for "
            "noise (dni calibrate). Give alpha as a number, or by --alpha-from"
        )


def measured(
    film: Film,
    model: Model,
    begin_s: float = 0.0,
    end_s: float = math.inf,
    *,
    tell: Callable[[str], None] | None = None,
    progress: Callable[[float, int, Path], None] | None = None,
) -> Curve:
    """What fits the noise of `film` from one second to another: there just as if all of it were measured.

    A frame that is not like its neighbours counts for nothing, and neither does a scene of less than a second and a
    half. tell: is given a remark on what was found.

    Raises AlphaError where the model is not calibrated for noise, or frames are too small to tell, InputError where
    none can be decoded.
    """
    check_measurable(model)
    of_frames = seconds_of_frames(film)
    firsts = np.unique(np.floor(of_frames * _RATE), return_index=True)[1]
    near = (of_frames[firsts] >= begin_s - _CONTEXT_S) & (of_frames[firsts] < end_s + _CONTEXT_S)
    moments = film.index.pts[firsts[near]].tolist()
    shown: list[int] = []
    alphas, sigmas = [], []
    for number, (moment, picture) in enumerate(pictures_at(film, moments)):
        alpha, sigma = model.choose_alpha(picture)
        shown.append(moment)
        alphas.append(alpha)
        sigmas.append(sigma)
        if progress is not None:
            progress(number + 1, len(moments), film.path)
    if not alphas:
        raise InputError(f"no frame of {film.path} can be decoded to look at its noise; give alpha as a number")
    curve = _curve(film, shown, np.array(alphas))
    if tell is not None:
        seconds = [film.seconds(moment) for moment in shown]
        inside = [(at, sigma) for at, sigma in zip(seconds, sigmas, strict=True) if begin_s <= at < end_s]
        tell(_told(curve, inside or [*zip(seconds, sigmas, strict=True)]))
    return curve


def _told(curve: Curve, found: list[tuple[float, float]]) -> str:
    """A remark on the seconds and sigmas that were found."""
    alphas, sigmas = [curve.at(second)[0] for second, _ in found], [sigma for _, sigma in found]
    frames = f"{len(found)} frames" if len(found) > 1 else "1 frame"
    return f"alpha {_range(alphas)}, for the noise in {frames} (sigma {_range(sigmas)} of 255)"


def _curve(film: Film, moments: list[int], samples: npt.NDArray[np.float64]) -> Curve:
    """A curve through `samples` that jumps where the film does, and has no key between others of the same alpha."""
    medians = np.median(_windows(samples, _MEDIAN), axis=1)
    steps = np.flatnonzero(np.abs(np.diff(medians)) > _STEP)
    cuts = {int(step) + 1: cut for step in steps if (cut := find_cut(film, moments[step], moments[step + 1]))}
    keys: dict[int, float] = {}
    for begin, end in pairwise([0, *cuts, len(moments)]):
        scene = averaged(medians[begin:end]).tolist()
        if begin in cuts:
            keys[cuts[begin][1]] = scene[0]
        keys |= zip(moments[begin:end], scene, strict=True)
        if end in cuts:
            keys[cuts[end][0]] = scene[-1]
    moves = np.diff([*keys.values()]) != 0
    kept = np.concatenate(([True], moves)) | np.concatenate((moves, [True]))
    moving = [key for key, keep in zip(keys.items(), kept, strict=True) if keep]
    return Curve(tuple(film.seconds(moment) for moment, _ in moving), tuple((alpha,) for _, alpha in moving))


def averaged(medians: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The mean of three that lie together; of three decimals."""
    means: npt.NDArray[np.float64] = _windows(medians, _MEAN) @ _WEIGHTS
    return means.round(3)


def _windows(samples: npt.NDArray[np.float64], reach: int) -> npt.NDArray[np.float64]:
    """Each sample with those so far before and behind it; both ends are mirrored."""
    mirrored = np.pad(samples, reach, mode="reflect")
    return np.lib.stride_tricks.sliding_window_view(mirrored, 2 * reach + 1)


def _range(values: list[float]) -> str:
    low, high = f"{min(values):.3g}", f"{max(values):.3g}"
    return low if low == high else f"{low} to {high}"
