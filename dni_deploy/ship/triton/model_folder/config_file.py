"""config.pbtxt of a folder, as it is read: a stranger's repository may hold anything under that name."""

from pathlib import Path
from typing import Any

from dni_deploy.extras import import_model_config
from dni_runtime import ModelError
from dni_runtime.files.regular_file import open_file

CONFIG = "config.pbtxt"
# Ours have some kilobytes.
_LARGEST_BYTES = 2**20


def read_config(folder: Path) -> Any:
    """The ModelConfig message of the model in `folder`. Raises ModelError, of one line, where it cannot be read."""
    from google.protobuf import text_format

    path = folder / CONFIG
    try:
        with open_file(path) as file:
            data = file.read(_LARGEST_BYTES + 1)
    except OSError as error:
        raise ModelError(f"{path} {error.strerror}; expected Triton's configuration of the model") from None
    if len(data) > _LARGEST_BYTES:
        raise ModelError(f"{path} has more than {_LARGEST_BYTES} bytes; expected Triton's configuration of the model")
    try:
        return text_format.Parse(data.decode(), import_model_config().ModelConfig())
    except (UnicodeDecodeError, text_format.ParseError, RecursionError) as error:
        raise ModelError(f"{path} is no Triton configuration: {error}") from None


def data_type(value: Any) -> str:
    """The name of a tensor's type in a configuration, its number where Triton has none."""
    found = value.DESCRIPTOR.fields_by_name["data_type"].enum_type.values_by_number.get(value.data_type)
    return str(value.data_type) if found is None else str(found.name)
