"""A process forked from one that ran ncnn on several threads says that it cannot, and does not wait for ever."""

import os
import subprocess
import sys
from pathlib import Path

import ncnn_forms
import numpy as np
import pytest
from alpha_policies import X, assert_same, reference
from onnx_models import conv_stack, save

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")

# In a process of its own: one that has run other engines has threads that no forked one has.
FORKS = """
import os, sys
import numpy as np
from dni_runtime import ModelError, load

path, x, y = sys.argv[1], np.load(sys.argv[2]), sys.argv[3]

def refused(call):
    try:
        call()
    except ModelError as error:
        return "before this process was forked" in str(error)
    return False

with load(path, "ncnn", threads=1) as single, load(path, "ncnn", threads=2) as several:
    several(x, 0.3)
    child = os.fork()
    if not child:
        try:
            np.save(y, single(x, 0.3))
            calls = (lambda: several(x, 0.3), lambda: several(x, 0.6), lambda: load(path, "ncnn", threads=2))
            os._exit(0 if all(map(refused, calls)) else 1)
        finally:
            os._exit(2)
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_several_threads_are_refused_and_one_is_not(tmp_path: Path):
    path = save(ncnn_forms.with_form(), tmp_path / "model.onnx")
    np.save(tmp_path / "x.npy", X)
    arguments = [path, tmp_path / "x.npy", tmp_path / "y.npy"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run([sys.executable, "-c", FORKS, *map(str, arguments)], timeout=120, env=environment)
    assert done.returncode == 0
    assert_same(np.load(tmp_path / "y.npy"), reference(conv_stack(), 0.3))
