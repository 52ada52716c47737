"""The page: what one sees of each pair beside the verdict, and why a single photograph or the weights do not tell."""

from collections import Counter
from typing import Any

from measure import disagreements, family_of, kind, misjudged_by
from ncnn_judge import TOLERANCE
from seen import BLENDS, FAILS, SEEN, TINT

from dni_exporters.verdict.words import HAZY_CONTRAST, SEEN_SHIFT, WRONG_SHIFT

Record = dict[str, Any]


def page(results: Record) -> str:
    """Markdown, of what run.py wrote as JSON."""
    rows = results["pairs"]
    machine, photographs = results["machine"], rows[0]["verdict"]["photographs"]
    packages = " and ".join(f"`{name}` {version}" for name, version in results["packages"].items())
    seconds = [row["seconds"] for row in rows]
    busy = [row["cpu_seconds"] for row in rows]
    furthest = max(row["largest_difference"] for row in results["converted"])
    return f"""# Published pairs

{machine["processor"]}, {machine["threads"]} thread(s), {", ".join(f"{k} {v}" for k, v in machine["versions"].items())}

Does the straight line between two networks that people have work, and does `dni inspect A B` say so? {len(rows)} pairs:
Real-CUGAN (bilibili) and waifu2x (nagadomi), made of the files in {packages} (MIT).
`benchmarks/real_pairs/run.py` fetches them; nothing of them is shipped.

{_agreement(rows)}

![Cosine similarity against colour shift](real_pairs.png)

- **The weights do not tell.** Cosine similarities, by verdict: {_spans(rows)}.
- **One photograph does not tell.** By one alone, so many pairs are called better or worse than they are:
  {", ".join(f"{name} {misjudged_by(name, rows)}" for name in photographs)}.
- **The limits are from these pairs**: {SEEN_SHIFT:g} and {WRONG_SHIFT:g} for the shift, {HAZY_CONTRAST:g} for contrast.
  {_margins(rows)}.
- **{_held_out(results["held_out"])}**
- A verdict took {min(busy):.0f} to {max(busy):.0f} s of computing, which on a busy machine were {min(seconds):.0f} to
  {max(seconds):.0f} s.

![What some pairs make of a picture](real_pairs_sheet.jpg)

## The pairs

First they were looked at: contact sheets of eight other pictures, under numbers drawn by chance, before the verdict
gave a figure (`look.py`; `seen.py` says how). Then they were judged at alpha 0.75, 0.5 and 0.25, on the photographs
{", ".join(photographs)}. The figures are the worst of these:

- colour shift: mean CIEDE2000 between the blend's picture and the mix of both ends', both blurred by 8 pixels
- contrast, detail: of the blend's picture, as a factor beyond the ends' own
- to the mix, ends apart: PSNR in dB

{_table(rows)}
## Pairs that had no part in the limits

waifu2x's networks for drawings, on the same photographs; what one sees was marked in the same way, once the limits
stood, and not looked at again.

{_table(results["held_out"])}
## Are these the published networks?

All {len(results["converted"])} equal ncnn, which runs the published files, within {furthest:.1e} of 0..1
(bound {TOLERANCE:g}). So do exported alpha-input files at alpha 1 and 0:

| pair | largest difference from ncnn |
|---|---:|
{"".join(f"| {row['pair']} | {row['largest_difference']:.1e} |" + chr(10) for row in results["exported"])}
The command `dni inspect A B --json` says the same of
{", ".join(f"{row['pair']} ({row['seconds']:.0f} s)" for row in results["commanded"])}.
"""


def _agreement(rows: list[Record]) -> str:
    wrong = disagreements(rows)
    counted = Counter(kind(row["verdict"]) for row in rows)
    counts = ", ".join(f"{word} {counted[word]}" for word in (BLENDS, TINT, FAILS))
    if not wrong:
        return f"**The verdict agrees with the eye for all {len(rows)}** ({counts})."
    listed = "\n".join(f"- {line}" for line in wrong)
    return f"**The verdict disagrees with the eye for {len(wrong)} of {len(rows)}** ({counts}):\n\n{listed}"


def _held_out(rows: list[Record]) -> str:
    """How the verdict does on pairs that its limits were not set by."""
    fails = [(kind(row["verdict"]) == FAILS, SEEN[row["pair"]].expected == FAILS) for row in rows]
    right, other = sum(said == seen for said, seen in fails), len(disagreements(rows))
    return (
        f"Of {len(rows)} pairs that had no part in the limits it tells {right} right as to whether they blend; of the "
        f"{'tint' if right == len(rows) else 'kind'} {other} are told otherwise than they were seen."
    )


def _spans(rows: list[Record]) -> str:
    cosines: dict[str, list[float]] = {}
    for row in rows:
        cosines.setdefault(kind(row["verdict"]), []).append(row["cosine"])
    return "; ".join(
        f"{word} {min(c):.2f} to {max(c):.2f}" for word in (BLENDS, TINT, FAILS) if (c := cosines.get(word))
    )


def _margins(rows: list[Record]) -> str:
    """How far the limits are from the nearest pairs."""
    found: dict[str, list[tuple[float, float]]] = {BLENDS: [], TINT: [], FAILS: []}
    for row in rows:
        found[SEEN[row["pair"]].expected].append(_worst(row)[:2])
    seen, tints = max(shift for shift, _ in found[BLENDS]), [shift for shift, _ in found[TINT]]
    wrong = min(shift for shift, _ in found[FAILS] if shift > WRONG_SHIFT)
    text = (
        f"Shifts that nobody sees reach {seen:.1f}, tints are {min(tints):.1f} to {max(tints):.1f} with a contrast of "
        f"{min(contrast for _, contrast in found[TINT]):.2f} or more, and what is wrong begins at {wrong:.1f}"
    )
    hazy = [contrast for shift, contrast in found[FAILS] if shift <= WRONG_SHIFT]
    return f"{text}, or with a contrast of {max(hazy):.2f}" if hazy else text


def _worst(row: Record) -> tuple[float, float, float]:
    """Colour shift, contrast and detail over all alphas."""
    found = row["verdict"]["figures"]
    details = (each["detail"] for each in found)
    return (
        max(each["colour_shift"] for each in found),
        min(each["contrast"] for each in found),
        max(details, key=lambda detail: max(detail, 1 / detail)),
    )


def _order(row: Record) -> tuple[int, float]:
    """Families as they come, the best first."""
    families = list(dict.fromkeys(map(family_of, SEEN)))
    return families.index(family_of(row["pair"])), _worst(row)[0]


COLUMNS = (
    *("pair", "what one sees", "verdict", "colour shift", "on"),
    *("contrast", "detail", "cosine", "to the mix", "ends apart"),
)


def _table(rows: list[Record]) -> str:
    rule = "|---|---|---|---:|---|---:|---:|---:|---:|---:|"
    return f"| {' | '.join(COLUMNS)} |\n{rule}\n" + "".join(map(_row, sorted(rows, key=_order)))


def _row(row: Record) -> str:
    verdict, seen = row["verdict"], SEEN[row["pair"]]
    shift, contrast, detail = _worst(row)
    shown = [
        row["pair"],
        seen.words or seen.expected,
        kind(verdict),
        f"{shift:.1f}",
        max(verdict["figures"], key=lambda figures: figures["colour_shift"])["photograph"],
        f"{contrast:.2f}",
        f"{detail:.2f}",
        f"{row['cosine']:.2f}",
        f"{min(figures['to_mix_db'] for figures in verdict['figures']):.1f}",
        f"{verdict['ends_apart_db']:.1f}",
    ]
    return f"| {' | '.join(shown)} |\n"
