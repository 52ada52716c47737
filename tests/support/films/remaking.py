"""A film made again without a network, as `dni film` does it: decoded, encoded in parts, and joined with all else."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterator
from pathlib import Path

import numpy as np

from dni_deploy.films.colours.conversion import Conversion, values_of
from dni_deploy.films.film import Film, Part
from dni_deploy.films.source.frames import Frames
from dni_deploy.films.source.probe import look_at
from dni_deploy.films.target.choose import choose_encoding
from dni_deploy.films.target.encoding import Encoding
from dni_deploy.films.target.join import join
from dni_deploy.films.target.options import Asked
from dni_deploy.films.target.part_file import PartFile


def remade(
    source: Path,
    output: Path,
    asked: Asked | None = None,
    *,
    start: int | None = None,
    end: int | None = None,
    drop: Collection[str] = (),
    parts: int = 3,
    encoding_for: Path | None = None,
) -> Encoding:
    """Write `output` of the film `source` in so many parts; start and end are numbers of frames.

    encoding_for: a name by which the container is known, where it is not `output`.
    """
    film, asked = look_at(source), asked or Asked()
    encoding = choose_encoding(film, encoding_for or output, asked, (film.video.width, film.video.height))
    first, last = (None if number is None else int(film.index.pts[number]) for number in (start, end))
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for part in _cut(film, first, last, parts):
            paths.append(Path(folder, str(part.number)))
            encode(film, encoding, part, paths[-1], lossless=asked.lossless)
        join(paths, film, encoding, output, start=first, end=last, drop=drop)
    return encoding


def encode(film: Film, encoding: Encoding, part: Part, path: Path, *, lossless: bool = False) -> None:
    conversion = Conversion(film.video, values_of(film.video, lossless=lossless), encoding.frames)
    with Frames(film) as frames, PartFile(path, encoding) as file:
        for frame in frames.read(part):
            file.write(conversion.to_frame(conversion.to_picture(frame), frame.pts or 0))


def whole(film: Film) -> Part:
    return Part(0, int(film.index.pts[0]), int(film.index.pts[-1]) + 1)


def _cut(film: Film, first: int | None, last: int | None, parts: int) -> Iterator[Part]:
    pts = film.index.pts
    pts = pts[(pts >= (pts[0] if first is None else first)) & (pts < (pts[-1] + 1 if last is None else last))]
    pieces = [piece for piece in np.array_split(pts, parts) if len(piece)]
    ends = [*(int(piece[0]) for piece in pieces[1:]), int(pts[-1]) + 1]
    for number, (piece, end) in enumerate(zip(pieces, ends, strict=True)):
        yield Part(number, int(piece[0]), end)
