"""One model's folder in a repository. Of what a stranger's file says, nothing becomes a name here."""

import shutil
from pathlib import Path

import onnx

from dni_deploy.ship.model_file import ModelFile
from dni_deploy.ship.triton.options import ShipOptions
from dni_deploy.ship.triton.python_model import MODEL_FILE, MODEL_PY
from dni_runtime import ModelError
from dni_runtime.files.regular_file import open_file
from dni_runtime.onnx_files.external_data import external_files, locations

from .config import make_config, warmup_files
from .config_file import CONFIG

WARMUP = "warmup"
MODEL_CODE = "model.py"
# A file, not Python's folder of compiled modules: what lay there would be run in place of model.py, unseen. So nothing
# is read from there, nor written into a repository that is being served.
NO_CACHE = "__pycache__"


def write_model_folder(folder: Path, name: str, file: ModelFile, options: ShipOptions, version: int) -> None:
    """Write `folder`, which does not exist, for the model `file` under the name `name`.

    Raises ModelError where the model or its weights cannot be read, OSError where `folder` cannot be written.
    """
    from google.protobuf import text_format

    inside = folder / str(version)
    inside.mkdir(parents=True)
    _copy_model(file.path, inside)
    if options.backend == "python":
        (inside / MODEL_CODE).write_text(MODEL_PY)
        (inside / NO_CACHE).touch()
    for file_name, data in warmup_files(file, options).items():
        (folder / WARMUP).mkdir(exist_ok=True)
        (folder / WARMUP / file_name).write_bytes(data)
    (folder / CONFIG).write_text(text_format.MessageToString(make_config(name, file, options)))


def _copy_model(path: Path, folder: Path) -> None:
    """The model `path`, and the files that hold weights of it, under names of ours.

    By its own names a model could overwrite what lies beside it, or be its own code: model.py is run.
    """
    model = onnx.load(path, load_external_data=False)
    sources = external_files(model, path)
    if not sources:
        _copy(path, folder / MODEL_FILE)
        return
    names: dict[Path, str] = {}
    for location, entries in locations(model).items():
        source = sources[location]
        if source not in names:
            names[source] = f"weights.{len(names) + 1}"
            _copy(source, folder / names[source])
        for entry in entries:
            entry.value = names[source]
    (folder / MODEL_FILE).write_bytes(model.SerializeToString())


def _copy(source: Path, target: Path) -> None:
    try:
        opened = open_file(source)
    except OSError as error:
        raise ModelError(f"{source} {error.strerror}; expected a file of the model") from None
    with opened, target.open("xb") as copied:
        shutil.copyfileobj(opened, copied, 2**20)
