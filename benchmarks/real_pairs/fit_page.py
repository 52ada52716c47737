"""The page of the fits: figures before and after, of every pair that was fitted."""

from collections import Counter
from typing import Any

from fit_cases import APART, CASES, PRO
from fit_measure import STRIP, limits, missed
from fit_race_page import race
from seen import FAILS, TINT

Record = dict[str, Any]

HEADINGS = {
    FAILS: "Pairs that do not blend",
    TINT: "Pairs that blend with a tint",
    APART: "Networks trained apart from each other",
    PRO: "Real-CUGAN pro",
}


def page(records: list[Record], raced: list[Record]) -> str:
    """Markdown, of what fit.py and fit_race.py wrote as JSON."""
    groups = {heading: [each for each in records if each["kind"] == kind] for kind, heading in HEADINGS.items()}
    machines = {(each["machine"]["processor"], *each["machine"]["versions"].items()) for each in records}
    told = "; ".join(", ".join([who, *(f"{k} {v}" for k, v in what)]) for who, *what in sorted(machines))
    return f"""# Published pairs, fitted

{told}; one thread

Does a curve around a middle that `dni fit` learnt make pairs blend whose straight line does not? Real-CUGAN (bilibili)
and waifu2x (nagadomi), the pairs of [real_pairs.md](real_pairs.md); `benchmarks/real_pairs/fit.py` fetches and fits
them. They learn from ten photographs that they are not judged by. What is marked * is of an earlier state of the
code: from seven photographs, none as dark, and of networks with averages over the image at twice the rate.

{_verdict([each for each in records if each["kind"] == FAILS])}

![Before and after](real_pairs_fit_sheet.jpg)

A row of the sheet: {", ".join(STRIP)}; of each pair the photograph that had the worst tint before.

Figures are of the exported file as the runtime runs it, the worst of six photographs and of alpha 0.75, 0.5 and 0.25;
before those of the straight line: PSNR to the mix of both ends' pictures, colour shift (mean
CIEDE2000, both blurred by 8 pixels; 2 is not seen), contrast and detail as a factor beyond the ends' own. CPU seconds
are of the whole fit, on a machine that others kept busy, where they are more than on an idle one.

{"".join(f"## {heading}{chr(10)}{chr(10)}{_table(found)}{chr(10)}" for heading, found in groups.items() if found)}
{_taught(records)}At both ends a curve is A and B, bit for bit{_not_exact(records)}.{_not_fitted(records)}

{race(raced)}"""


def _verdict(failing: list[Record]) -> str:
    counted = Counter(each["holds"] for each in failing)
    least = min((limits(each["after"])[0] for each in failing), default=0.0)
    shift = max((limits(each["after"])[1] for each in failing), default=0.0)
    slowest = max((each["cpu_seconds"] for each in failing), default=0.0)
    return (
        f"**Of {len(failing)} pairs that do not blend, {counted[True]} keep all bounds once they are fitted**: 33 dB "
        f"to the mix, a colour shift of 1, contrast within 3 % and detail within 10 % of the ends'. The furthest are "
        f"at {least:.1f} dB, and at a shift of {shift:.1f}; none took more than {slowest / 60:.0f} minutes of one core."
    )


def _table(records: list[Record]) -> str:
    head = "| pair | to the mix | shift | contrast | detail | keeps the bounds | steps | CPU seconds |"
    return f"{head}\n|---|---|---|---|---|---|---:|---:|\n" + "".join(map(_row, records))


def _row(record: Record) -> str:
    before, after = limits(record["before"]), limits(record["after"])
    pairs = [
        f"{was:.{digits}f} -> **{now:.{digits}f}**"
        for was, now, digits in zip(before, after, (1, 1, 2, 2), strict=True)
    ]
    said = "yes" if record["holds"] else f"no: {', '.join(missed(record))}"
    how = ", cubic" * (record.get("curve") == "cubic")
    how += "" if "photographs" in record else " *"
    return (
        f"| {record['pair']}{how} | {' | '.join(pairs)} | {said} | {record['steps']} | {record['cpu_seconds']:.0f} |\n"
    )


def _not_exact(records: list[Record]) -> str:
    wrong = [each["pair"] for each in records if not each["ends_exact"]]
    return f", but not of {'; '.join(wrong)}" if wrong else ""


def _taught(records: list[Record]) -> str:
    told = "; ".join(f"{each['pair']} {each['last_to_b_db']:.1f} dB" for each in records if each["taught"])
    return f"A network that was taught is near B, not B; the worst photograph: {told}. " if told else ""


def _not_fitted(records: list[Record]) -> str:
    missing = [case for case in CASES if case.name not in {each["pair"] for each in records}]
    named = [case.name for case in missing if case.kind == FAILS]
    counted = Counter(HEADINGS[case.kind] for case in missing if case.kind != FAILS)
    listed = "; ".join([*named, *(f"{count} of those under: {heading}" for heading, count in counted.items())])
    return f"\n\nNot fitted here, as it takes long: {listed}." if missing else ""
