"""What is copied into custom_nodes: examples that fit the nodes, and nothing that a bare ComfyUI has not."""

import ast
import json
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from comfyui_pack import PACK, Pack
from PIL import Image

EXAMPLES = PACK / "example_workflows"
BUILT_IN = {"LoadImage", "SaveImage", "UpscaleModelLoader", "ImageUpscaleWithModel"}
# What ComfyUI has itself: its own modules, PyTorch, and spandrel where an upscale model is made.
THERE = {"comfy", "comfy_api", "folder_paths", "numpy", "spandrel", "torch"}


def workflow(name: str) -> dict[str, Any]:
    return json.loads((EXAMPLES / f"{name}.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", ["enhance", "blend_upscale_models"])
def test_examples_are_of_these_nodes(name: str, pack: Pack):
    drawn = workflow(name)
    ids = {node["id"]: node for node in drawn["nodes"]}
    ours = [node for node in drawn["nodes"] if node["type"] not in BUILT_IN]
    assert ours
    for node in ours:
        schema = pack.nodes[node["type"]].GET_SCHEMA()
        known = {each.id: each for each in schema.inputs}
        assert {slot["name"] for slot in node["inputs"]} == known.keys()
        for slot in node["inputs"]:
            assert slot["type"] == known[slot["name"]].get_io_type()
            assert known[slot["name"]].optional or "widget" in slot or slot["link"]
        assert [slot["name"] for slot in node["outputs"]] == [each.display_name for each in schema.outputs]
        # In the order of the inputs that are no sockets.
        widgets = [known[slot["name"]] for slot in node["inputs"] if "widget" in slot]
        assert len(node["widgets_values"]) == len(widgets)
        for value, widget in zip(node["widgets_values"], widgets, strict=True):
            assert type(value) is type(widget.default) or widget.id in {"model_name", "alpha"}
    for _, source, out, target, into, kind in drawn["links"]:
        assert ids[source]["outputs"][out]["type"] == ids[target]["inputs"][into]["type"] == kind


def test_a_picture_carries_the_example():
    with Image.open(EXAMPLES / "enhance.png") as picture:
        assert json.loads(picture.info["workflow"]) == workflow("enhance")
        asked = json.loads(picture.info["prompt"])
    assert {node["class_type"] for node in asked.values()} == {node["type"] for node in workflow("enhance")["nodes"]}


def test_every_example_has_a_thumbnail():
    """ComfyUI's page of templates asks for a .jpg of the same name."""
    assert {file.stem for file in EXAMPLES.glob("*.json")} == {file.stem for file in EXAMPLES.glob("*.jpg")}


def test_what_the_registry_reads():
    described = tomllib.loads((PACK / "pyproject.toml").read_text(encoding="utf-8"))
    own = tomllib.loads((PACK.parents[1] / "pyproject.toml").read_text(encoding="utf-8"))
    for name in ("version", "requires-python"):
        assert described["project"][name] == own["project"][name]
    assert described["project"]["license"]["text"] == own["project"]["license"]
    assert described["tool"]["comfy"]["DisplayName"] == "DNI"


def imports(file: Path) -> set[str]:
    """What `file` imports when it is imported."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    statements = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    names = {each.name for node in statements if isinstance(node, ast.Import) for each in node.names}
    names |= {node.module or "" for node in statements if isinstance(node, ast.ImportFrom) and not node.level}
    return {name.partition(".")[0] for name in names} - sys.stdlib_module_names


def test_it_loads_in_a_bare_comfyui():
    files = sorted(PACK.glob("*.py"))
    assert files
    assert set().union(*map(imports, files)) <= THERE | {"__future__"}
    # A blend needs PyTorch alone.
    assert imports(PACK / "blend.py") == {"torch", "comfy_api"}
