"""The results as a page: what fails first, then a row for each network."""

from collections.abc import Mapping
from typing import Any

from rows import ROWS
from steps import BOUND, BOUNDS, STEPS

from dni_deploy.bench.measuring.hardware import Hardware
from dni_deploy.bench.table import machine

Lines = Mapping[tuple[str, str], Mapping[str, Any]]

_METHOD = f"""
`python benchmarks/coverage/run.py` exports every network of spandrel's main registry as a user does, `dni-export A.pth
B.pth --alpha-input` and nothing else, and the networks of the paper's field as code, `--arch networks.py:NAME` and
`--range` where their pixels are not in 0..1. Configurations are small (tracing takes time for each layer, whatever its
width); weights are random, disturbed so that every layer matters, and B is A with 5 % of noise. The first row of an
architecture has its name and is tried in all ways; further rows are other widths, depths, scales, windows and variants.

- **free**: which of batch, height and width the file takes freely, and where not, what it takes.
- **multiple / minimum**: of height and width in pixels, in the file; in brackets what spandrel says, where it differs.
- **parity**: both files loaded by spandrel, blended by PyTorch in float64, at alpha 0, 0.3, 0.77 and 1 and at three
  sizes of three shapes and batches: the largest difference, of max(1, |reference|max), between what the runtime gives
  and what spandrel's own call and, clamped, its descriptor give. Bound {BOUND:g}. Two networks give more than one right
  answer: GFPGAN, which draws noise unless it is told to use its own (here it is), and ATD, which leaves the order of
  equal numbers in a sort to the processor (here they keep their order).
- **baked, float16, int8**: other kinds of files, likewise; bounds {BOUND:g}, {BOUNDS["float16"]:g} and
  {BOUNDS["int8"]:.3g}.
- **53 x 71**: a picture of bytes of that size (a larger one where the network takes no less) through `Model.enhance`,
  beside spandrel's padding, its descriptor, and rounding: the largest and the mean difference, in steps of 1/255.
- **tiles**: a picture in tiles of the given size beside the whole picture, largest and mean difference in steps.
- **laid out**: whether weights are blended in ONNX Runtime's own layout; a dash in front of the reason why not.
- **moving / held / plain**: processor time of a call with a new alpha, with a held one, and of ONNX Runtime on the file
  as it is, as multiples of a baked file's call on the same small image; medians of calls in random order, one thread.
- **export**: its processor time, all checks and the verdict among it; three quarters and more are PyTorch's tracing.
"""

_HEAD = ("network", "weights", "free", "multiple / minimum", "parity", "baked", "float16", "int8", "53 x 71", "tiles",
         "laid out", "moving / held / plain", "export")  # fmt: skip


def page(lines: Lines, hardware: Hardware) -> str:
    """Markdown."""
    found = failures(lines)
    revisions = sorted({line["revision"] for line in lines.values()})
    rows = [name for name in ROWS if any((name, step) in lines for step in STEPS)]
    written = [name for name in rows if _is_ok(lines, name, "export") and _is_ok(lines, name, "parity")]
    known = [name for name in written if ROWS[name].is_first and ROWS[name].architecture]
    refused = [name for name in rows if _is_ok(lines, name, "refused")]
    text = [
        "# Which networks, and how near to spandrel", "", machine(hardware),
        f"Commit{'s' * (len(revisions) > 1)} {', '.join(revisions)}.", "",
        f"{len(known)} of spandrel's 42 architectures have files that equal spandrel within the bound, "
        f"{len(refused)} are refused ({', '.join(refused) or 'none'}); of {len(rows)} rows {len(written)} have.", "",
        "## What fails", "",
    ]  # fmt: skip
    text += [f"- {name}, {step}: {_cell(said)}" for name, step, said in found] or ["Nothing."]
    text += ["", "## How it is measured", _METHOD, "## Every row", ""]
    text += ["| " + " | ".join(_HEAD) + " |", "|---|---:" + "|---" * (len(_HEAD) - 2) + "|"]
    text += ["| " + " | ".join(_cells(lines, name)) + " |" for name in rows if not ROWS[name].refused]
    text += ["", "## What is refused", ""]
    text += [f"- {name}, within ten seconds: {_cell(lines[name, 'refused']['message'])}" for name in refused]
    text += ["", "## What an export says", ""]
    for name in rows:
        line = lines.get((name, "export"), {})
        text += [f"- {name}: {_cell(said)}" for said in (*line.get("notes", ()), *line.get("warnings", ()))]
    return "\n".join(text) + "\n"


def failures(lines: Lines) -> list[tuple[str, str, str]]:
    """Row, step and what happened, of every step that failed."""
    found = []
    for (name, step), line in lines.items():
        if not line["ok"]:
            said = line.get("error") or line.get("message") or f"off by {line.get('worst', float('nan')):.1e}"
            found.append((name, step, str(said)))
    return found


def _is_ok(lines: Lines, name: str, step: str) -> bool:
    return bool(lines.get((name, step), {}).get("ok"))


def _cells(lines: Lines, name: str) -> list[str]:
    def of(step: str) -> Mapping[str, Any]:
        return lines.get((name, step), {})

    def worst(step: str) -> str:
        line = of(step)
        number = f"{line['worst']:.0e}" if "worst" in line else "refused" if "refused" in line else ""
        return (number if line["ok"] else f"**{number or 'fails'}**") if line else ""

    def apart(step: str) -> str:
        line = of(step)
        if not line:
            return ""
        tile = f" ({line['tile']})" if "tile" in line else ""
        return f"{line['max']:g} / {line['mean']:g}{tile}" if line["ok"] else "**fails**"

    detected, exported, laid, fast = of("detect"), of("export"), of("laid out"), of("speed")
    weights = f"{detected['weights']:,}" if "weights" in detected else ""
    took = f"{exported['cpu_s']:.0f} s" if exported.get("ok") else "**none**" if exported else ""
    layout = "" if not laid else "yes" if laid.get("laid_out") else f"- {_reason(laid)}"
    times = (
        "" if not fast else f"{fast['moving']:.2f} / {fast['held']:.2f} / {fast['plain']:.2f}" if fast["ok"] else "?"
    )
    free, sizes = _free(exported), _sizes(detected, exported)
    return [name, weights, free, sizes, worst("parity"), worst("baked"), worst("float16"), worst("int8"),
            apart("enhance"), apart("tiles"), layout, times, took]  # fmt: skip


def _reason(laid: Mapping[str, Any]) -> str:
    note = str(laid.get("note", laid.get("error", "")))
    return _cell(note.partition("(")[2].rpartition(")")[0] or note)


def _free(exported: Mapping[str, Any]) -> str:
    if not exported.get("ok"):
        return ""
    n, _, h, w = exported["dims"]
    told = [name if isinstance(dim, str) else f"{name} = {dim}" for name, dim in zip("NHW", (n, h, w), strict=True)]
    return ", ".join(told) + (", square" if exported["square"] else "")


def _sizes(detected: Mapping[str, Any], exported: Mapping[str, Any]) -> str:
    if not exported.get("ok"):
        return ""
    ours = exported["multiple"], exported["minimum"]
    told = f"{ours[0]} / {ours[1]}"
    if detected.get("spandrel"):
        multiple, minimum, _ = detected["spandrel"]["size"]
        theirs = multiple, max(minimum, 1)
        told += "" if ours == theirs else f" ({multiple} / {minimum})"
    return told


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").replace("<", "&lt;").split())[:600]
