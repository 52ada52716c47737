"""Endpoints in the order in which alpha goes through them: what lies at the knots, and which middles between."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from torch import nn

from dni_exporters.checkpoints.checkpoint import Checkpoint, of_like_names, read_endpoints
from dni_exporters.checkpoints.middles import Middle, read_middle
from dni_exporters.graphs.formula import Formula
from dni_exporters.networks.arguments import NOISE, Arguments, is_known, noise_levels
from dni_exporters.sources import Route, StateDict
from dni_runtime import EndpointError
from dni_runtime.alpha import Knob
from dni_runtime.shares import Path


@dataclass(frozen=True, slots=True)
class Along:
    """What was read of a route.

    checkpoints: in their order; path: how alpha goes through them, None where it is shares; knobs: which parameters
    have an alpha of their own; notes: for the user.
    """

    checkpoints: list[Checkpoint]
    path: Path | None
    knobs: tuple[Knob, ...]
    notes: list[str]

    def formula(self, states: Sequence[StateDict]) -> Formula:
        """How alpha becomes shares in `states`, those of the checkpoints. Raises EndpointError as `Formula.of` does."""
        return Formula.of(self.path, self.knobs, states, self.checkpoints[0].tensors)

    def arguments(self, arch: str | nn.Module, arch_args: Arguments) -> Arguments:
        """`arch_args`, whose noise levels are of the knots, with one for each checkpoint: a middle's is where `fit` had
        it, evenly between its neighbours'.
        """
        levels = noise_levels(arch_args, len(self.path.knots)) if self.path is not None and is_known(arch) else None
        if self.path is None or levels is None:
            return arch_args
        spread = [levels[0]]
        for (first, last), count in zip(pairwise(levels), self.path.middles, strict=True):
            spread += [first + (last - first) * number / (count + 1) for number in range(1, count + 2)]
        return {NOISE: spread}


def read_along(route: Route) -> Along:
    """Read the endpoints and middles of `route`, and put each middle where it belongs.

    Raises CheckpointError, and EndpointError for middles that belong nowhere, or of which one is missing.
    """
    knots, notes = read_endpoints(route.endpoints)
    if not route.is_path:
        return Along(knots, None, route.as_knobs, notes)
    middles, more = read_endpoints(route.through, first_number=len(knots) + 1)
    both = of_like_names([*knots, *middles])
    knots, fitted = both[: len(knots)], [_Fitted.read(middle) for middle in both[len(knots) :]]
    if len(knots) == 2 and not all(middle.place(*knots) for middle in fitted):
        pieces = [[middle.checkpoint for middle in fitted]]
        more += [note for middle in fitted if (note := middle.note(*knots))]
    else:
        pieces = _matched(knots, fitted)
    checkpoints = knots[:1]
    for piece, knot in zip(pieces, knots[1:], strict=True):
        checkpoints += [*piece, knot]
    return Along(checkpoints, Path(route.knots, tuple(map(len, pieces))), route.as_knobs, notes + more)


@dataclass(frozen=True, slots=True, eq=False)
class _Fitted:
    """A middle; said: what its file tells of its curve, None where it tells nothing."""

    checkpoint: Checkpoint
    said: Middle | None

    @classmethod
    def read(cls, checkpoint: Checkpoint) -> "_Fitted":
        return cls(checkpoint, read_middle(checkpoint.path) if checkpoint.path else None)

    def place(self, first: Checkpoint, last: Checkpoint) -> int:
        """Its number on the curve between two endpoints, from 1; 0 where it was not fitted between them."""
        return self.said.place_between(first.sha256, last.sha256) if self.said else 0

    def note(self, first: Checkpoint, last: Checkpoint) -> str:
        """For a user who puts it between others than it was fitted for."""
        if self.said is None or self.place(first, last):
            return ""
        return (
            f"{self.checkpoint.name} was fitted between other files ({self.ends}) than {first.name} and {last.name}; "
            "it is taken as it was given"
        )

    @property
    def ends(self) -> str:
        """What it was fitted between, for a sentence."""
        return "unknown" if self.said is None else " and ".join(end.file for end in self.said.ends)


def _matched(knots: Sequence[Checkpoint], middles: Sequence[_Fitted]) -> list[list[Checkpoint]]:
    """The middles of each piece, by what their files say."""
    pieces = []
    left = list(middles)
    for first, last in pairwise(knots):
        here = sorted((middle for middle in left if middle.place(first, last)), key=lambda m: m.place(first, last))
        places = [middle.place(first, last) for middle in here]
        wanted = {middle.said.degree - 1 for middle in here if middle.said}
        if here and (wanted != {len(here)} or places != [*range(1, len(here) + 1)]):
            raise EndpointError(
                f"{', '.join(middle.checkpoint.name for middle in here)} between {first.name} and {last.name}: "
                "expected all middles of one curve, each once"
            )
        pieces.append([middle.checkpoint for middle in here])
        left = [middle for middle in left if middle not in here]
    if left:
        order = ", ".join(knot.name for knot in knots)
        told = "; ".join(
            f"{middle.checkpoint.name} was fitted between {middle.ends}"
            if middle.said
            else f"{middle.checkpoint.name} does not say between which endpoints it was fitted"
            for middle in left
        )
        raise EndpointError(
            f"{told}; expected middles of neighbours among {order}, by the content of their files. Give the files that "
            "it was fitted between, or fit it again (dni fit)"
        )
    return pieces
