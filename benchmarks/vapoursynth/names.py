"""What the ways to enhance a film are called, in the results and on the page, and which of them are run."""

ALPHA = 0.4
LOOP = "a loop over `enhance`"
OURS = "`dni_runtime.vapoursynth`"
BAKED = "vs-mlrt `ort`, baked file"
PLANE = "vs-mlrt `ort`, plane file"
HELD, MOVING = "held", "moving"

Kind = tuple[str, str, int, int]
"""Who, alpha held or moving, streams of the filter, frames that are requested at once."""

FEW: tuple[Kind, ...] = (
    (LOOP, HELD, 1, 1), (LOOP, MOVING, 1, 1),
    (OURS, HELD, 1, 1), (OURS, MOVING, 1, 1), (OURS, HELD, 1, 4), (OURS, MOVING, 1, 4),
    (BAKED, HELD, 1, 4), (PLANE, MOVING, 1, 4),
)  # fmt: skip
"""Of every network."""

STREAMS: tuple[Kind, ...] = (
    *((OURS, alpha, 1, requests) for requests in (2, 8) for alpha in (HELD, MOVING)),
    *((OURS, alpha, 2, requests) for requests in (2, 8) for alpha in (HELD, MOVING)),
    (BAKED, HELD, 1, 8), (BAKED, HELD, 2, 8), (PLANE, MOVING, 1, 8), (PLANE, MOVING, 2, 8),
)  # fmt: skip
"""Streams of the filter and requests of the program, of some networks."""


def named(way: str, alpha: str, streams: int = 1, requests: int = 1) -> str:
    """The key of a way in the rounds."""
    return f"{way}, {alpha}, {streams}, {requests}"


def apart_from_alpha(key: str) -> str:
    """The same for held and moving."""
    way, _, streams, requests = key.rsplit(", ", 3)
    return f"{way}, {streams}, {requests}"
