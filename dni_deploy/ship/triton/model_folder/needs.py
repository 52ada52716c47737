"""What the models of a repository ask of a server, by their configurations."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dni_deploy.extras import import_model_config
from dni_deploy.ship.triton.options import ShipOptions

from .config_file import read_config

_CHANNELS = 4
_FLOAT_BYTES = 4
_OVERHEAD_BYTES = 2**20


@dataclass(frozen=True, slots=True)
class Needs:
    """backends: of BACKENDS. largest_request_bytes: of an HTTP body that no model refuses for its size."""

    backends: frozenset[str]
    on_gpu: bool
    response_cache: bool
    largest_request_bytes: int


def read_needs(folders: Iterable[Path]) -> Needs:
    """Of the models in `folders`. Raises ModelError where a configuration cannot be read."""
    configs = [read_config(folder) for folder in folders]
    on_gpu = import_model_config().ModelInstanceGroup.KIND_GPU
    return Needs(
        backends=frozenset(config.backend for config in configs),
        on_gpu=any(group.kind == on_gpu for config in configs for group in config.instance_group),
        response_cache=any(config.response_cache.enable for config in configs),
        largest_request_bytes=max(_largest(config) for config in configs) + _OVERHEAD_BYTES,
    )


def _largest(config: Any) -> int:
    """Bytes of the tensors; models of the onnxruntime backend have no limit, and are given the usual one."""
    defaults = ShipOptions()

    def setting(name: str) -> int:
        return int(config.parameters[name].string_value) if name in config.parameters else getattr(defaults, name)

    return max(setting("max_pixels") * _CHANNELS, setting("max_input_pixels") * _CHANNELS * _FLOAT_BYTES)
