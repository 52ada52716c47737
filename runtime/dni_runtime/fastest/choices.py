"""What was found out: for images of about one size, how long each engine takes."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

# One engine for both takes less memory, and no threads of another are awake when alpha begins to move.
_MUCH = 1.05

Shape: TypeAlias = tuple[int, ...]
"""Of a batch, (N, C, H, W)."""


@dataclass(frozen=True, slots=True)
class SizeClass:
    """Batches that are decided about together: of the same N and H * W, each rounded to a power of 2.

    Photographs come in a thousand sizes, and a race for each would take longer than they do.

    fits: whether every engine takes images of that height and width.
    """

    batch: int
    pixels: int
    fits: bool

    @classmethod
    def of(cls, shape: Shape, fits: bool) -> "SizeClass":
        """That of a batch of `shape`, which is not empty."""
        count, _, height, width = shape
        return cls(round(math.log2(count)), round(math.log2(height * width)), fits)

    def __str__(self) -> str:
        """The middle one: `64x64`, `4 of 91x91`."""
        side = round(2 ** (self.pixels / 2))
        return f"{2**self.batch} of {side}x{side}" if self.batch else f"{side}x{side}"


@dataclass(frozen=True, slots=True)
class Choice:
    """The outcome of a race.

    shape:   of the batch that was measured.
    held:    by engine, seconds of a call with an alpha that holds; of an engine that was far behind from a few calls.
    moving:  the same with another alpha for every call.
    refused: by engine, why it took no part.
    calm:    whether the machine had nothing else to do, so that others may rely on it.
    """

    shape: Shape
    held: Mapping[str, float]
    moving: Mapping[str, float]
    refused: Mapping[str, str]
    calm: bool

    def __str__(self) -> str:
        """Which engine, and times: `openvino while alpha holds (20.1 ms; cpu 22.3 ms), cpu ..., measured at 64x64`."""
        count, _, height, width = self.shape
        size = f"measured at {height}x{width}" if count == 1 else f"measured at {count} of {height}x{width}"
        size += "" if self.calm else " on a busy machine, so not remembered"
        if self.held == self.moving:
            return f"{_told(self.held, self.of_held, '')}, {size}"
        held = _told(self.held, self.of_held, " while alpha holds")
        return f"{held}, {_told(self.moving, self.of_moving, ' while it moves')}, {size}"

    @property
    def of_held(self) -> Sequence[str]:
        """The engines, the best one for an alpha that holds first."""
        return ranked(self.held)

    @property
    def of_moving(self) -> Sequence[str]:
        """The same for an alpha that moves: the engine of a held one goes before one that is little faster."""
        return ranked(self.moving, favoured=self.of_held[0])

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        maps = {"held": self.held, "moving": self.moving, "refused": self.refused}
        return {"shape": [*self.shape], **{name: dict(value) for name, value in maps.items()}}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any], engines: Iterable[str]) -> "Choice":
        """Raises an exception of some kind for anything that `to_dict` does not make, for these `engines`."""
        held, moving, refused = (dict(stored[name]) for name in ("held", "moving", "refused"))
        times = [*held.values(), *moving.values()]
        known = {*held, *moving, *refused} <= set(engines) and held and moving
        if not known or not all(isinstance(s, float) and 0 < s < math.inf for s in times):
            raise ValueError("no times of these engines")
        reasons = {name: str(reason) for name, reason in refused.items()}
        return cls(tuple(int(size) for size in stored["shape"]), held, moving, reasons, calm=True)


def ranked(times: Mapping[str, float], favoured: str = "") -> Sequence[str]:
    """The engines, the fastest one first; the `favoured` one before those that are not much faster."""
    return sorted(times, key=lambda name: times[name] / (_MUCH if name == favoured else 1))


def _told(times: Mapping[str, float], order: Sequence[str], when: str) -> str:
    first, *others = order
    words = [f"{times[first] * 1e3:.1f} ms", *(f"{name} {times[name] * 1e3:.1f} ms" for name in others)]
    return f"{first}{when} ({'; '.join(words)})"
