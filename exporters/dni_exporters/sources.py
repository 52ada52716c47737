"""What endpoints and networks are given as, and what can be refused of them before PyTorch is imported to read them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from string import ascii_uppercase
from typing import SupportsFloat, TypeAlias

from dni_runtime import Alpha, ArchitectureError, EndpointError, check_alpha
from dni_runtime.alpha import ALPHA, KNOB_NAMES, MOST_KNOBS, MOST_PATTERNS, Knob, is_knob_name
from dni_runtime.files.fields import is_span, show
from dni_runtime.metadata import LIMIT_VALUE
from dni_runtime.shares import MOST_MIDDLES, why_no_path
from dni_runtime.shares import Path as AlphaPath

from .opening import SUFFIXES as SUFFIXES
from .opening import parts_of
from .torch_types import Tensor, nn

StateDict: TypeAlias = Mapping[str, Tensor]
Span: TypeAlias = tuple[float, float]
UNIT: Span = (0.0, 1.0)
"""What black and white are in the images of every file that is written, and of every network that spandrel knows."""
EndpointSource: TypeAlias = str | PathLike[str] | StateDict
"""A checkpoint: the path of a .pth, .pt, .ckpt or .safetensors file or of the index of several, or a state dict.

A state dict are PyTorch's tensors by name."""


@dataclass(frozen=True, slots=True)
class Route:
    """How endpoints lie along alpha, as a user says it: the arguments of `export`, which says what each is.

    Raises EndpointError for what makes no sense. No file is looked at.
    """

    endpoints: Sequence[EndpointSource]
    through: Sequence[EndpointSource] = ()
    curve: bool = False
    path: bool = False
    at: Sequence[float] | None = None
    knobs: Mapping[str, str | Sequence[str]] | None = None

    def __post_init__(self) -> None:
        count, middles = len(self.endpoints), len(self.through)
        self._check_knobs()
        if self.curve and self.path:
            raise EndpointError("--curve is for two endpoints and --path for several in order; give one of them")
        if not self.is_path:
            if self.through:
                raise EndpointError(
                    "--through gives what a curve bends around; say so with --curve (two endpoints), or with --path "
                    "(several in order)"
                )
            if self.at is not None:
                raise EndpointError("--at says where the endpoints of --path or --curve lie; give one of them, too")
            return
        check_count(count)
        if self.curve and (count != 2 or not 1 <= middles <= MOST_MIDDLES):
            raise EndpointError(
                f"--curve with {count} endpoints and {middles} middles; expected two endpoints, and one middle or "
                f"{MOST_MIDDLES} by --through"
            )
        if middles > MOST_MIDDLES * (count - 1):
            raise EndpointError(
                f"{middles} middles by --through for a path of {count} endpoints; expected {MOST_MIDDLES} at most from "
                "one to the next"
            )
        if self.at is not None and (
            isinstance(self.at, str) or not all(isinstance(place, SupportsFloat) for place in self.at)
        ):
            raise EndpointError(f"--at is {self.at!r}; expected a number for each endpoint")
        if self.at is not None and len(self.at) != count:
            raise EndpointError(f"--at gives {len(self.at)} places; expected {count}, one for each endpoint")
        if reason := why_no_path(self.knots, (0,) * (count - 1)):
            raise EndpointError(f"--at makes {reason}")

    def _check_knobs(self) -> None:
        knobs = {} if self.knobs is None else self.knobs
        if not isinstance(knobs, Mapping) or not all(_are_texts(name, said) for name, said in knobs.items()):
            raise EndpointError(
                f"knobs are {knobs!r:.200}; expected a pattern, or a list of them, for each name, such as "
                '{"tail": ["conv_last*"]}'
            )
        if wrong := [name for name in knobs if not is_knob_name(name)]:
            raise EndpointError(f"--knob {show(wrong[0])}: no name for a knob; expected {KNOB_NAMES}")
        if len({name.casefold() for name in knobs}) != len(knobs):
            raise EndpointError(f"--knob: {', '.join(knobs)} differ in capitals alone; call one of them otherwise")
        if empty := [knob.name for knob in self.as_knobs if not knob.patterns or "" in knob.patterns]:
            raise EndpointError(
                f"--knob {empty[0]} gives no pattern; expected NAME=PATTERN with a pattern for names of parameters, "
                f"such as {empty[0]}=conv_last*"
            )
        if len(knobs) > MOST_KNOBS:
            raise EndpointError(f"{len(knobs)} knobs; expected {MOST_KNOBS} at most")
        if many := [knob for knob in self.as_knobs if len(knob.patterns) > MOST_PATTERNS]:
            raise EndpointError(
                f"--knob {many[0].name} has {len(many[0].patterns)} patterns; expected {MOST_PATTERNS} at most: say "
                "more with each (* stands for any letters)"
            )
        if knobs and len(self.endpoints) > 2 and not self.is_path:
            raise EndpointError(
                f"--knob with {len(self.endpoints)} endpoints, of which alpha is the shares; a knob is one number: "
                "give two endpoints, or --path to go through them in order"
            )

    @property
    def as_knobs(self) -> tuple[Knob, ...]:
        """Which parameters are to have an alpha of their own."""
        given = (self.knobs or {}).items()
        return tuple(Knob(name, (said,) if isinstance(said, str) else tuple(said)) for name, said in given)

    @property
    def is_path(self) -> bool:
        """Whether alpha is a place, and not the shares of all endpoints but the last."""
        return self.curve or self.path

    @property
    def knots(self) -> tuple[float, ...]:
        """Where the endpoints of a path lie."""
        given = AlphaPath.even((0,) * (len(self.endpoints) - 1)).knots if self.at is None else self.at
        return tuple(map(float, given))

    def alpha_range(self, given: tuple[float, float]) -> tuple[float, float]:
        """The smallest and largest alpha: as `given`, on a path its ends. Raises EndpointError where both are told."""
        if not self.is_path:
            return given
        if tuple(given) != (0.0, 1.0):
            raise EndpointError(
                "--alpha-range does not go with --curve and --path: alpha ends where the path does (--at)"
            )
        return min(self.knots), max(self.knots)

    def check_alpha(self, alpha: Alpha, given_range: tuple[float, float]) -> tuple[float, ...]:
        """The numbers of an alpha in `alpha_range`. Raises AlphaError for any other."""
        # Too few endpoints are reported by their own check.
        knobs = (ALPHA, *self.knobs) if self.knobs else ()
        count = len(knobs) or (1 if self.is_path else max(1, len(self.endpoints) - 1))
        return check_alpha(alpha, self.alpha_range(given_range), count, on_path=self.is_path, knobs=knobs)


