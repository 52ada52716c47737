"""What a benchmark found, as plain data."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from .approaches.approach import Strength
from .measuring.footprint import Footprint
from .measuring.hardware import Hardware
from .measuring.race import Round
from .measuring.spread import Spread, paired_ratios, spread, values_of

_MS = 1e3


@dataclass(frozen=True, slots=True)
class Row:
    """One approach on one case; None where it cannot do that, or it was not measured.

    difference:    from the alpha-input file in a plain session, relative; `exact` ones were refused if it is large.
    held_ms:       a call with an alpha that stays.
    moving_ms:     a call with an alpha that was never used before.
    first_ms:      the first call after a change, from a settled state.
    full_speed_ms: from the change until a call has run within 1.1 of held_ms; after 2 s nobody waits on.
    drawn_ms:      a call where alphas are drawn at random from a few; drawn_per_s the calls in a second.
    *_ratio:       to the baked file's held call in the same round.
    """

    approach: str
    exact: bool
    difference: float
    held_ms: Spread | None
    held_ratio: Spread | None
    moving_ms: Spread | None
    moving_ratio: Spread | None
    first_ms: Spread | None
    first_ratio: Spread | None
    full_speed_ms: Spread | None
    drawn_ms: Spread | None
    drawn_per_s: float | None
    note: str


@dataclass(frozen=True, slots=True)
class Rounds:
    """Seconds by round and approach, of each phase; see `phases`."""

    held: Sequence[Round] = ()
    moving: Sequence[Round] = ()
    changed: Sequence[Round] = ()
    drawn: Sequence[Round] = ()


@dataclass(frozen=True, slots=True)
class Case:
    """One model on one image size with one number of threads.

    by_change_rate: approach -> n -> mean milliseconds of a call where alpha changes every n-th.
    """

    model: str
    height: int
    width: int
    threads: int | None
    provider: str
    dtype: str
    alpha: Strength
    tolerance: float
    rows: tuple[Row, ...]
    rounds: Rounds
    by_change_rate: Mapping[str, Mapping[int, float]]


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """Of one alpha-input model: weights of all endpoints and of one, and what each approach takes of a machine.

    footprint_size: height and width of the image that memory was measured with.
    """

    model: str
    weights_bytes: int
    one_weights_bytes: int
    footprint_size: tuple[int, int]
    footprints: tuple[Footprint, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """All that was measured, and where."""

    hardware: Hardware
    cases: tuple[Case, ...]
    models: tuple[ModelFacts, ...]
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON; floats cut to six digits, which is more than was measured."""
        cut: dict[str, Any] = _rounded(asdict(self))
        return cut


def make_row(
    approach: str,
    *,
    exact: bool,
    difference: float,
    rounds: Rounds,
    full_speed_s: Sequence[float],
    reference: str,
    changes: bool,
    note: str,
) -> Row:
    """Summarise one approach. The reference is in every round; of an approach that cannot change only the held."""

    def ms(taken: Sequence[Round]) -> Spread | None:
        return spread(values_of(taken, approach), _MS) if changes else None

    def ratio(taken: Sequence[Round]) -> Spread | None:
        return spread(paired_ratios(taken, approach, reference)) if changes else None

    drawn_ms = ms(rounds.drawn)
    return Row(
        approach=approach,
        exact=exact,
        difference=difference,
        held_ms=spread(values_of(rounds.held, approach), _MS),
        held_ratio=spread(paired_ratios(rounds.held, approach, reference)),
        moving_ms=ms(rounds.moving),
        moving_ratio=ratio(rounds.moving),
        first_ms=ms(rounds.changed),
        first_ratio=ratio(rounds.changed),
        full_speed_ms=spread(full_speed_s, _MS),
        drawn_ms=drawn_ms,
        drawn_per_s=None if drawn_ms is None else _MS / drawn_ms.median,
        note=note,
    )


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, dict):
        return {str(key): _rounded(item) for key, item in value.items()}
    return [_rounded(item) for item in value] if isinstance(value, list | tuple) else value
