"""Films that went through the network which returns its input, each made once for all tests of a process."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from commands import dni
from film_kinds import BAD, COLOURS, INTERLACED
from films import KINDS, film, session_folder
from onnx_models import save
from plain_to_see import returns_input

SUFFIXES = (".mkv", ".mp4", ".mov", ".webm")
"""Of the containers that are written."""
CHARTS = tuple(kind for kind in COLOURS if kind.startswith("chart_"))
GOOD = tuple(kind for kind in KINDS if kind not in {*BAD, *CHARTS, *INTERLACED})

_HOLDS_OPACITY = {
    **dict.fromkeys(("ffv1_bgra", "ffv1_yuva420p", "ffv1_yuva444p10le", "gif"), ("--codec", "ffv1")),
    **dict.fromkeys(("prores_yuva", "png_rgba", "png_pal8"), ("--codec", "prores")),
}


def copied(kind: str) -> Path:
    """The film of that kind, into its own container (or .mkv) with what the command takes where nothing is said."""
    suffix = film(kind).suffix
    return through_same(kind, suffix if suffix in SUFFIXES else ".mkv", *_HOLDS_OPACITY.get(kind, ()))


@cache
def through_same(kind: str, suffix: str, *options: str) -> Path:
    folder = session_folder("through")
    output = folder / f"{kind}{'_'.join(options)}{suffix}"
    dni("film", _same(), film(kind), "-o", output, "--threads", "1", *options).assert_ok()
    return output


@cache
def _same() -> Path:
    return save(returns_input(), session_folder("network") / "same.onnx")
