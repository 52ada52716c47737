"""The wheel holds what users need, nothing else, and its runtime part needs no PyTorch."""

import configparser
import email
import re
import zipfile
from pathlib import Path

import pytest
from commands import python
from forked import forked

ROOT = Path(__file__).parents[2]
PACKAGES = {"dni_deploy": ROOT, "dni_exporters": ROOT / "exporters", "dni_runtime": ROOT / "runtime"}
SITE = Path("dni_deploy", "ship", "web", "site")
DEMO = {
    "weak.safetensors",
    "strong.safetensors",
    "exported.onnx",
    "photograph.png",
    "photograph_noisy.png",
    "ORIGINS.md",
}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """Built as pip builds it: by the backend, in a process of its own, in the repository's folder."""
    folder = tmp_path_factory.mktemp("wheel")
    program = "import sys; from hatchling.build import build_wheel; print(build_wheel(sys.argv[1]))"
    name = python(program, folder, cwd=ROOT).assert_ok().out.split()[-1]
    assert re.fullmatch(r"dni_deploy-0\.1\.0-py3-none-any\.whl", name)
    return zipfile.ZipFile(folder / name)


def files(wheel: zipfile.ZipFile) -> set[str]:
    return {name for name in wheel.namelist() if not name.endswith("/")}


def metadata(wheel: zipfile.ZipFile, name: str) -> str:
    (path,) = (path for path in files(wheel) if path.endswith(f".dist-info/{name}"))
    return wheel.read(path).decode()


def test_the_packages_are_whole_and_typed(wheel: zipfile.ZipFile):
    for package, folder in PACKAGES.items():
        sources = {str(path.relative_to(folder)) for path in (folder / package).rglob("*.py")}
        assert sources and sources <= files(wheel)
        assert f"{package}/py.typed" in files(wheel)


def test_the_demo_is_in_it(wheel: zipfile.ZipFile):
    assert {f"dni_deploy/demo/{name}" for name in DEMO} <= files(wheel)


def test_the_page_is_in_it(wheel: zipfile.ZipFile):
    page = {str(path.relative_to(ROOT)) for path in (ROOT / SITE).rglob("*") if path.is_file()}
    assert {Path(name).suffix for name in page} == {".css", ".html", ".js"}
    assert page == {name for name in files(wheel) if name.startswith(f"{SITE}/")}


def test_nothing_else_is_in_it(wheel: zipfile.ZipFile):
    assert {name.partition("/")[0] for name in files(wheel)} == {*PACKAGES, "dni_deploy-0.1.0.dist-info"}
    ours = {name for name in files(wheel) if ".dist-info" not in name and "/demo/" not in name}
    others = {name for name in ours if not name.startswith(f"{SITE}/") and Path(name).suffix not in (".py", ".typed")}
    assert others == {f"dni_exporters/verdict/{name}" for name in ("ORIGINS.md", "photographs.npz")}
    assert sum(entry.compress_size for entry in wheel.infolist()) < 2.5e6


def test_the_licence_is_in_it(wheel: zipfile.ZipFile):
    assert metadata(wheel, "licenses/LICENSE") == (ROOT / "LICENSE").read_text()
    assert email.message_from_string(metadata(wheel, "METADATA"))["License-Expression"] == "Apache-2.0"


def test_the_commands_are_in_it(wheel: zipfile.ZipFile):
    parser = configparser.ConfigParser()
    parser.read_string(metadata(wheel, "entry_points.txt"))
    assert dict(parser["console_scripts"]) == {
        "dni": "dni_deploy.cli:main",
        "dni-export": "dni_deploy.cli:export_main",
    }


def test_pytorch_is_an_extra(wheel: zipfile.ZipFile):
    required = email.message_from_string(metadata(wheel, "METADATA")).get_all("Requires-Dist") or []
    base = {re.split(r"[^\w-]", line, maxsplit=1)[0] for line in required if "extra ==" not in line}
    assert base == {
        "click",
        "numpy",
        "onnx",
        "onnxruntime",
        "onnxruntime-gpu",
        "pillow",
        "platformdirs",
        "rich",
    }
    assert any(line.startswith("torch") and "extra == 'export'" in line for line in required)


@pytest.mark.parametrize(("system", "machine", "gpu"), [
    ("linux", "x86_64", True), ("linux", "aarch64", False), ("darwin", "arm64", False),
    ("darwin", "x86_64", False), ("win32", "AMD64", True), ("win32", "ARM64", False),
])  # fmt: skip
def test_exactly_one_onnxruntime_is_required_everywhere(wheel: zipfile.ZipFile, system: str, machine: str, gpu: bool):
    from packaging.requirements import Requirement

    lines = email.message_from_string(metadata(wheel, "METADATA")).get_all("Requires-Dist") or []
    environment = {"sys_platform": system, "platform_machine": machine, "extra": ""}
    required = [Requirement(line) for line in lines if line.startswith("onnxruntime")]
    chosen = [r.name for r in required if r.marker is None or r.marker.evaluate(environment)]
    assert chosen == ["onnxruntime-gpu" if gpu else "onnxruntime"]


def test_every_module_of_the_runtime_imports_without_pytorch_from_the_wheel(wheel: zipfile.ZipFile):
    """And, but for what is in the exporters' rooms and runs as it is imported, every module of the whole wheel."""
    modules = [name.removesuffix(".py").replace("/", ".").removesuffix(".__init__") for name in sorted(files(wheel))
               if name.endswith(".py") and not name.endswith("__main__.py")
               and not (name.startswith("dni_exporters/") and name.count("/") > 1)]  # fmt: skip
    assert {"dni_runtime", "dni_runtime.model", "dni_deploy.cli", "dni_exporters", "dni_exporters.job"} <= set(modules)
    program = (
        "import importlib, sys\n"
        "wheel, *modules = sys.argv[1:]\n"
        "sys.path.insert(0, wheel)\n"
        "for name in ('torch', 'onnxscript', 'onnx_ir', 'spandrel', 'safetensors'):\n"
        "    sys.modules[name] = None  # importing it now fails\n"
        "for name in modules:\n"
        "    assert importlib.import_module(name).__file__.startswith(wheel), name\n"
        "print(len(modules))\n"
    )
    assert forked(program, wheel.filename, *modules).assert_ok().out == f"{len(modules)}\n"
    blocked = forked(program, wheel.filename, "dni_exporters.making.steps")
    assert re.search(r"ModuleNotFoundError: import of \w+ halted", blocked.err)  # the check above can fail
