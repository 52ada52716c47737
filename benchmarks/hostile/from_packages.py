"""Cases out of the packages: pictures under their own names and under wrong ones, models, and what pickles call."""

import shutil
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

from case import Case, Place
from pickles import FORMS, write_call
from sources import dangerous_globals, png_suite

# Those that `dni run` takes from a folder; files of other kinds are tried under one of these names too.
SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
_OTHER_PICTURES = {
    ".apng", ".avif", ".blp", ".bw", ".cin", ".cur", ".dcx", ".dds", ".dib", ".eps", ".fits", ".fli", ".fpx", ".ftex",
    ".gbr", ".gif", ".hdr", ".icns", ".ico", ".im", ".j2k", ".jp2", ".jxl", ".lbm", ".mic", ".mpo", ".msp", ".pam",
    ".pbm", ".pcd", ".pcx", ".pfm", ".pgm", ".pnm", ".ppm", ".psd", ".pxr", ".qoi", ".ras", ".rgb", ".rgba", ".sgi",
    ".spider", ".svg", ".tga", ".wal", ".wmf", ".emf", ".xbm", ".xcf", ".xpm", ".bin", ".gpl", ".pdf", ".ps", ".txt",
}  # fmt: skip
_LIMIT_BYTES = 6_000_000


def cases(folders: dict[str, Path]) -> Iterator[Case]:
    for package, what in (
        ("pillow", "Pillow's tests"), ("libjxl-testdata", "libjxl's tests"), ("libsdl2-image-tests", "SDL's tests"),
    ):  # fmt: skip
        if package in folders:
            yield from _pictures(what, folders[package])
    if "pypng" in folders:
        for name in sorted(suite := png_suite(folders["pypng"])):
            yield Case("image", "PngSuite", f"{name}.png", partial(write, data=suite[name], name=f"{name}.png"))
    for package, what, step in (("onnx", "ONNX's tests", 1), ("libonnx-testdata", "ONNX's operators", 3)):
        if package in folders:
            found = sorted(path for path in folders[package].rglob("*.onnx") if path.is_file())
            yield from _models(what, folders[package], found[::step])
    if "picklescan" in folders:
        for number, (module, name) in enumerate(dangerous_globals(folders["picklescan"])):
            form = FORMS[number % len(FORMS)]
            yield Case("checkpoint", "calls that picklescan knows", f"{module}.{name}, {form}",
                       partial(write_call, module=module, name=name, form=form))  # fmt: skip


def _pictures(family: str, folder: Path) -> Iterator[Case]:
    for path in sorted(folder.rglob("*")):
        suffix = path.suffix.lower()
        if not path.is_file() or path.stat().st_size > _LIMIT_BYTES:
            continue
        if suffix in SUFFIXES:
            yield Case("image", family, str(path.relative_to(folder)), partial(copy, source=path, name=path.name))
        elif suffix in _OTHER_PICTURES and "images" in str(path) + family:
            name = f"{path.name}.png"
            yield Case(
                "image", f"{family}, called .png", str(path.relative_to(folder)), partial(copy, source=path, name=name)
            )


def _models(family: str, folder: Path, found: Iterable[Path]) -> Iterator[Case]:
    for path in found:
        yield Case("model", family, str(path.relative_to(folder)), partial(copy_model, source=path))


def write(place: Place, data: bytes, name: str) -> Path:
    target = place.inputs / name
    target.write_bytes(data)
    return target


def copy(place: Place, source: Path, name: str) -> Path:
    return Path(shutil.copyfile(source, place.inputs / name))


def copy_model(place: Place, source: Path) -> Path:
    """With what lies beside it, which may be its weights."""
    for path in source.parent.iterdir():
        if path.is_file() and path.suffix not in (".pb", ".onnx"):
            shutil.copyfile(path, place.inputs / path.name)
    return copy(place, source, source.name)