def _are_texts(name: object, said: object) -> bool:
    """Whether a knob is given as a name, and a pattern or some."""
    patterns = [said] if isinstance(said, str) else said
    return isinstance(patterns, Sequence) and all(isinstance(text, str) for text in (name, *patterns))


def listed(through: Sequence[EndpointSource]) -> tuple[EndpointSource, ...]:
    """`through` to be gone through more than once. Raises EndpointError for one checkpoint in place of a list."""
    if isinstance(through, str | PathLike | Mapping):
        raise EndpointError("through is one checkpoint; expected a list of them: through=[C]")
    return tuple(through)


def source_name(source: EndpointSource, number: int) -> str:
    """What endpoint `number`, counted from 1, is called; a state dict of no number is "a state dict"."""
    if not isinstance(source, Mapping):
        return Path(source).name
    return f"endpoint {number}" if number else "a state dict"


def check_sources(sources: Sequence[EndpointSource]) -> None:
    """Raise EndpointError for too few endpoints, CheckpointError for a file that by its first bytes can be none."""
    check_count(len(sources))
    for source in sources:
        check_source(source)


def check_source(source: EndpointSource) -> None:
    """Raise CheckpointError for a file that by its first bytes can be no checkpoint."""
    if not isinstance(source, Mapping):
        parts_of(Path(source))


def check_count(count: int) -> None:
    """Raise EndpointError unless there is something to blend, and a letter for each."""
    if count < 2:
        raise EndpointError(f"{count} endpoint given; a blend needs at least two checkpoints")
    if count > len(ascii_uppercase):
        raise EndpointError(f"{count} checkpoints given; expected {len(ascii_uppercase)} at most, middles included")


def check_range(value_range: Span, *networks: str | nn.Module) -> None:
    """Raise ArchitectureError for a range of images that is none, or that none of `networks` can have."""
    low, high = value_range
    if not is_span(low, high, LIMIT_VALUE):
        raise ArchitectureError(
            f"the value range is {low:g}..{high:g}; expected what black and what white is for the network, the smaller "
            f"number first, both within {LIMIT_VALUE:g}, such as --range -1 1 or --range 0 255"
        )
    known = [arch for arch in networks if isinstance(arch, str) and ":" not in arch]
    if tuple(value_range) != UNIT and known:
        raise ArchitectureError(
            f"--range {low:g} {high:g} is for a network given as code (module:callable), --arch is {known[0]!r}: the "
            "images of all that spandrel knows are in 0..1; leave one of them out"
        )
