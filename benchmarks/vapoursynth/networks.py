"""The networks and their files: the bundled pair, and three published ones; exported where PyTorch is."""

import sys
from pathlib import Path
from typing import Any

import dni_deploy
from dni_deploy.demo import STRONG, WEAK

sys.path[1:1] = [str(Path(__file__).resolve().parents[1] / "real_pairs")]

from names import ALPHA  # noqa: E402
from published import FAMILIES, Pair, fetch, write_checkpoints  # noqa: E402


def _published(family: str, a: str, b: str) -> Pair:
    return Pair(next(each for each in FAMILIES if each.name == family), a, b)


NETWORKS: dict[str, Pair | None] = {
    "bundled pair": None,
    "waifu2x photo": _published("waifu2x photo", "noise0", "noise1"),
    "waifu2x cunet": _published("waifu2x cunet", "noise0", "noise1"),
    "Real-CUGAN 2x": _published("Real-CUGAN 2x", "denoise1x", "no-denoise"),
}
"""Its pair as published; None for the one that is bundled."""


def prepare(name: str, folder: Path, packages: Path) -> dict[str, Path]:
    """The files of a network below `folder`, verified against PyTorch; what is there is not made again.

    "model" takes alpha as an input, "plane" in a fourth plane as vs-mlrt does, "baked" is for ALPHA; "small" is the
    bundled pair's plane file with the differences of its weights in int8. `packages`: where the published ones are
    fetched to, once.
    """
    pair, place = NETWORKS[name], folder / name.replace(" ", "-")
    place.mkdir(parents=True, exist_ok=True)
    kinds: dict[str, dict[str, Any]] = {
        "model": {"alpha_input": True},
        "plane": {"alpha_input": True, "single_input": "plane"},
        "baked": {"alphas": [ALPHA], "single_input": "baked"},
    }
    if pair is None:
        kinds["small"] = {**kinds["plane"], "delta": "int8"}
    files = {kind: place / f"{kind}.onnx" for kind in kinds}
    for kind, file in files.items():
        if not file.exists():
            endpoints = (WEAK, STRONG) if pair is None else _fetched(pair, place, packages)
            arch = "auto" if pair is None else pair.family.arch
            dni_deploy.export(endpoints, file, arch=arch, verdict=False, **kinds[kind])
    return files


def _fetched(pair: Pair, place: Path, packages: Path) -> tuple[Path, Path]:
    packages.mkdir(parents=True, exist_ok=True)
    if not all(path.exists() for path in pair.files(place)):
        write_checkpoints(fetch(packages), place, [pair.family])
    return pair.files(place)
