"""Importing the runtime is cheap and brings no PyTorch along."""

import os
import subprocess
import sys

import pytest
from forked import forked

HEAVY = ("torch", "onnxscript", "spandrel")
LIMIT_S = 0.5

PROGRAM = """
import time
start = time.process_time()
import {module}
seconds = time.process_time() - start
import sys
print(seconds, *(name for name in {heavy} if name in sys.modules))
"""


def import_in_new_process(module: str) -> tuple[float, list[str]]:
    """CPU seconds of `import module`, and which of the heavy packages it loaded."""
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(module=module, heavy=HEAVY)],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )
    seconds, *loaded = run.stdout.split()
    return float(seconds), loaded


@pytest.mark.alone
def test_import_is_quick_and_free_of_torch():
    runs = [import_in_new_process("dni_runtime") for _ in range(3)]
    assert all(not loaded for _, loaded in runs)
    assert min(seconds for seconds, _ in runs) < LIMIT_S  # the least of three: other processes only add


def test_the_check_above_can_fail(tmp_path, monkeypatch):
    (tmp_path / "careless.py").write_text(
        "import time, onnxscript\nend = time.process_time() + 0.6\nwhile time.process_time() < end: pass\n"
    )
    (tmp_path / "onnxscript.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    seconds, loaded = import_in_new_process("careless")
    assert loaded == ["onnxscript"]
    assert seconds > LIMIT_S


@pytest.mark.parametrize(
    "module",
    [
        "dni_deploy.image_files.read_write",
        "dni_deploy.photographs.contact_sheet",
        "dni_deploy.photographs.enhance_files",
    ],
)
def test_running_files_needs_no_torch(module):
    assert forked(PROGRAM.format(module=module, heavy=HEAVY)).assert_ok().out.split()[1:] == []
