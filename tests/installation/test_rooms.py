"""The plan of the house: arrows between rooms go one way, no folder is crowded, and the page that draws it is right."""

import ast
import re
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOTS = {"dni_deploy": ROOT, "dni_exporters": ROOT / "exporters", "dni_runtime": ROOT / "runtime"}
FOLDERS = sorted(file.parent for name, root in ROOTS.items() for file in (root / name).rglob("__init__.py"))
MOST_FILES = 12
# Of folders of tests and of what they share.
MOST_TESTS = 14
TEST_FOLDERS = sorted({file.parent for file in (ROOT / "tests").rglob("*.py")})
# Lowest first: a room may import those further up in this list, none beside it. Packages likewise.
LAYERS = {
    "dni_runtime": [
        {"files"},
        {"onnx_files", "images"},
        {"providers"},
        {"weights"},
        {"prepared", "cuda", "averages"},
        {"ncnn", "openvino"},
        {"opening"},
        {"fastest"},
        {"vapoursynth"},
    ],
    "dni_exporters": [
        {"asked", "checkpoints"},
        {"networks", "graphs"},
        {"verdict", "tracing"},
        {"checking", "fitting", "ncnn_form"},
        {"ncnn_files"},
        {"making"},
    ],
    "dni_deploy": [
        {"image_files"},
        {"photographs", "ship", "bench"},
        {"frames", "demo", "calibrating"},
        {"runs", "films"},
        {"cli"},
    ],
}
CONTRIBUTING = ROOT / "CONTRIBUTING.md"
PAGE = ROOT / "docs" / "explanation" / "architecture.md"


def name(folder: Path) -> str:
    return ".".join(module(folder))


def module(path: Path) -> tuple[str, ...]:
    root = next(root for package, root in ROOTS.items() if path.is_relative_to(root / package))
    return path.relative_to(root).with_suffix("").parts


def imported(file: Path) -> Iterator[tuple[str, ...]]:
    """The modules that `file` imports anywhere in it, with what is taken from them: that may be a module, too."""
    here = module(file)
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((*alias.name.split("."), "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = here[: len(here) - node.level] if node.level else ()
            stem = (*base, *(node.module.split(".") if node.module else ()))
            yield from ((*stem, alias.name) for alias in node.names)


@pytest.mark.parametrize("folder", FOLDERS, ids=name)
def test_arrows_between_what_is_in_a_folder_go_one_way(folder: Path):
    """Rooms and modules of a folder import each other in no circle; what puts them together, its __init__, may all."""
    here, depth = module(folder), len(module(folder))
    inside = {path.stem for path in folder.iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()}
    arrows: dict[str, set[str]] = {}
    for child in inside - {"__init__"}:
        files = [*(folder / child).rglob("*.py")] or [folder / f"{child}.py"]
        targets = {target[depth] for file in files for target in imported(file) if target[:depth] == here}
        arrows[child] = (targets & inside) - {child}
    try:
        TopologicalSorter(arrows).prepare()
    except CycleError as error:
        pytest.fail(f"a circle in {name(folder)}: {' <- '.join(error.args[1])}")


@pytest.mark.parametrize("package", LAYERS)
def test_no_package_imports_one_above_it(package: str):
    above = [*LAYERS][[*LAYERS].index(package) + 1 :]
    files = (ROOTS[package] / package).rglob("*.py")
    assert [(file.name, target) for file in files for target in imported(file) if target[0] in above] == []


@pytest.mark.parametrize("package", LAYERS)
def test_no_room_imports_one_above_or_beside_it(package: str):
    height = {room: layer for layer, rooms in enumerate(LAYERS[package]) for room in rooms}
    assert height.keys() == {folder.name for folder in FOLDERS if module(folder)[:-1] == (package,)}
    back = [
        (f"{package}.{room}", ".".join(target))
        for room in height
        for file in (ROOTS[package] / package / room).rglob("*.py")
        for target in imported(file)
        if target[0] == package and target[1] != room and height.get(target[1], -1) >= height[room]
    ]
    assert back == []


@pytest.mark.parametrize("folder", FOLDERS, ids=name)
def test_no_folder_is_crowded(folder: Path):
    files = [path.name for path in folder.iterdir() if path.suffix == ".py" and path.name != "__init__.py"]
    assert len(files) <= MOST_FILES, files


@pytest.mark.parametrize("folder", TEST_FOLDERS, ids=lambda folder: folder.relative_to(ROOT).as_posix())
def test_no_folder_of_tests_is_crowded(folder: Path):
    assert len({*folder.glob("*.py")} - {folder / "conftest.py"}) <= MOST_TESTS


def test_the_page_names_every_room_and_no_other():
    drawing = PAGE.read_text(encoding="utf-8").split("## The way of a checkpoint")[1].split("```")[1]
    assert set(re.findall(r"(\w+)/", drawing)) == {folder.name for folder in FOLDERS if len(module(folder)) == 2}


@pytest.mark.parametrize("package", ROOTS)
def test_contributors_are_told_every_room_of_a_package(package: str):
    (row,) = [line for line in CONTRIBUTING.read_text(encoding="utf-8").splitlines() if f"{package}` |" in line]
    rooms = {folder.name for folder in FOLDERS if module(folder)[:-1] == (package,)}
    assert rooms <= set(re.findall(r"`(\w+)`", row)), row
