"""What came of an input, in one word; and how often which did."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

RIGHT, REFUSED = "right", "refused"
TRACEBACK, SENTENCE, WRONG, HANG, MEMORY = "traceback", "no sentence", "wrong result", "hang", "memory"
EXECUTED, READ, WRITTEN, TERMINAL = "executed", "read outside", "written outside", "escape sequence"
FAULTS = (EXECUTED, READ, WRITTEN, WRONG, TRACEBACK, HANG, MEMORY, SENTENCE, TERMINAL)
"""The worst first."""

EXPLAINED = {
    RIGHT: "done, and compared where a reference exists",
    REFUSED: "one sentence, exit code 1 (of a server: a 4xx, INVALID_ARGUMENT or the like)",
    EXECUTED: "a program, a connection, or what a payload would have made",
    READ: "a file outside of the input's folder was opened, or its content came out",
    WRITTEN: "a file outside of the output's folder was made, changed or removed",
    WRONG: "a result that is not the reference's, or not the same twice",
    TRACEBACK: "an exception that is not ours, a crash, a server's 5xx or its end",
    HANG: "over 20 s, twice",
    MEMORY: "a peak of more than 1.5 GB, PyTorch's 0.4 GB included",
    SENTENCE: "a refusal of more than one line, or none",
    TERMINAL: "control characters reach the terminal",
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """Of one way that one input went. `detail`: the sentence, or what happened."""

    kind: str
    family: str
    name: str
    way: str
    result: str
    detail: str
    sha256: str = ""
    seconds: float = 0.0
    peak_mb: float = 0.0

    @property
    def is_fault(self) -> bool:
        return self.result in FAULTS


def count(outcomes: Iterable[Outcome]) -> list[dict[str, Any]]:
    """A row for each kind, family and way: inputs, outcomes, the longest time and the highest peak."""
    groups: dict[tuple[str, str, str], list[Outcome]] = {}
    for outcome in outcomes:
        groups.setdefault((outcome.kind, outcome.family, outcome.way), []).append(outcome)
    return [
        {
            "kind": kind,
            "family": family,
            "way": way,
            "inputs": len(group),
            "outcomes": dict(Counter(outcome.result for outcome in group)),
            "longest_s": round(max(outcome.seconds for outcome in group), 2),
            "peak_mb": round(max(outcome.peak_mb for outcome in group)),
        }
        for (kind, family, way), group in groups.items()
    ]


def faults(outcomes: Iterable[Outcome]) -> list[dict[str, Any]]:
    """Every fault; those that look alike (numbers and names aside) once, with the number of inputs."""
    alike: dict[tuple[str, ...], list[Outcome]] = {}
    for outcome in outcomes:
        if outcome.is_fault:
            shape = re.sub(r"'[^']*'|\"[^\"]*\"|[0-9]+|/[^ :,)]+", "~", outcome.detail)
            alike.setdefault((outcome.result, outcome.kind, outcome.way, shape), []).append(outcome)
    rows = [asdict(group[0]) | {"inputs": len(group)} for group in alike.values()]
    return sorted(rows, key=lambda row: (FAULTS.index(row["result"]), row["kind"], -row["inputs"]))
