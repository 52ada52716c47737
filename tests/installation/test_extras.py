"""Without PyTorch: what runs, and what says how to install the rest. In interpreters that really lack it."""

import importlib
import inspect
import json
import pydoc
from pathlib import Path

import pytest
from commands import Result, dni, names
from forked import forked
from onnx_models import conv_stack, save

import dni_deploy
import dni_exporters
from dni_deploy.demo import PHOTOGRAPH, STRONG, WEAK

# Argument 1: names of packages that are made to look as if they were not installed.
HIDE = """
import sys

class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in hidden:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

hidden = sys.argv.pop(1).split(",")
sys.meta_path.insert(0, Hidden())
"""
COMMAND = HIDE + "from dni_deploy.cli import main; main(sys.argv[1:], prog_name='dni')"
# Argument 2: commands, as lists in JSON; each has to succeed, and what it says on stdout is printed as JSON.
COMMANDS = f"""{HIDE}
import json
from click.testing import CliRunner
from dni_deploy.cli import main
said = []
for command in json.loads(sys.argv[1]):
    result = CliRunner().invoke(main, command, prog_name="dni", catch_exceptions=False)
    assert result.exit_code == 0, result.output
    said.append(result.stdout)
print(json.dumps(said))
"""
PIP = 'pip install "dni-deploy[export]"'


def without(packages: str, *arguments: object) -> Result:
    """`dni` in an environment that lacks `packages`."""
    return forked(COMMAND, packages, *arguments)


def all_without(packages: str, *commands: list[object]) -> list[str]:
    """What each of `commands` says on stdout there, one after the other in one process, which starts only once."""
    texts = [list(map(str, command)) for command in commands]
    return list(forked(COMMANDS, packages, json.dumps(texts)).assert_ok().json)


@pytest.mark.parametrize(
    ("name", "package"),
    [
        ("export", "torch"),
        ("blend", "torch"),
        ("inspect", "torch"),
        ("export", "safetensors"),
        ("blend", "onnx_ir"),
        ("export", "onnxscript"),
        ("fit", "torch"),
    ],
)
def test_a_missing_package_is_one_sentence_with_the_pip_command(name: str, package: str, tmp_path: Path):
    arguments = {
        "export": [WEAK, STRONG, "--alpha-input", "-o", tmp_path / "m.onnx"],
        "blend": [WEAK, STRONG, "--alpha", "0.5", "-o", tmp_path / "c.pth"],
        "inspect": [WEAK, STRONG],
        "fit": [WEAK, STRONG, "--photos", PHOTOGRAPH.parent, "-o", tmp_path / "c.safetensors"],
    }[name]
    result = without(package, name, *arguments)
    result.assert_error(f"need {package}, which is not installed: {PIP}")
    assert len(result.err.splitlines()) == 1
    assert names(tmp_path) == []


def test_without_spandrel_networks_can_still_be_named(tmp_path: Path):
    result = without("spandrel", "export", WEAK, STRONG, "--alpha-input", "-o", tmp_path / "m.onnx")
    result.assert_error(f"detecting the network needs spandrel: {PIP}; or name it: --arch module:callable")
    assert names(tmp_path) == []


def test_the_demo_runs_without_pytorch_and_says_what_is_missing(tmp_path: Path):
    result = without("torch", "demo", "-o", tmp_path / "demo").assert_ok()
    assert result.err.startswith("note: reading checkpoints and exporting need torch, which is not installed: " + PIP)
    assert {"denoise.onnx", "sheet.png"} <= set(names(tmp_path / "demo"))


def test_models_run_and_are_inspected_without_any_of_it(denoiser: Path, photo: Path, tmp_path: Path):
    everything = "torch,torchvision,spandrel,safetensors,onnxscript,onnx_ir"
    run, inspected, exported = all_without(
        everything,
        ["run", denoiser, photo, "--alpha", "0.5", "-o", tmp_path / "out.png"],
        ["inspect", denoiser],
        ["export", "--help"],
    )
    assert run.startswith(str(tmp_path / "out.png"))
    assert "weak.safetensors" in inspected
    assert exported


def test_from_python_it_is_the_same_sentence():
    program = HIDE + (
        "import dni_deploy, dni_exporters, dni_runtime\n"
        "pair = sys.argv[1:]\n"
        "for call in (\n"
        "    lambda: dni_deploy.export(pair, 'm.onnx', alpha_input=True),\n"
        "    lambda: dni_deploy.blend(pair, 0.5),\n"
        "    lambda: dni_deploy.write_blend(pair, 'c.pth', 0.5),\n"
        "    lambda: dni_exporters.inspect_endpoints(*pair),\n"
        "    lambda: dni_exporters.read_endpoints,\n"
        "):\n"
        "    try:\n"
        "        call()\n"
        "    except dni_runtime.DniError as error:\n"
        "        print(error)\n"
    )
    lines = forked(program, "torch", WEAK, STRONG).assert_ok().out.splitlines()
    assert lines == [f"reading checkpoints and exporting need torch, which is not installed: {PIP}"] * 5


