"""What a run found, as benchmarks/results/hostile.jsonl, and the page made of it."""

import json
import subprocess
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from inputs import Chosen
from outcome import Outcome, count
from page import page
from sources import SOURCES
from wire import STARTED_AGAIN

from dni_deploy.bench.measuring.hardware import hardware

RESULTS = Path(__file__).resolve().parents[1] / "results"


def write(
    output: Path,
    outcomes: Sequence[Outcome],
    found: Sequence[dict[str, Any]],
    chosen: Chosen,
    missing: Sequence[str],
    before: Path | None,
    seconds: float,
) -> None:
    output.mkdir(parents=True, exist_ok=True)
    machine, rows = hardware(), count(outcomes)
    head = {
        **asdict(chosen),
        "revision": _revision(),
        "seconds": round(seconds),
        "hardware": asdict(machine),
        "sources": [asdict(source) for source in SOURCES],
        "not_run": missing,
        "remarks": _remarks(outcomes),
    }
    with (output / "hostile.jsonl").open("w") as file:
        for line in (head, *rows, *({"fault": fault} for fault in found)):
            file.write(json.dumps(line) + "\n")
    earlier = [json.loads(line) for line in before.read_text().splitlines()] if before else []
    (output / "hostile.md").write_text(page(head, machine, rows, found, earlier))


def _remarks(outcomes: Sequence[Outcome]) -> list[str]:
    ended = [outcome for outcome in outcomes if outcome.detail.startswith(STARTED_AGAIN)]
    if not ended:
        return []
    return [
        f"{len(ended)} of the requests ended the model's process in Triton's Python backend, such as {ended[0].name!r} "
        f"over {ended[0].kind}: {ended[0].detail}."
    ]


def _revision() -> str:
    """Of the code that is tried, which need not be that of this file."""
    import dni_deploy

    where = Path(dni_deploy.__file__).parents[1]
    command = ["git", "-C", str(where), "describe", "--always", "--dirty", "--exclude", "*"]
    return subprocess.run(command, capture_output=True, text=True).stdout.strip() or "unknown"
