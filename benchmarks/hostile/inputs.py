"""All files that are tried, of every kind and family, and which of them a run takes."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import archives
import from_packages
import model_graphs
import model_texts
import model_types
import model_weights
import mutations
import pictures
import tensors
from case import Case

KINDS = ("image", "model", "checkpoint")
SEED = 20261126
# Of random mutations of each base.
_IMAGES, _MODELS, _CHECKPOINTS = 60, 200, 160


def all_cases(folders: dict[str, Path], seed: int) -> list[Case]:
    """Of every kind, in one order for all processes."""
    found = [*from_packages.cases(folders), *pictures.cases(seed), *model_weights.cases(), *model_texts.cases()]
    found += [
        *model_graphs.cases(),
        *model_types.cases(),
        *tensors.cases(),
        *archives.cases(),
        *mutations.cases(seed, _IMAGES, _MODELS, _CHECKPOINTS),
    ]
    return found


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which of all inputs."""

    every: int
    family: str
    name: str
    seed: int

    def cases(self, folders: dict[str, Path], kinds: Sequence[str]) -> list[Case]:
        found = [case for case in all_cases(folders, self.seed) if case.kind in kinds]
        found = [case for case in found if self.family in case.family and self.name in case.name]
        # In a random order, so that what takes long does not come all at once.
        random.Random(0).shuffle(found)
        return found[:: self.every]
