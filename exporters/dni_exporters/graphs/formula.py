"""Which share of each endpoint a parameter takes at an alpha: along a path or not, by an alpha of its own or not."""

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from torch import Tensor

from dni_exporters.checkpoints.endpoints import is_leftover
from dni_exporters.sources import StateDict
from dni_runtime import EndpointError
from dni_runtime.alpha import Key, Knob
from dni_runtime.shares import Path, shares_of

# Of the names in an error.
_MOST_NAMES = 12


@dataclass(frozen=True, slots=True)
class Formula:
    """How alpha becomes shares.

    path:    along which alpha leads, None where it is the shares themselves.
    knobs:   which parameters have an alpha of their own, in the order of alpha's numbers after the first.
    numbers: of those parameters, which of alpha's numbers it is; the others take the first.
    """

    path: Path | None = None
    knobs: tuple[Knob, ...] = ()
    numbers: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        path: Path | None,
        knobs: Sequence[Knob],
        endpoints: Sequence[StateDict],
        read: StateDict | None = None,
    ) -> "Formula":
        """Find the parameters of `knobs` in `endpoints`, state dicts of the same names.

        read: the first endpoint as its file has it, by whose names a parameter may be called as well.

        Tied weights, one parameter of several names, belong to the knob that one of these names matches.

        Raises EndpointError for a pattern of which there is none, or none that differs between endpoints, for one of
        two knobs, and where none is left for alpha itself.
        """
        if not knobs:
            return cls(path)
        differ = [name for name, tensor in endpoints[0].items() if _is_blended(name, tensor, endpoints)]
        tied = _tied(differ, endpoints)
        called = _also_called(endpoints[0], read or {})
        matched = {knob.name: _matched(knob, called, tied) for knob in knobs}
        numbers: dict[str, int] = {}
        for number, (name, named) in enumerate(matched.items(), 1):
            parameters = dict.fromkeys(twin for each in named for twin in tied[each])
            if twice := [each for each in parameters if each in numbers]:
                other = knobs[numbers[twice[0]] - 1].name
                raise EndpointError(
                    f"--knob {other} and --knob {name} are both for {_listed(twice)}; expected each parameter in "
                    "one of them: make a pattern narrower"
                )
            numbers.update(dict.fromkeys(parameters, number))
        if not tied.keys() - numbers.keys():
            raise EndpointError(
                f"--knob {', '.join(matched)}: no parameter is left for alpha itself, which is for those that no "
                f"pattern matches; leave one of them out, say {knobs[0].name}: its parameters follow alpha then"
            )
        return cls(path, tuple(knobs), numbers)

    @property
    def count(self) -> int:
        """How many numbers alpha has, where there are knobs or a path."""
        return 1 + len(self.knobs)

    def shares(self, alpha: Key, parameter: str) -> tuple[float, ...]:
        """The share of each endpoint in `parameter`, in their order."""
        return shares_of((alpha[self.numbers.get(parameter, 0)],) if self.knobs else alpha, self.path)

    def everywhere(self, alpha: Key) -> Key:
        """`alpha` of one number as all knobs at once, which are then none."""
        return alpha * self.count if self.knobs else alpha


ONE_ALPHA = Formula()
"""The endpoints' shares, the same in all parameters."""


def _matched(knob: Knob, called: Mapping[str, Sequence[str]], differ: Container[str]) -> list[str]:
    """The parameters of a knob that differ between endpoints. Raises EndpointError where a pattern has none.

    called: all names of each parameter.
    """
    found: dict[str, None] = {}
    for pattern in knob.patterns:
        named = [name for name, names in called.items() if any(fnmatchcase(each, pattern) for each in names)]
        blended = [name for name in named if name in differ]
        if not named:
            raise EndpointError(
                f"--knob {knob.name}={pattern}: no parameter is called so; expected a pattern for some of "
                f"{_listed([name for name in called if name in differ])} (* stands for any letters)"
            )
        if not blended:
            raise EndpointError(
                f"--knob {knob.name}={pattern}: {_listed(named)} are equal in all endpoints, or no weights, so an "
                f"alpha would change nothing; expected some of {_listed([name for name in called if name in differ])}"
            )
        found.update(dict.fromkeys(blended))
    return list(found)


def _is_blended(name: str, first: Tensor, endpoints: Sequence[StateDict]) -> bool:
    return (
        first.is_floating_point()
        and not is_leftover(name)
        and not all(endpoint[name].equal(first) for endpoint in endpoints[1:])
    )


def _also_called(state: StateDict, read: StateDict) -> dict[str, list[str]]:
    """Of each parameter its name, and those that a file with other names than the network's has for what is equal."""
    theirs: dict[tuple[object, ...], list[str]] = {}
    for name, tensor in read.items():
        if name not in state:
            theirs.setdefault(_begins(tensor), []).append(name)
    return {
        name: [name, *(each for each in theirs.get(_begins(tensor), ()) if read[each].to(tensor.dtype).equal(tensor))]
        for name, tensor in state.items()
    }


def _begins(tensor: Tensor) -> tuple[object, ...]:
    """What tells most tensors apart without a look at all of them."""
    return (tensor.shape, *tensor.detach().flatten()[:4].float().tolist())


def _tied(names: Iterable[str], endpoints: Sequence[StateDict]) -> dict[str, list[str]]:
    """Of each name all those of the same parameter, its own among them: what is equal in every endpoint is one."""
    alike: dict[tuple[object, ...], list[list[str]]] = {}
    for name in names:
        tensors = [endpoint[name] for endpoint in endpoints]
        # Only what begins alike is compared as a whole.
        groups = alike.setdefault((tensors[0].shape, *(tensor.flatten()[:1].tolist()[0] for tensor in tensors)), [])
        for group in groups:
            if all(endpoint[group[0]].equal(tensor) for endpoint, tensor in zip(endpoints, tensors, strict=True)):
                group.append(name)
                break
        else:
            groups.append([name])
    return {name: group for groups in alike.values() for group in groups for name in group}


def _listed(names: Sequence[str]) -> str:
    """Names for a sentence; of many the first and the last."""
    if len(names) <= _MOST_NAMES:
        return ", ".join(names)
    return f"{', '.join(names[: _MOST_NAMES - 2])}, ... {', '.join(names[-2:])} ({len(names)} in all)"
