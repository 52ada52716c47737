"""What Triton would load and then answer wrongly, or not load at all: found before a server sees it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from math import prod
from pathlib import Path
from typing import Any

from dni_deploy.ship.model_file import read_model_file
from dni_deploy.ship.triton.contract import BACKENDS
from dni_deploy.ship.triton.model_folder.config_file import data_type, read_config
from dni_deploy.ship.triton.model_folder.folder import MODEL_CODE, WARMUP
from dni_deploy.ship.triton.python_model import MODEL_FILE
from dni_runtime import DniError, InputError, ModelError
from dni_runtime.files.regular_file import why_no_file

from .lint_code import check_folder, check_version_folder
from .lint_tensors import check_tensors

NAME = re.compile(r"[A-Za-z0-9_.-]+")
# As Triton counts them: more digits than an int64 has are no version.
_VERSION = re.compile("[1-9][0-9]{0,17}")
_PLATFORMS = {"onnxruntime_onnx": "onnxruntime"}
_ITEM_BYTES = {"TYPE_UINT8": 1, "TYPE_FP16": 2, "TYPE_FP32": 4}


@dataclass(frozen=True, slots=True)
class Problem:
    """Something to repair in the model `model` of a repository."""

    model: str
    message: str


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What `check_repository` looked at, and what is wrong with it."""

    repository: Path
    models: tuple[str, ...]
    problems: tuple[Problem, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {**asdict(self), "repository": str(self.repository)}


def check_repository(repository: Path) -> CheckReport:
    """Check every model of a Triton repository.

    Raises InputError where `repository` is none, and DniError without the extra `triton`.
    """
    if not repository.is_dir():
        raise InputError(f"{repository} is no folder; expected a model repository")
    folders = model_folders(repository)
    if not folders:
        raise InputError(f"{repository} holds no model; expected a folder for each, made by dni ship triton")
    problems = [Problem(folder.name, message) for folder in folders for message in check_model(folder)]
    return CheckReport(repository, tuple(folder.name for folder in folders), tuple(problems))


def model_folders(repository: Path) -> list[Path]:
    """A folder for each model of `repository`."""
    return sorted(path for path in repository.iterdir() if path.is_dir() and not path.name.startswith("."))


def check_model(folder: Path) -> list[str]:
    """What is wrong with the model in `folder`, of which the parent is the repository; empty if nothing is."""
    try:
        config = read_config(folder)
    except ModelError as error:
        return [str(error)]
    return [*_check_config(folder, config), *_check_warmup(folder, config)]


def _check_config(folder: Path, config: Any) -> Iterator[str]:
    if not NAME.fullmatch(folder.name):
        yield f"the folder's name is {folder.name!r}; expected letters, digits and ._- only, it becomes a part of URLs"
    if config.name and config.name != folder.name:
        yield f"name is {config.name!r}; expected that of the folder, {folder.name!r}"
    backend = config.backend or _PLATFORMS.get(config.platform, config.platform)
    if backend not in BACKENDS:
        yield f"backend is {backend!r}; expected one of {', '.join(BACKENDS)}"
        return
    versions = version_folders(folder)
    yield from check_folder(folder, versions, config)
    if not versions:
        yield "there is no version folder; expected one such as 1"
    if config.version_policy.HasField("specific"):
        there = {int(version.name) for version in versions}
        for number in set(config.version_policy.specific.versions) - there:
            yield f"version_policy asks for version {number}, which is not there"
    for version in versions:
        for message in _check_version(version, config, backend):
            yield f"version {version.name}: {message}"


def version_folders(folder: Path) -> list[Path]:
    """The versions of the model in `folder`, the newest last."""
    found = (path for path in folder.iterdir() if _VERSION.fullmatch(path.name) and path.is_dir())
    return sorted(found, key=lambda path: int(path.name))


def _check_version(version: Path, config: Any, backend: str) -> Iterator[str]:
    name = config.default_model_filename
    onnx_name = name if name and backend == "onnxruntime" else MODEL_FILE
    wanted = [onnx_name] if backend == "onnxruntime" else [name or MODEL_CODE, onnx_name]
    missing = {file: reason for file in wanted if (reason := why_no_file(version / file))}
    for file, reason in missing.items():
        yield f"{file} is missing" if reason == "does not exist" else f"{file} {reason}; expected a file"
    if onnx_name in missing:
        return
    try:
        model = read_model_file(version / onnx_name)
    except DniError as error:
        yield str(error)
        return
    yield from check_version_folder(version, model, config, backend)
    yield from check_tensors(config, model, backend)


def _check_warmup(folder: Path, config: Any) -> Iterator[str]:
    for warmup in config.model_warmup:
        for name, data in warmup.inputs.items():
            if not data.HasField("input_data_file"):
                continue
            name_of_file = data.input_data_file
            if Path(name_of_file).name != name_of_file:
                yield f"warm-up {warmup.name!r}: {name}'s file is {name_of_file!r}; expected one in {WARMUP}/"
                continue
            file = folder / WARMUP / name_of_file
            expected = prod(data.dims) * max(1, warmup.batch_size) * _ITEM_BYTES.get(data_type(data), 0)
            if not file.is_file():
                yield f"warm-up {warmup.name!r}: {name}'s file {WARMUP}/{file.name} is missing"
            elif file.stat().st_size != expected:
                yield f"warm-up {warmup.name!r}: {WARMUP}/{file.name} has {file.stat().st_size} bytes, not {expected}"
