"""A site on disk: page, models and ONNX Runtime, written whole, then moved to its place."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from dni_deploy.ship.model_file import ModelFile, find_models, read_model_file
from dni_runtime import InputError, OutputError
from dni_runtime.files.regular_file import open_file
from dni_runtime.files.unfinished import staging

from .describe import FORMAT, describe, model_bytes
from .headers import headers_file
from .names import check_example
from .onnxruntime_web import copy_onnxruntime_web

INDEX = "site.json"
_PAGE = Path(__file__).parent / "site"
_TITLE = "Choose the strength"


@dataclass(frozen=True, slots=True)
class WebReport:
    """What `ship_web` wrote: the models' names in the order of the selector, and the size of it all."""

    site: Path
    models: tuple[str, ...]
    bytes: int

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {**asdict(self), "site": str(self.site)}


def ship_web(
    models: Sequence[Path],
    site: Path,
    *,
    ort: Path | None = None,
    webgpu: bool = True,
    title: str = _TITLE,
    example: Path | None = None,
    force: bool = False,
    progress: Callable[[str], None] = lambda step: None,
) -> WebReport:
    """Write a static site that runs `models` in the browser; it works from any host and in any folder of it.

    `models`: ONNX files, and folders of them; the first one is shown first. `ort`: a folder with onnxruntime-web, else
    see `copy_onnxruntime_web`. `webgpu`: put in the 27 MB that run on a graphics processor. `example`: an image that
    visitors can try. `force`: replace a site that is there. `progress(step)`: what is being done.

    Raises InputError, ModelError for unfit arguments and files, OutputError where something is in the way.
    """
    progress("reading the models")
    described = [(model, describe(model)) for model in map(read_model_file, find_models(models))]
    _check_names([model for model, _ in described])
    shown = None if example is None else check_example(example)
    _check_free(site, force)
    with staging(site.absolute().parent, site) as hidden:
        staged = hidden / "site"
        shutil.copytree(_PAGE, staged)
        progress("getting onnxruntime-web")
        copy_onnxruntime_web(staged / "dni" / "ort", ort, webgpu=webgpu)
        progress("writing the models")
        entries = [_write_model(staged / "models", model, about) for model, about in described]
        index = {"format": FORMAT, "title": title, "models": entries, "example": None, "webgpu": webgpu}
        if example is not None and shown is not None:
            (staged / "example").mkdir()
            shutil.copyfile(example, staged / "example" / shown)
            index["example"] = f"example/{quote(shown)}"
        (staged / INDEX).write_text(json.dumps(index, indent=1))
        (staged / "_headers").write_text(headers_file())
        size = sum(path.stat().st_size for path in staged.rglob("*") if path.is_file())
        _put(staged, site)
    return WebReport(site, tuple(about["name"] for _, about in described), size)


def is_site(folder: Path) -> bool:
    """Whether `ship_web` wrote it."""
    with suppress(OSError, ValueError, AttributeError, RecursionError), open_file(folder / INDEX) as file:
        return bool(json.load(file).get("format") == FORMAT)
    return False


def _check_names(models: Sequence[ModelFile]) -> None:
    named: dict[str, Path] = {}
    for model in models:
        if (first := named.setdefault(model.path.stem.lower(), model.path)) != model.path:
            raise InputError(f"{first} and {model.path} would have the same name; rename one")


def _check_free(site: Path, force: bool) -> None:
    if not site.exists() or (site.is_dir() and not any(site.iterdir())):
        return
    if not is_site(site):
        raise OutputError(f"{site} holds something else than a site of ours and is kept; choose another folder")
    if not force:
        raise OutputError(f"{site} exists already and is kept; replace it with --force, or choose another folder")


def _write_model(folder: Path, model: ModelFile, about: dict[str, Any]) -> dict[str, Any]:
    folder.mkdir(exist_ok=True)
    data = model_bytes(model)
    (folder / f"{about['name']}.onnx").write_bytes(data)
    (folder / f"{about['name']}.json").write_text(json.dumps(about))
    return {"name": about["name"], "url": f"models/{quote(about['name'])}.onnx", "bytes": len(data)}


def _put(staged: Path, site: Path) -> None:
    if site.exists():
        os.replace(site, staged.with_name("old"))
    os.replace(staged, site)
