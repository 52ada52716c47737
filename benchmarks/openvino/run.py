"""OpenVINO beside ONNX Runtime: alpha held, and another alpha at every call, on two networks.

    python benchmarks/openvino/run.py             five minutes on two cores, nothing else running
    python benchmarks/openvino/run.py --quick     does it work? The numbers mean nothing, and are not kept

writes benchmarks/results/openvino.json and .md.
"""

import json
import os
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import click

from dni_deploy.bench import Case, Report, line_up, plan, run_case
from dni_deploy.bench.approaches.lineup import BAKED, NAIVE, OPENVINO, OURS
from dni_deploy.bench.approaches.ours import Runtime
from dni_deploy.bench.approaches.sessions import PlainSession
from dni_deploy.bench.measuring.hardware import hardware
from dni_deploy.bench.table import case_title, machine, remarks
from dni_runtime import DniError

BENCHMARKS = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(BENCHMARKS / "alpha_is_free"))
from four_networks import NETWORKS, write_files  # noqa: E402

CHOSEN = ("Compact", "DnCNN")
SIZE, THREADS = 64, 2
SECONDS, AGAIN = 30.0, 2
OPENVINO_BAKED, OPENVINO_OURS = "baked file, OpenVINO", "dni-runtime, OpenVINO"

HEAD = """# OpenVINO beside ONNX Runtime

{machine}

Medians in milliseconds and, after x, of the ratios to ONNX Runtime's baked file in the same round, with quartiles; all
in one process, interleaved, in float32, after their results were found equal; opened and measured {times} times over.
held: alpha stays. new: another alpha at every call. "OpenVINO" is the alpha-input file as it is (`alpha_policy`
dynamic); "{ours}" is the default, which pins an alpha that holds in the background.
`python benchmarks/openvino/run.py` makes this page.
"""


def measure(name: str, folder: Path, quick: bool) -> Case:
    files = write_files(NETWORKS[name].build, folder / name)
    lineup = line_up(files.model, folder / name, None, "cpu")
    baked = lineup.approach(BAKED)
    approaches = [
        *(lineup.approach(approach) for approach in (BAKED, OURS, NAIVE, OPENVINO)),
        PlainSession(name=OPENVINO_BAKED, files=baked.files, strengths=baked.strengths, provider="openvino"),
        Runtime(name=OPENVINO_OURS, files=lineup.approach(OURS).files, provider="openvino"),
    ]
    effort = plan(1.0, fewest=1) if quick else replace(plan(SECONDS), again=AGAIN)
    core = tuple(approach.name for approach in approaches)

    def progress(step: str) -> None:
        click.echo(f"{name}: {step}", err=True)

    return run_case(name, lineup, approaches, (1, 3, SIZE, SIZE), THREADS, "cpu", effort, progress, core)


def table(case: Case) -> str:
    lines = [f"## {case_title(case)}", "", "| | held | x | new | x |", "|---|---:|---:|---:|---:|"]
    for row in case.rows:
        cells = [row.approach]
        for ms, ratio in ((row.held_ms, row.held_ratio), (row.moving_ms, row.moving_ratio)):
            cells.append("" if ms is None else f"{ms.median:.1f}")
            cells.append("" if ratio is None else f"{ratio.median:.2f} ({ratio.low:.2f}..{ratio.high:.2f})")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, "", *(f"{remark}  " for remark in remarks(case))])


@click.command()
@click.option("--quick", is_flag=True, help="A rehearsal of half a minute.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="The folder.  [default: benchmarks/results]")
def main(quick: bool, output: Path | None) -> None:
    """Measure, and write the page."""
    if output is None and quick:
        raise click.UsageError("the results are of a whole run; give -o FOLDER for a rehearsal")
    output = output or BENCHMARKS / "results"
    output.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryDirectory() as folder:
            os.environ["DNI_CACHE_DIR"] = folder
            cases = tuple(measure(name, Path(folder), quick) for name in CHOSEN)
    except DniError as error:
        raise click.ClickException(str(error)) from None
    report = Report(hardware(), cases, ())
    (output / "openvino.json").write_text(json.dumps(report.to_dict()))
    head = HEAD.format(machine=machine(report.hardware), times=1 if quick else AGAIN + 1, ours=OPENVINO_OURS)
    (output / "openvino.md").write_text("\n".join([head, *(f"{table(case)}\n" for case in cases)]))


if __name__ == "__main__":
    main()
