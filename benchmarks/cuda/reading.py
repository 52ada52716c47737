"""Raw results, read back: what was timed in the same rounds, and what goes with it."""

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import names

from dni_deploy.bench.measuring.spread import Spread, paired_ratios, spread, values_of

Record = dict[str, Any]


@dataclass(slots=True)
class Case:
    """Rounds of one network, precision and size, in milliseconds.

    compiled: what PyTorch had compiled for it, "" for a case without that. wrong: approaches whose results disagree.
    """

    network: str
    dtype: str
    size: int
    compiled: str
    rounds: list[dict[str, float]] = field(default_factory=list)
    errors: dict[str, float] = field(default_factory=dict)
    wrong: set[str] = field(default_factory=set)

    def __str__(self) -> str:
        beside = f", beside PyTorch compiled {self.compiled}" if self.compiled else ""
        return f"{self.network}, {self.size} x {self.size}, {self.dtype}{beside}"

    @property
    def approaches(self) -> list[str]:
        """Those that compute images, fastest first."""
        timed = {name for taken in self.rounds for name in taken} - set(names.NO_IMAGE)
        return sorted(timed, key=lambda name: median(values_of(self.rounds, name)))

    def is_right(self, name: str) -> bool:
        """Whether its results agreed; those of a variant with moving alphas are those of the approach itself."""
        return name.removesuffix(names.MOVING) not in self.wrong

    @property
    def best_baked(self) -> str | None:
        """The fastest baked file of those whose results agree."""
        return self.fastest(names.ALL_BAKED)

    def fastest(self, of: Collection[str]) -> str | None:
        """The fastest approach among `of` whose results agree."""
        return next((name for name in self.approaches if name in of and self.is_right(name)), None)

    def latency(self, name: str) -> Spread | None:
        return spread(values_of(self.rounds, name))

    def ratio(self, name: str, reference: str | None) -> Spread | None:
        return None if reference is None else spread(paired_ratios(self.rounds, name, reference))

    def change(self) -> Spread | None:
        """What a new alpha adds to a call of ours, in the same round, in milliseconds."""
        new, held = names.OURS_NEW, names.OURS
        return spread([taken[new] - taken[held] for taken in self.rounds if new in taken and held in taken])


@dataclass(frozen=True, slots=True)
class Results:
    """All of one file; the last of several runs of a case counts."""

    records: list[Record]
    cases: list[Case]

    def of_kind(self, kind: str, **where: Any) -> Iterator[Record]:
        for record in self.records:
            if record["kind"] == kind and all(record.get(key) == value for key, value in where.items()):
                yield record

    def last(self, kind: str, **where: Any) -> Record | None:
        return next(reversed(list(self.of_kind(kind, **where))), None)

    def main_size(self) -> int:
        """The middle one of the sizes that were asked for."""
        sizes = sorted((self.last("machine") or {}).get("sizes") or {case.size for case in self.cases})
        return sizes[len(sizes) // 2]


def read(path: Path) -> Results:
    records = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]
    cases: dict[tuple[str, str, int, str], Case] = {}
    checked: dict[tuple[str, str, int], tuple[dict[str, float], set[str]]] = {}
    for record in records:
        where = (record.get("network", ""), record.get("dtype", ""), record.get("size", 0))
        if record["kind"] == "agreement":
            errors, wrong = checked.setdefault(where, ({}, set()))
            name = record["approach"]
            errors[name] = max(record["error"], errors.get(name, 0.0))
            if not record["agrees"]:
                wrong.add(name)
        elif record["kind"] == "rounds":
            case = Case(*where, record.get("compiled", ""), record["rounds"])
            # What was checked since the rounds before belongs to these.
            case.errors, case.wrong = checked.pop(where, ({}, set()))
            cases[*where, case.compiled] = case
    return Results(records, list(cases.values()))
