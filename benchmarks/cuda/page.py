"""Step 3, anywhere: the page and the picture of what was measured.

python benchmarks/cuda/page.py RAW.jsonl -o benchmarks/results/cuda
"""

from pathlib import Path

import click
from bounds import check_bounds
from plots import plot
from reading import Record, Results, read
from tables import bounds_table, case_table, change_table, memory_table, photo_table, remarks

PICTURE = "cuda.png"

HOW = """
Every approach gets the same image, on the device, and gives float32 on the device; a call is timed from its start until
its results are there. Results are compared first: with PyTorch on the same device (`difference`: largest difference,
divided by the larger of 1 and the largest value; 1e-4 in float32, 2e-2 in float16), and at the smallest size with
PyTorch in float32 on a CPU. Approaches are timed in rounds, each in an order of its own, each call after an untimed one
of its kind. Ratios are medians of those within a round, with quartiles. The baked file is at its best: weights folded,
a CUDA graph, image and output in fixed buffers; `dni_runtime` is called through `Model.bind`, which has the same.
"Tensor to tensor" is `Model.run_on_device`, which takes any tensor and gives a new one. "Fused bias" is the CUDA
provider's option `fuse_conv_bias`, on both sides.
PyTorch runs channels-last, with cuDNN's own search for the fastest algorithms and without TF32, and blends weights
in place with a few kernels. AOTInductor's weights are the caller's, and are blended in place as well.

A change of alpha is what a call with a new alpha takes beyond one with a held alpha of the same round. A blend reads
two sets of weights and writes one; a copy of as many bytes is one and a half sets read and written, measured without
the time that launching it takes.
"""


def page(results: Results) -> str:
    """The whole page, in Markdown."""
    machine = results.last("machine") or {}
    lines = [
        "# Alpha on a GPU",
        "",
        _machine(machine),
        "",
        "## What must hold",
        "",
        bounds_table(check_bounds(results)),
    ]
    lines += ["", f"![Every approach beside the best baked file]({PICTURE})", "", "## How", HOW, "## All times"]
    for case in sorted(results.cases, key=lambda case: (case.network, case.dtype, case.size, case.compiled)):
        lines += ["", f"### {case}", "", case_table(case)]
    lines += ["", "## A change of alpha, milliseconds", "", change_table(results)]
    lines += ["", "## From uint8 to uint8", "", photo_table(results)]
    lines += ["", "## Opening, and memory of the card", "", memory_table(results)]
    lines += ["", "## Remarks", "", *(f"- {remark}" for remark in remarks(results))]
    return "\n".join(lines) + "\n"


def _machine(machine: Record) -> str:
    """One line on the card, its driver and the versions."""
    versions = ", ".join(f"{name} {version}" for name, version in machine.get("versions", {}).items())
    card = f"{machine.get('gpu') or 'no GPU'}, driver {machine.get('driver') or 'unknown'}"
    quick = " **A rehearsal: the numbers mean nothing.**" if machine.get("quick") else ""
    return f"{card}; {machine.get('processor')}, {machine.get('cores')} cores; {versions}.{quick}"


@click.command(help=__doc__.replace("\n\n", "\n\n\b\n", 1) if __doc__ else None)
@click.argument("raw", type=click.Path(path_type=Path, exists=True))
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="Folder for cuda.md and cuda.png.")
def main(raw: Path, output: Path) -> None:
    results = read(raw)
    output.mkdir(parents=True, exist_ok=True)
    text = page(results)
    if not plot(results, output / PICTURE):
        text = "\n".join(line for line in text.splitlines() if not line.startswith("![")) + "\n"
    (output / "cuda.md").write_text(text, encoding="utf-8")
    click.echo(bounds_table(check_bounds(results)))


if __name__ == "__main__":
    main()
