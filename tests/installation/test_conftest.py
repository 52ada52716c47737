"""Which files of tests a small device leaves out, and what a skipped gpu test is where there is a GPU."""

from pathlib import Path

import left_out
import pytest
from inner_pytest import inner
from left_out import FOLDER, imported, is_left_out, missing, modules, needs, report

# What a machine that is lent for its GPU lacks.
RARE = ("matplotlib", "openvino", "playwright", "ray", "skimage", "spandrel", "tritonclient")


def file_of(name: str) -> Path:
    (file,) = FOLDER.rglob(name)
    return file


@pytest.mark.parametrize(
    ("name", "extras"),
    [
        ("test_export.py", {"torch", "spandrel"}),  # the second in a function
        ("test_parity.py", {"torch"}),  # through exporting.py
        ("test_serve.py", {"tritonclient"}),  # through triton_server.py
        ("test_web_dni.py", {"torch", "playwright"}),  # through web_browser.py
        ("test_openvino.py", {"openvino"}),
        ("test_ray.py", {"ray"}),  # which its processes import
        ("test_model.py", set()),
        ("test_alpha_policy.py", set()),
        ("test_cli_run_refusals.py", set()),
    ],
)
def test_files_are_known_by_what_they_import(name: str, extras: set[str]):
    assert needs(file_of(name)) & {"torch", *RARE} == extras


def test_our_own_packages_are_looked_through():
    assert "PIL" in needs(file_of("test_contact_sheet.py"))  # through dni_deploy
    assert "platformdirs" in needs(file_of("test_model.py"))  # through dni_runtime
    assert "PIL" not in needs(file_of("test_on_device.py"))
    known = {"dni_deploy", "dni_runtime", "dni_exporters", "onnx_models", "os", "sys", "pathlib"}
    assert not known & needs(file_of("test_cli_run.py"))


def test_what_a_package_imports_in_a_function_is_an_extra():
    (extras,) = (file for file in modules("dni_deploy.extras") if file.stem == "extras")
    assert "types.ModuleType" in imported(extras)
    assert not any(name.startswith(("ray", "tritonclient", "dni_exporters")) for name in imported(extras))


def test_relative_imports_are_followed():
    (dni,) = (file for file in modules("dni_deploy.cli.dni") if file.stem == "dni")
    assert {"dni_deploy.cli.options.HELP", "dni_deploy.cli.ship.serve"} <= imported(dni)
    (run,) = (file for file in modules("dni_deploy.cli.run") if file.stem == "run")
    assert "dni_deploy.cli.options" in imported(run)


def test_without_pytorch_the_runtimes_tests_remain(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(left_out, "find_spec", lambda name: None if name == "torch" else object())
    files = sorted(FOLDER.rglob("test_*.py"))
    kept = {file.stem for file in files if not is_left_out(file)}
    assert {"test_model", "test_providers", "test_enhance", "test_openvino", "test_ort_files"} <= kept
    assert not kept & {"test_export", "test_blend", "test_parity", "test_fold", "test_demo"}
    (header,) = report()
    text, _, names = header.rpartition(": ")
    assert text == "left out: tests that need torch, which is not installed"
    assert set(names.split(", ")) == {file.stem for file in files} - kept


def test_with_everything_nothing_is_left_out(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(left_out, "find_spec", lambda name: object())
    assert not any(is_left_out(file) for file in FOLDER.rglob("*.py"))
    assert report() == []


def test_gpu_tests_are_collected_without_what_the_others_need():
    """No module of these names can be imported or found."""
    blocked = f"import sys; plugin = None; sys.modules.update(dict.fromkeys({RARE}))"
    run = inner("-m", "gpu", "--collect-only", program=blocked)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "error" not in run.stdout
    assert "<Function test_auto_takes_cuda>" in run.stdout
    assert "<Module test_on_cuda.py>" in run.stdout or missing(file_of("test_on_cuda.py"))
    lines = [line for line in run.stdout.splitlines() if line.startswith("left out: ")]
    assert {line.split()[5].rstrip(",") for line in lines} >= {*RARE} - {"skimage"}  # no test needs that
    assert "test_web_page" in next(line for line in lines if "playwright" in line)


# CUDA_VISIBLE_DEVICES hides the GPU where there is one: the driver then offers none, so nothing can run on it.
TESTS = "tests/runtime/providers/test_providers.py"
GPU_TEST = f"{TESTS}::test_auto_takes_cuda"


def test_a_gpu_test_is_skipped_where_there_is_no_gpu():
    run = inner(GPU_TEST, CUDA_VISIBLE_DEVICES="")
    assert run.returncode == 0, run.stdout + run.stderr
    assert "1 skipped" in run.stdout
    assert f"SKIPPED [1] {TESTS}" in run.stdout and "cuda is not available: " in run.stdout


def test_a_skipped_gpu_test_is_a_failure_where_there_is_a_gpu():
    pretend = """
        class plugin:
            @staticmethod
            def pytest_sessionstart():
                import gpus
                gpus.has_gpu = lambda: True
    """
    run = inner(GPU_TEST, f"{TESTS}::test_names", program=pretend, CUDA_VISIBLE_DEVICES="")
    assert run.returncode == 1, run.stdout + run.stderr
    assert "1 passed, 1 error" in run.stdout
    assert "this machine has a GPU, but: cuda is not available: " in run.stdout
    assert "skipped" not in run.stdout.splitlines()[-1]
