"""Decoding, the network and encoding at the same time, each in a thread, frames waiting between them in bounded memory.

The network runs in the thread that calls.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from dni_deploy.films.colours.conversion import Conversion, beyond_restored
from dni_deploy.films.film import Frame, Key, Part
from dni_deploy.films.preview import SideBySide
from dni_deploy.films.source.frames import Frames
from dni_deploy.films.target.part_file import PartFile
from dni_runtime import Model

from .belt import Belt, run_beside
from .work import Made, Work

if TYPE_CHECKING:
    from av import VideoFrame

Done: TypeAlias = Callable[[Made], None]
"""Called with each part as soon as its file is there, by another thread."""
Report: TypeAlias = Callable[[int], None]
"""Called with the number of frames that have been through the network."""
MakeParts: TypeAlias = Callable[[Work, Model, Sequence[Part], Done, Report], None]
"""A way in which parts of a film are made."""

# Of frames that wait, decoded or computed.
LIMIT_BYTES = 2**28
_MOST_FRAMES = 16


@dataclass(frozen=True, slots=True)
class _OnBelt:
    """A frame of a part, or, without one, what is to be said of the part that ends here."""

    part: Part
    frame: Frame | None
    equal: bool = False
    notes: tuple[str, ...] = ()


def make_parts(work: Work, model: Model, parts: Sequence[Part], done: Done, report: Report) -> None:
    """Make `parts`, in their order; those that follow each other in the film are decoded in one go.

    Where it ends early, parts that are finished stay.

    Raises InputError where the film cannot be read any longer, OutputError where the result cannot be written, and
    what the model raises.
    """
    room = _room(work)
    decoded: Belt[_OnBelt] = Belt(room)
    computed: Belt[_OnBelt] = Belt(room)
    threads = run_beside(
        (decoded, computed),
        lambda: _decode(work, parts, decoded),
        lambda: _encode(work, computed, done),
    )
    count = 0
    try:
        for each in _through_network(work, model, decoded):
            computed.put(each)
            if each.frame is not None:
                report(count := count + 1)
        computed.end()
        threads[-1].join()
        computed.check()
    except BaseException as error:
        decoded.stop(error)
        computed.stop(error)
        raise
    finally:
        for thread in threads:
            thread.join()


def _decode(work: Work, parts: Sequence[Part], decoded: Belt[_OnBelt]) -> None:
    """A thread: the frames of `parts`, as pictures."""
    conversion = Conversion(work.film.video, work.values)
    with Frames(work.film) as frames:
        for part in parts:
            told = len(frames.notes)
            for raw in frames.read(part):
                decoded.put(_OnBelt(part, _frame(raw, conversion)))
            decoded.put(_OnBelt(part, None, notes=tuple(frames.notes[told:])))
    decoded.end()


def _frame(raw: VideoFrame, conversion: Conversion) -> Frame:
    assert raw.pts is not None
    return Frame(raw.pts, raw.duration, conversion.to_picture(raw))


def _through_network(work: Work, model: Model, decoded: Belt[_OnBelt]) -> Iterator[_OnBelt]:
    """What is the same as the frame before, at the same alpha, is not computed again."""
    beside = None if work.job.preview is None else SideBySide(work.film.video.display_matrix)
    before: tuple[Part, Key | None, npt.NDArray[Any], npt.NDArray[Any]] | None = None
    for each in decoded:
        if each.frame is None:
            yield each
            continue
        key, picture = work.strength.at(work.film.seconds(each.frame.pts)), each.frame.picture
        # A part that is made elsewhere does not know what comes before it, so here that does not count either.
        equal = before is not None and before[:2] == (each.part, key) and _are_equal(before[2], picture)
        if before is not None and equal:
            result = before[3]
        else:
            result = beyond_restored(work.job.enhance(model, picture, key), picture)
            result = result if beside is None else beside(picture, result)
        before = each.part, key, picture, result
        yield _OnBelt(each.part, replace(each.frame, picture=result), equal)


def _are_equal(one: npt.NDArray[Any], other: npt.NDArray[Any]) -> bool:
    """Most are not, which a few of their pixels tell."""
    return np.array_equal(one[::16, ::16], other[::16, ::16]) and np.array_equal(one, other)


def _encode(work: Work, computed: Belt[_OnBelt], done: Callable[[Made], None]) -> None:
    """A thread: the files of the parts."""
    conversion = Conversion(work.film.video, work.values, work.encoding.frames)
    for part, items in groupby(computed, attrgetter("part")):
        made = _encode_part(work, part, items, conversion)
        made.save(work.folder)
        done(made)


def _encode_part(work: Work, part: Part, items: Iterator[_OnBelt], conversion: Conversion) -> Made:
    draft = work.folder / f"{secrets.token_hex(8)}{work.path(part).suffix}"
    frames = equal = 0
    notes: tuple[str, ...] = ()
    with contextlib.ExitStack() as stack:
        file: PartFile | None = None
        for item in items:
            if item.frame is None:
                notes = item.notes
                continue
            if file is None:
                file = stack.enter_context(PartFile(draft, work.encoding))
            file.write(conversion.to_frame(item.frame.picture, item.frame.pts))
            frames, equal = frames + 1, equal + item.equal
    if frames:
        with draft.open("r+b") as whole:
            os.fsync(whole.fileno())
        os.replace(draft, work.path(part))
    return Made(part.number, frames, equal, notes)


def _room(work: Work) -> int:
    """How many frames may wait on each belt."""
    video, wanted = work.film.video, work.encoding.frames
    pixel_bytes = 4 * np.dtype(work.values).itemsize  # of four channels, which is the most
    each_bytes = pixel_bytes * (video.width * video.height + wanted.width * wanted.height)
    return max(1, min(_MOST_FRAMES, LIMIT_BYTES // each_bytes))
