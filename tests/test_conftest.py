"""Which files of tests a small device leaves out."""

from pathlib import Path

import conftest
import pytest
from conftest import needs, pytest_ignore_collect, pytest_report_header

FOLDER = Path(__file__).parent


@pytest.mark.parametrize(
    ("name", "extras"),
    [
        ("test_export.py", {"torch"}),
        ("test_parity.py", {"torch"}),  # through exporting.py
        ("test_serve.py", {"tritonclient"}),  # through triton_server.py
        ("test_openvino.py", {"openvino"}),
        ("test_model.py", set()),
        ("test_alpha_policy.py", set()),
        ("test_cli_run_refusals.py", set()),
    ],
)
def test_files_are_known_by_what_they_import(name: str, extras: set[str]):
    assert needs(FOLDER / name) & {"torch", "openvino", "tritonclient"} == extras


def test_without_pytorch_the_runtimes_tests_remain(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(conftest, "find_spec", lambda name: None if name == "torch" else object())
    files = sorted(FOLDER.glob("test_*.py"))
    kept = {file.stem for file in files if not pytest_ignore_collect(file)}
    assert {"test_model", "test_providers", "test_enhance", "test_openvino", "test_ort_files"} <= kept
    assert not kept & {"test_export", "test_blend", "test_parity", "test_fold", "test_demo"}
    assert pytest_report_header() == ["left out: tests that need torch, which is not installed"]


def test_with_everything_nothing_is_left_out(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(conftest, "find_spec", lambda name: object())
    assert not any(pytest_ignore_collect(file) for file in FOLDER.glob("*.py"))
    assert pytest_report_header() == []
