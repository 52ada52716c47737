"""How a model that was written elsewhere gets to its place in a repository: new, as another version, or instead."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dni_runtime import ModelError, OutputError

from .model_folder.config_file import CONFIG, read_config
from .model_folder.folder import WARMUP


def plan_move(staged: Path, target: Path, version: int, force: bool) -> Callable[[], None]:
    """The function that moves a written model to its place. Raises OutputError where something is in the way."""
    if not os.path.lexists(target):
        return lambda: os.replace(staged, target)
    if force:
        return lambda: _replace(staged, target)
    if target.is_symlink() or (target / WARMUP).is_symlink():
        raise OutputError(
            f"{target} leads out of the repository by a link; expected a folder, or replace it with --force"
        )
    if (target / str(version)).exists():
        raise OutputError(
            f"{target} has a version {version} already, which is kept; replace the model with --force, "
            "or ship a new version of it with --model-version N"
        )
    if _interface(staged) != _interface(target):
        raise OutputError(
            f"{target} takes or gives other tensors than the new model, so it cannot be a version of it; "
            "replace it with --force, or choose another --name"
        )
    return lambda: _add_version(staged, target, version)


def _interface(folder: Path) -> Any:
    try:
        config = read_config(folder)
    except ModelError as error:
        raise OutputError(f"{folder} is in the way and holds no model: {error}; remove it, or use --force") from None
    return config.backend, config.max_batch_size, list(config.input), list(config.output)


def _replace(staged: Path, target: Path) -> None:
    aside = staged.with_name(f"{staged.name}.old")
    os.replace(target, aside)
    os.replace(staged, target)


def _add_version(staged: Path, target: Path, version: int) -> None:
    """A server that watches the repository sees a whole version first, then the configuration that warms it up."""
    if (staged / WARMUP).exists():
        (target / WARMUP).mkdir(exist_ok=True)
        for file in (staged / WARMUP).iterdir():
            os.replace(file, target / WARMUP / file.name)
    os.replace(staged / str(version), target / str(version))
    os.replace(staged / CONFIG, target / CONFIG)
