"""Small films of every kind, made by FFmpeg's own generators when a test first asks for one.

`film(kind)` gives the file. With pytest all processes share a folder; otherwise it lasts as long as the process.
"""

from __future__ import annotations

import atexit
import os
import shlex
import shutil
import tempfile
from functools import cache
from pathlib import Path

import av  # noqa: F401  (which reads the films: where it is not installed, left_out leaves out who asks for one)
import film_kinds
from ffmpeg import ffmpeg

KINDS = tuple(film_kinds.RECIPES)
"""Of every film that `film` makes, those that are damaged or none at all included."""


@cache
def film(kind: str) -> Path:
    """The film of that kind, see `film_kinds`: a file that others use too, so copy it to change it."""
    suffix, recipe = film_kinds.RECIPES[kind]
    place = _folder() / f"{kind}{suffix}"
    if not place.exists():
        with tempfile.TemporaryDirectory(dir=_folder()) as made:
            unfinished = Path(made, place.name)
            _make(recipe, unfinished)
            unfinished.replace(place)
    return place


def _make(recipe: film_kinds.Recipe, place: Path) -> None:
    if callable(recipe):
        recipe(film, place)
        return
    arguments = [str(film(word[1:-1])) if word.startswith("{") else word for word in shlex.split(recipe)]
    ffmpeg(*arguments, place, folder=_beside())


def session_folder(name: str) -> Path:
    """An empty folder of this process, beside the films."""
    return Path(tempfile.mkdtemp(dir=_folder(), prefix=f"{name}-"))


@cache
def _beside() -> Path:
    """What films are made of apart from moving pictures: subtitles, chapters, a font, a cover."""
    folder = session_folder("beside")
    for name, text in film_kinds.BESIDE.items():
        (folder / name).write_text(text, encoding="utf-8")
    ffmpeg("-f", "lavfi", "-i", "testsrc=size=32x32", "-frames:v", "1", folder / "cover.png")
    return folder


@cache
def _folder() -> Path:
    if shared := os.environ.get("DNI_TESTS_FILMS"):
        Path(shared).mkdir(exist_ok=True)
        return Path(shared)
    own = tempfile.mkdtemp(prefix="dni-films-")
    atexit.register(shutil.rmtree, own, ignore_errors=True)
    return Path(own)
