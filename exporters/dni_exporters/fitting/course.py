"""How a fit went so far, and when it is over: by steps, by time, or since it no longer gains."""

from dataclasses import asdict, dataclass, field
from typing import Any

# Of the schedule: the end, in which the rate falls to nothing, is never left out, and takes as long as all before.
_ANNEALING_FROM = 0.5
_LEAST_GAIN_DB = 0.1
# Looks, the first of which a fit may need to get out of where it began, and the share of a long fit's looks.
_PATIENCE = 6
_PATIENT_SHARE = 1 / 6
_LOST = 4


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen of the held-out crops.

    seconds:      of learning until then.
    to_mix_db:    PSNR to the mix of both ends' pictures: the mean over crops and alphas, and the least.
    colour_shift: the largest (dE2000).
    """

    step: int
    seconds: float
    to_mix_db: float
    least_db: float
    colour_shift: float


@dataclass(frozen=True, slots=True)
class Bounds:
    """When it ends at the latest: steps, minutes, or the first of both."""

    steps: int | None
    minutes: float | None


@dataclass(slots=True)
class Course:
    """step: the number of the next one; ends_at: the share of the bounds at which it is over; slower: a factor of the
    recipe's rate; began: the number of the first look at this rate.
    """

    step: int = 0
    seconds: float = 0.0
    ends_at: float = 1.0
    slower: float = 1.0
    began: int = 0
    looks: list[Look] = field(default_factory=list)

    @property
    def best(self) -> Look:
        """The look that saw the nearest pictures, the first of equals."""
        return max(self.looks, key=lambda look: look.to_mix_db)

    def done(self, bounds: Bounds) -> float:
        """Which share of all is done, by steps where they are bounded: those are repeatable."""
        passed = self.seconds / (60 * bounds.minutes) if bounds.minutes else 0.0
        share = self.step / bounds.steps if bounds.steps else passed
        return 1.0 if passed >= 1 else share / self.ends_at

    @property
    def is_lost(self) -> bool:
        """Whether the rate is too high for this network: all that it learns is worse than what it began with."""
        seen = [look.to_mix_db for look in self.looks]
        return len(seen) - self.began > _LOST and max(seen[self.began + 1 :]) < seen[0]

    def hurry(self, bounds: Bounds) -> None:
        """Go to the end of the schedule where the last looks saw no gain: a lower rate is what may still help."""
        seen, done = [look.to_mix_db for look in self.looks[self.began :]], self.done(bounds)
        patience = max(_PATIENCE, round(len(seen) / done * _PATIENT_SHARE)) if done else len(seen)
        if len(seen) <= patience or done >= _ANNEALING_FROM:
            return
        if max(seen[-patience:]) < max(seen[:-patience]) + _LEAST_GAIN_DB:
            self.ends_at *= done / _ANNEALING_FROM

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "Course":
        return cls(**{**data, "looks": [Look(**look) for look in data["looks"]]})
