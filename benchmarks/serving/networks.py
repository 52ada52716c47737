"""The networks that are served: Compact as Real-ESRGAN has it, the bundled small one, and one that computes nothing."""

import sys
from dataclasses import dataclass
from pathlib import Path

import dni_deploy
from dni_deploy.demo import STRONG, WEAK

# The other benchmark's networks and weights.
sys.path.append(str(Path(__file__).resolve().parents[1] / "alpha_is_free"))

from four_networks import NETWORKS, tiny, write_files

SMALL, COMPACT, TINY = "small Compact", "Compact", "two convolutions"


@dataclass(frozen=True, slots=True)
class Described:
    """What a reader has to know of a network."""

    what: str


DESCRIBED = {
    SMALL: Described("the bundled denoiser: 8 convolutions of 32 features, scale 1, 76 thousand weights"),
    COMPACT: Described("32 convolutions of 64 features, scale 4, 1.2 million weights, random"),
    TINY: Described("3 to 4 to 3 features: takes next to no time, so that the way there and back shows"),
}


def write_network(name: str, folder: Path) -> Path:
    """The alpha-input file of a network, in a new folder inside `folder`; its name is the model's for clients."""
    place = folder / name.replace(" ", "_")
    if name == SMALL:
        place.mkdir()
        path = place / "model.onnx"
        dni_deploy.export([WEAK, STRONG], path, alpha_input=True)
        return path
    return write_files(NETWORKS["Compact"].build if name == COMPACT else tiny, place).model