def test_a_fault_in_our_own_imports_is_not_called_a_missing_extra():
    result = forked(HIDE + "import dni_deploy; dni_deploy.export", "dni_runtime.metadata,dni_exporters")
    assert "ModuleNotFoundError: No module named 'dni_exporters'" in result.err


@pytest.mark.parametrize(
    "module",
    [
        "dni_deploy",
        "dni_deploy.bench",
        "dni_deploy.cli",
        "dni_deploy.cli.ship.triton",
        "dni_deploy.runs",
        "dni_deploy.demo.show",
        "dni_deploy.frames",
        "dni_deploy.ship",
        "dni_exporters",
        "dni_exporters.export",
        "dni_exporters.inspection",
        "dni_exporters.interpolate",
        "dni_exporters.job",
    ],
)
def test_importing_loads_no_pytorch(module: str):
    assert loaded_by(f"import {module}") == []


def test_the_check_above_can_fail():
    assert loaded_by("import dni_exporters; dni_exporters.read_endpoints") == ["safetensors", "torch"]


def loaded_by(statement: str) -> list[str]:
    heavy = "('grpc', 'onnx_ir', 'onnxscript', 'ray', 'safetensors', 'spandrel', 'torch', 'tritonclient')"
    program = f"{statement}\nimport sys\nprint(*(name for name in {heavy} if name in sys.modules))"
    return forked(program).assert_ok().out.split()


def test_what_needs_pytorch_is_the_exporters_own_and_shown():
    shown = pydoc.plaintext.document(dni_deploy)
    for name in ("blend", "export", "write_blend"):
        assert getattr(dni_deploy, name) is getattr(dni_exporters, name)
        assert name in dir(dni_deploy)
        assert f"    {name}(endpoints: " in shown
    with pytest.raises(AttributeError, match="module 'dni_deploy' has no attribute 'nothing'"):
        _ = dni_deploy.nothing


@pytest.mark.parametrize(
    "package",
    [
        "dni_deploy",
        "dni_deploy.bench",
        "dni_deploy.demo",
        "dni_deploy.frames",
        "dni_deploy.runs",
        "dni_deploy.ship",
        "dni_exporters",
        "dni_runtime",
        "dni_runtime.vapoursynth",
    ],
)
def test_every_public_name_exists_and_is_documented(package: str):
    module = importlib.import_module(package)
    assert inspect.getdoc(module)
    assert len(set(module.__all__)) == len(module.__all__)
    for name in module.__all__:
        value = getattr(module, name)
        if inspect.isclass(value) or inspect.isfunction(value):
            assert value.__doc__, name  # getdoc would take a base class's
            assert not value.__doc__.startswith(f"{name}("), f"{name} has only the text that dataclasses make"


def test_help_says_what_the_commands_do_without_pytorch():
    assert "Export checkpoints" in dni("export", "--help").assert_ok().out


@pytest.mark.parametrize("package", ["tritonclient", "grpc"])
def test_a_missing_triton_package_is_one_sentence_with_the_pip_command(package: str, tmp_path: Path):
    model = save(conv_stack(), tmp_path / "model.onnx")
    pip = 'pip install "dni-deploy[triton]"'
    ship = without(package, "ship", "triton", model, "-o", tmp_path / "repo")
    message = f"reading and writing Triton's configuration needs {package}, which is not installed: {pip}"
    ship.assert_error(message)
    (tmp_path / "repo" / "model").mkdir(parents=True)
    (tmp_path / "repo" / "model" / "config.pbtxt").touch()
    without(package, "ship", "check", tmp_path / "repo").assert_error(message)
    assert names(tmp_path / "repo") == ["model"]


@pytest.mark.parametrize("package", ["ray", "pyarrow"])
def test_a_missing_part_of_ray_is_one_sentence_with_the_pip_command(package: str, photo: Path, tmp_path: Path):
    model = save(conv_stack(), tmp_path / "model.onnx")
    run = without(package, "run", model, photo, "--alpha", "0.5", "-o", tmp_path / "out.png", "--ray", "local")
    run.assert_error(f'running over a cluster needs {package}, which is not installed: pip install "dni-deploy[ray]"')
    assert names(tmp_path) == ["model.onnx", "photo.png"]


def test_a_missing_vapoursynth_is_one_sentence_with_the_pip_command():
    program = HIDE + (
        "import dni_runtime, dni_runtime.vapoursynth\n"
        "try:\n"
        "    dni_runtime.vapoursynth.enhance(None, 'model.onnx', 0.5)\n"
        "except dni_runtime.DniError as error:\n"
        "    print(error)\n"
    )
    pip = 'pip install "dni-deploy[vapoursynth]", which needs Python 3.12 or later'
    assert forked(program, "vapoursynth").assert_ok().out == f"VapourSynth is not installed: {pip}\n"


def test_help_of_ship_and_serve_needs_no_triton_package():
    commands = ["ship --help", "ship triton --help", "ship check --help", "serve --help"]
    for result in all_without("tritonclient,grpc", *map(str.split, commands)):
        assert "Usage: dni" in result
