"""A Triton model repository on disk: written whole, checked, then moved to its place."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dni_deploy.extras import import_model_config
from dni_deploy.ship.model_file import ModelFile, find_models, read_model_file
from dni_runtime import InputError, ModelError, OutputError
from dni_runtime.files.regular_file import open_file
from dni_runtime.files.unfinished import staging

from .balancer.haproxy import ANY_PIXEL, HAPROXY_CFG, Front, haproxy_config
from .balancer.haproxy_check import check_haproxy
from .client_example import client_example
from .contract import can_choose
from .index import INDEX, Index
from .lint.lint import check_model, model_folders
from .model_folder.config_file import read_config
from .model_folder.folder import write_model_folder
from .model_folder.needs import read_needs
from .model_folder.tiny_request import pause_s, tiny_request
from .options import ShipOptions
from .placing import plan_move

CLIENT = "client.py"
_OURS = (CLIENT, HAPROXY_CFG, INDEX)


@dataclass(frozen=True, slots=True)
class ShipReport:
    """What `ship_triton` wrote; `models` are the names that clients use.

    haproxy: the configuration of HAProxy, if one was asked for. notes: what an operator should know.
    """

    repository: Path
    models: tuple[str, ...]
    backend: str
    version: int
    haproxy: Path | None = None
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "repository": str(self.repository),
            "models": list(self.models),
            "backend": self.backend,
            "version": self.version,
            "haproxy": None if self.haproxy is None else str(self.haproxy),
            "notes": list(self.notes),
        }


def ship_triton(
    models: Sequence[Path],
    repository: Path,
    options: ShipOptions | None = None,
    *,
    name: str | None = None,
    version: int = 1,
    haproxy: Front | None = None,
    force: bool = False,
) -> ShipReport:
    """Write a Triton model repository that loads as it is, and check it; nothing appears unless all of it is right.

    `models`: ONNX files, and folders of them; each becomes a model, named after its file or `name`. `repository`
    may exist and keeps its other models. `version`: of all models; a model that is there gets a new version
    where its tensors are the same, and is replaced as a whole with `force`. `haproxy`: servers that will serve this
    repository, and where HAProxy listens in front of them; haproxy.cfg is written too.

    Raises InputError, ModelError for unfit arguments and files, OutputError where something is in the way.
    """
    import_model_config()
    options = options or ShipOptions()
    if version < 1:
        raise InputError(f"the model version is {version}; expected 1 or more")
    files = [read_model_file(path) for path in find_models(models)]
    named = _name(files, name)
    index = Index.read(repository).added(named, options.backend)
    with staging(repository) as staged:
        for model_name, file in named.items():
            write_model_folder(staged / model_name, model_name, file, options, version)
            if problems := check_model(staged / model_name):
                raise ModelError(f"{file.path} cannot be served: {'; '.join(problems)}")
        changes = [plan_move(staged / model_name, repository / model_name, version, force) for model_name in named]
        notes = _write_haproxy(repository, staged, tuple(named), haproxy, force) if haproxy is not None else ()
        for change in changes:
            change()
        if haproxy is not None:
            os.replace(staged / HAPROXY_CFG, repository / HAPROXY_CFG)
        index.write(repository, staged)
        _write_client(repository, staged, named, options, force)
    written = None if haproxy is None else repository / HAPROXY_CFG
    said = ((model_name, file.metadata.verdict) for model_name, file in named.items())
    notes += tuple(f"{model_name}: the pair {verdict}" for model_name, verdict in said if verdict)
    notes += tuple(_who_chooses(model_name, file, options.backend) for model_name, file in named.items())
    return ShipReport(repository, tuple(named), options.backend, version, written, tuple(filter(None, notes)))


def _who_chooses(name: str, file: ModelFile, backend: str) -> str:
    """What a calibrated model's clients have to know; "" of another."""
    calibration = file.metadata.calibration
    if calibration is None or (backend == "python" and can_choose(file)):
        return ""
    why = "the onnxruntime backend takes alpha alone" if backend != "python" else "an image sent has no quality to tell"
    return (
        f"{name}: calibrated for {calibration.kind}, but {why}; clients choose: the curve is in the configuration's "
        'parameter "dni"'
    )


def _name(files: Sequence[ModelFile], name: str | None) -> dict[str, ModelFile]:
    if name is not None and len(files) > 1:
        raise InputError(f"one name was given for {len(files)} models; leave it out, they are named after their files")
    named: dict[str, ModelFile] = {}
    for file in files:
        # It becomes a folder, a part of URLs and a label of metrics.
        chosen = re.sub(r"[^A-Za-z0-9_.-]+", "_", name or file.path.stem).strip("._-")
        if not chosen:
            raise InputError(
                f"{name or file.path.stem!r} makes no model name; give one with letters or digits (--name)"
            )
        if chosen.lower() in _OURS:
            raise InputError(f"{file.path} would be {chosen!r}, which is a file of the repository; give a --name")
        # Some file systems do not tell capitals apart.
        same = [other for other in named if other.lower() == chosen.lower()]
        if same:
            raise InputError(f"{named[same[0]].path} and {file.path} would both be {chosen!r}; rename one")
        named[chosen] = file
    return named


def _write_client(
    repository: Path, staged: Path, named: dict[str, ModelFile], options: ShipOptions, force: bool
) -> None:
    if (repository / CLIENT).exists() and not force:
        return
    name, file = next(iter(named.items()))
    baked = len(named) > 1 and all(f.metadata.alpha_pinned is not None for f in named.values())
    (staged / CLIENT).write_text(client_example(name, file, options.backend, baked=baked))
    os.replace(staged / CLIENT, repository / CLIENT)


def _says(path: Path, text: str) -> bool:
    """Whether `path` is a file of this text."""
    try:
        with open_file(path) as file:
            return file.read(len(text.encode()) + 1) == text.encode()
    except OSError:
        return False


def _write_haproxy(
    repository: Path, staged: Path, named: tuple[str, ...], front: Front, force: bool
) -> tuple[str, ...]:
    """Into `staged`, checked; the notes. Raises OutputError where `repository` has one that says something else."""
    kept = [folder for folder in model_folders(repository) if folder.name not in named]
    folders = [*kept, *(staged / name for name in named)]
    configs = {folder.name: read_config(folder) for folder in sorted(folders, key=lambda folder: folder.name)}
    requests = {name: tiny_request(config, ANY_PIXEL) for name, config in configs.items()}
    interval_s = sum(map(pause_s, configs.values()))
    text = haproxy_config(front, read_needs(folders).largest_request_bytes, requests, interval_s)
    target = repository / HAPROXY_CFG
    if os.path.lexists(target) and not force and not _says(target, text):
        raise OutputError(
            f"{target} is there and says something else, which is kept; move it away first, and compare the two"
        )
    (staged / HAPROXY_CFG).write_text(text)
    return check_haproxy(staged / HAPROXY_CFG)
