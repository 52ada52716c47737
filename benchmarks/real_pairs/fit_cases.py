"""What is fitted: the pairs whose straight line is not good, and two open problems."""

from dataclasses import dataclass
from pathlib import Path

from published import FAMILIES, PAIRS, Family, checkpoint
from seen import FAILS, SEEN, TINT

APART = "trained apart"
PRO = "Real-CUGAN pro 2x"

_FAMILIES = {family.name: family for family in FAMILIES}
# How many steps each family learns, on one thread; and the pair that is furthest from what it should be.
_STEPS = {"waifu2x photo": 200, "waifu2x cunet": 160, "Real-CUGAN 2x": 600}
_FURTHEST = {"Real-CUGAN 2x denoise1x, denoise3x": 1500}
_OPEN_STEPS = {APART: 2000, PRO: 1000}


@dataclass(frozen=True, slots=True)
class Case:
    """Two networks of one architecture; `a` is what alpha 1 is.

    kind:   FAILS or TINT of seen.py, APART or PRO.
    taught: not a curve, but a network like `a` that learnt to give the pictures of `b`.
    curve:  cubic, around two middles, for the open problems.
    """

    pair: str
    a: tuple[Family, str]
    b: tuple[Family, str]
    kind: str
    steps: int
    taught: bool = False
    curve: str = "quadratic"

    def files(self, folder: Path) -> tuple[Path, Path]:
        return checkpoint(folder, *self.a), checkpoint(folder, *self.b)

    @property
    def name(self) -> str:
        return f"{self.pair}{', taught' * self.taught}"

    @property
    def stem(self) -> str:
        return self.name.replace(", ", "-").replace(" ", "-")


def _cases() -> list[Case]:
    found = []
    for pair in PAIRS:
        pro = pair.family.name == PRO
        kind = PRO if pro else SEEN[pair.name].expected
        if kind in (FAILS, TINT, PRO):
            curve = "cubic" if pro else "quadratic"
            steps = _OPEN_STEPS[PRO] if pro else _FURTHEST.get(pair.name, _STEPS[pair.family.name])
            found.append(Case(pair.name, (pair.family, pair.a), (pair.family, pair.b), kind, steps, curve=curve))
    ends = (_FAMILIES["waifu2x cunet"], "noise1"), (_FAMILIES["Real-CUGAN 2x"], "conservative")
    name = "waifu2x cunet noise1, Real-CUGAN 2x conservative"
    found += [
        Case(name, *ends, APART, _OPEN_STEPS[APART], taught=True),
        Case(name, *ends, APART, _OPEN_STEPS[APART], curve="cubic"),
    ]
    ends = (_FAMILIES[PRO], "denoise3x"), (_FAMILIES[PRO], "no-denoise")
    found.append(Case(f"{PRO} denoise3x, no-denoise", *ends, PRO, _OPEN_STEPS[PRO], taught=True))
    return sorted(found, key=lambda case: (FAILS, TINT, APART, PRO).index(case.kind))


CASES = _cases()
