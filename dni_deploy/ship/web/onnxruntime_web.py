"""ONNX Runtime for browsers: the npm package onnxruntime-web, found on this machine or fetched by npm."""

import base64
import hashlib
import json
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from dni_runtime import DniError, InputError
from dni_runtime.cache_folder import cache_folder
from dni_runtime.unfinished import unfinished_folder

VERSION = "1.30.0"
"""The one that the page is tested with."""

# Of the package's tarball on npm, as `npm view onnxruntime-web@1.30.0 dist.integrity` gives it.
_SHA512 = "q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ=="
_PACKAGE = "onnxruntime-web"
_WASM = ("ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm")
_WEBGPU = ("ort.webgpu.min.mjs", "ort-wasm-simd-threaded.asyncify.mjs", "ort-wasm-simd-threaded.asyncify.wasm")


def copy_onnxruntime_web(target: Path, source: Path | None = None, *, webgpu: bool = True) -> None:
    """Copy what the page loads of ONNX Runtime into the new folder `target`: 14 MB, and 27 MB more for WebGPU.

    `source`: a folder with it (the package, its `dist`, or a `node_modules`). Without, it is taken from a
    `node_modules` in this folder or above it, from the cache, or fetched by `npm pack`, in this order; the version is
    VERSION then. Raises InputError where `source` lacks a file, DniError where npm is missing or fails.
    """
    names = (*_WASM, *_WEBGPU) if webgpu else _WASM
    if source is not None:
        _copy(_in_folder(source, names), target, names)
        return
    cache = cache_folder()
    kept = None if cache is None else cache / f"{_PACKAGE}-{VERSION}"
    for folder in (*_installed(), *filter(None, [kept])):
        if _holds(folder, names):
            _copy(folder, target, names)
            return
    with unfinished_folder() as temporary:
        unpacked = _fetch(temporary)
        if kept is not None:
            _keep(unpacked, kept)
        _copy(unpacked, target, names)


def _in_folder(source: Path, names: tuple[str, ...]) -> Path:
    package = Path(_PACKAGE, "dist")
    folders = [source / inner for inner in (".", "dist", package, Path("node_modules") / package)]
    for folder in folders:
        if _holds(folder, names):
            return folder
    missing = [name for name in names if not (source / name).is_file()]
    raise InputError(
        f"{source} does not hold {_PACKAGE}: there is no {missing[0]}, nor in dist or node_modules below it; "
        f"expected the npm package, best version {VERSION}"
    )


def _installed() -> Iterator[Path]:
    """Where Node would look for it, where the version is the tested one."""
    here = Path.cwd()
    for parent in (here, *here.parents):
        package = parent / "node_modules" / _PACKAGE
        with suppress(OSError, ValueError):
            if json.loads((package / "package.json").read_text()).get("version") == VERSION:
                yield package / "dist"


def _holds(folder: Path, names: tuple[str, ...]) -> bool:
    return all((folder / name).is_file() for name in names)


def _copy(source: Path, target: Path, names: tuple[str, ...]) -> None:
    target.mkdir(parents=True)
    for name in names:
        shutil.copyfile(source / name, target / name)


def _fetch(folder: Path) -> Path:
    """`npm pack` into `folder`, so that npm's own settings, proxies and mirrors hold; returns the files' folder."""
    wanted = f"{_PACKAGE}@{VERSION}"
    npm = shutil.which("npm")
    if npm is None:
        raise DniError(
            f"the page needs {wanted}, which is not installed here, and npm, which would fetch it, is not either: "
            f"install Node.js, or unpack the package from npmjs.com and name its folder with --ort DIR"
        )
    command = [npm, "pack", wanted, "--pack-destination", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, cwd=folder)
    tarballs = list(folder.glob("*.tgz"))
    if done.returncode != 0 or len(tarballs) != 1:
        lines = [line for line in done.stderr.splitlines() if "error" in line.lower()] or done.stderr.splitlines()
        raise DniError(f"npm pack {wanted} failed: {'; '.join(lines[:3]) or 'without a word'}; or use --ort DIR")
    digest = base64.b64encode(hashlib.sha512(tarballs[0].read_bytes()).digest()).decode()
    if digest != _SHA512:
        raise DniError(
            f"npm gave another {wanted} than the one this version of dni-deploy was tested with; use --ort DIR"
        )
    with tarfile.open(tarballs[0]) as tar:
        for name in (*_WASM, *_WEBGPU):
            tar.extract(f"package/dist/{name}", folder, filter="data")
    return folder / "package" / "dist"


def _keep(unpacked: Path, kept: Path) -> None:
    """Put it into the cache, whole; a cache that cannot be written costs the next download only."""
    with suppress(OSError):
        kept.parent.mkdir(parents=True, exist_ok=True)
        with unfinished_folder(kept.parent) as hidden:
            shutil.copytree(unpacked, hidden / kept.name).replace(kept)
