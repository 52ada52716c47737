"""The part of the lint that looks for code: a stranger's repository can bring programs that the server would run.

Triton takes a backend (libtriton_NAME.so), the Python backend's program and Python modules from a model's folder before
its own, and a configuration names more. Of all that, dni ship writes model.py, which is the same for every model.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dni_deploy.ship.model_file import ModelFile
from dni_deploy.ship.triton.model_folder.config_file import CONFIG
from dni_deploy.ship.triton.model_folder.folder import MODEL_CODE, NO_CACHE, WARMUP
from dni_deploy.ship.triton.python_model import MODEL_FILE, MODEL_PY
from dni_runtime.files.regular_file import open_file

# A model could name a program as its weights. Beside our names, those of exporters: earlier versions kept them.
_WEIGHTS = re.compile(r"weights\.[0-9]+|[^/]+\.(data|bin|weights|onnx_data|safetensors)")
_RUN = ("runtime", "model_operations", "model_repository_agents")
_ENVIRONMENT = "EXECUTION_ENV_PATH"


def check_folder(folder: Path, versions: list[Path], config: Any) -> Iterator[str]:
    """What beside the versions could be run, or is named by the configuration to be run."""
    known = {CONFIG, WARMUP, *(version.name for version in versions)}
    yield from _strangers(folder, known)
    for field, _ in config.ListFields():
        if field.name in _RUN:
            yield f"{field.name} is set, which has the server run a program; dni ship sets none: remove it"
    if _ENVIRONMENT in config.parameters:
        yield f"the parameter {_ENVIRONMENT} is set, which has the server run another Python; remove it"
    if (name := config.default_model_filename) and Path(name).name != name:
        yield f"default_model_filename is {name!r}; expected the name of a file in the version's folder"


def check_version_folder(version: Path, model: ModelFile, config: Any, backend: str) -> Iterator[str]:
    """What in a version's folder could be run."""
    code = (config.default_model_filename or MODEL_CODE) if backend == "python" else None
    onnx = MODEL_FILE if code else config.default_model_filename or MODEL_FILE
    weights = {name for name in model.external_files if _WEIGHTS.fullmatch(name)}
    yield from _strangers(version, {onnx, *([code] if code else []), *weights, *_no_cache(version)})
    if code and (version / code).is_file():
        with open_file(version / code) as file:
            if file.read(len(MODEL_PY.encode()) + 1) != MODEL_PY.encode():
                yield (
                    f"{code} is not the one that dni ship writes, and the server would run it: ship the model again, "
                    "or start tritonserver yourself if you trust it"
                )


def _no_cache(version: Path) -> list[str]:
    return [NO_CACHE] if (version / NO_CACHE).is_file() else []


def _strangers(folder: Path, known: set[str]) -> Iterator[str]:
    for path in sorted(folder.iterdir()):
        if path.name not in known and not path.name.startswith("."):
            yield f"{path.name!r} is none of dni ship's, and the server might run it as code: remove it"
