"""The nodes in a ComfyUI whose Python has no dni-deploy: they are there, and say what to install."""

import json
from pathlib import Path

from forked import forked

PROGRAM = """
import json, sys
from pathlib import Path

class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "dni_runtime":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Hidden())
import torch
from comfyui_pack import loaded_pack
said = {}
with loaded_pack(Path(sys.argv[1])) as pack:
    (pack.models / "model.onnx").touch()
    said["nodes"] = [*pack.nodes]
    for name, values in {
        "DNILoadModel": {"model_name": "model.onnx", "provider": "cpu", "threads": 0},
        "DNIBlendUpscaleModels": {"model_a": None, "model_b": None, "alpha": 0.5},
    }.items():
        try:
            pack.run(name, **values)
        except Exception as error:
            said[name] = str(error)
print(json.dumps(said))
"""
NODES = ["DNILoadModel", "DNIEnhance", "DNIAsUpscaleModel", "DNIBlendUpscaleModels"]


def test_all_nodes_are_there_and_those_that_need_it_say_so(tmp_path: Path):
    said = json.loads(forked(PROGRAM, tmp_path).assert_ok().out)
    assert said["nodes"] == NODES
    message = "this node needs dni-deploy in the Python that runs ComfyUI, and dni_runtime is not installed there; in a"
    assert said["DNILoadModel"].startswith(message)
    assert '" -m pip install .' in said["DNILoadModel"]
    assert "has no weights" in said["DNIBlendUpscaleModels"]  # it ran
