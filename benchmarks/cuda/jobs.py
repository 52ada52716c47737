"""What is measured, most important first, and what fits into the time that is left."""

from collections.abc import Sequence
from dataclasses import dataclass

JUST_IN_TIME, AHEAD = "just in time", "ahead of time"
LARGE, SMALL = ("RRDBNet-23", "Compact"), ("RRDBNet-6", "DnCNN", "U-Net")


@dataclass(frozen=True, slots=True)
class Job:
    """case: one network, precision and size. photo: `enhance`. compile: what needs compiling, of all `networks`."""

    kind: str
    network: str = ""
    dtype: str = ""
    size: int = 0
    networks: tuple[str, ...] = ()

    def __str__(self) -> str:
        if self.kind == "compile":
            return f"compile {', '.join(self.networks)}, {self.dtype}, {self.size} x {self.size}"
        return f"{self.kind} {self.network}, {self.dtype}" + (f", {self.size} x {self.size}" if self.size else "")


def plan(networks: Sequence[str], sizes: Sequence[int]) -> list[Job]:
    """All jobs in order. `sizes` ascend; the one in the middle is the one that most bounds are for."""
    sizes = sorted(sizes)
    small, main, large = sizes[0], sizes[len(sizes) // 2], sizes[-1]
    first = [name for name in networks if name not in SMALL]
    others = [name for name in networks if name in SMALL]

    def cases(names: Sequence[str], dtypes: Sequence[str], size: int) -> list[Job]:
        return [Job("case", name, dtype, size) for dtype in dtypes for name in names]

    both = ("float16", "float32")
    jobs = cases(first, both, main) + cases(others, both[:1], main)
    jobs += [Job("photo", name, "float16") for name in first]
    jobs += cases([name for name in first if name == LARGE[0]], both, large)
    # Of RRDBNet the small one: the large one takes minutes to compile.
    compiled = tuple(name for name in networks if name != LARGE[0])
    jobs += [Job("compile", dtype="float16", size=main, networks=compiled)]
    jobs += cases(first, both, small)
    jobs += cases(others, both[1:], main) + cases(others, both, small)
    jobs += cases(first, both, large) + cases(others, both, large)
    return list(dict.fromkeys(jobs))


def compile_parts(networks: Sequence[str]) -> list[tuple[str, tuple[str, ...]]]:
    """The processes that compile: (network, what). What takes longest is split into two."""
    parts: list[tuple[str, tuple[str, ...]]] = []
    for name in networks:
        long = name.startswith("RRDBNet")
        parts += [(name, (JUST_IN_TIME,)), (name, (AHEAD,))] if long else [(name, (JUST_IN_TIME, AHEAD))]
    return parts


def rounds_share(job: Job, sizes: Sequence[int]) -> float:
    """Which part of the time for the rounds of a case this one gets: the bounds are for the first networks."""
    is_main = job.size == sizes[len(sizes) // 2]
    if job.network == LARGE[0]:
        return 1.0 if job.size >= sizes[len(sizes) // 2] else 0.5
    return 0.7 if is_main else 0.4


# Seconds on an H200, for Compact as seen: opening a network in one precision, first calls and rounds.
_OPEN_S = {"RRDBNet-23": 12.0, "Compact": 6.0, "RRDBNet-6": 10.0, "DnCNN": 4.0, "U-Net": 4.0}
_CASE_S = {"RRDBNet-23": 8.0, "Compact": 6.0, "RRDBNet-6": 6.0, "DnCNN": 5.0, "U-Net": 5.0}
_PHOTO_S = {"RRDBNet-23": 8.0, "Compact": 4.0}
_COMPILE_S = 50.0


def estimate_s(job: Job, opened: frozenset[tuple[str, str]] = frozenset()) -> float:
    """How long a job is likely to take; `opened`: (network, dtype) of what is open already."""
    if job.kind == "compile":
        return _COMPILE_S
    if job.kind == "photo":
        return _PHOTO_S.get(job.network, 5.0)
    return _CASE_S[job.network] + (0.0 if (job.network, job.dtype) in opened else _OPEN_S[job.network])


def fits(job: Job, left_s: float, opened: frozenset[tuple[str, str]] = frozenset(), *, quick: bool = False) -> bool:
    """Whether to begin a job with `left_s` seconds left; in a rehearsal everything is begun while there is time."""
    return left_s > 0 if quick else estimate_s(job, opened) <= left_s
