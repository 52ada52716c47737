"""A model that was prepared before is opened by its digest alone, and is the same model in every way."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from alpha_policies import assert_same, reference
from onnx_models import conv_stack, noise, save

from dni_runtime import ModelError, load
from dni_runtime.opening import open_model

X = noise(1, 3, 24, 20)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DNI_CACHE_DIR", str(tmp_path / "cache"))


def refuse(*_: object) -> None:
    raise AssertionError("the file was read as a model")


def test_a_known_model_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = save(conv_stack(features=24), tmp_path / "model.onnx")
    with load(path, "cpu") as first:
        wanted = first(X, 0.31)
    monkeypatch.setattr(open_model, "read_onnx_file", refuse)
    with load(path, "cpu") as again:
        assert np.array_equal(again(X, 0.31), wanted)
        assert_same(again(X, 0.77), reference(onnx.load(path), 0.77, X))
        for name in ("metadata", "provider", "provider_note", "alpha_note", "_signature"):
            assert getattr(again, name) == getattr(first, name), name


def test_onnx_is_not_imported_for_a_known_model(tmp_path: Path):
    path = save(conv_stack(features=24), tmp_path / "model.onnx")
    load(path, "cpu").close()
    code = "import sys, dni_runtime; dni_runtime.load(sys.argv[1], 'cpu'); assert 'onnx' not in sys.modules"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)}
    subprocess.run([sys.executable, "-c", code, str(path)], check=True, timeout=120, env=environment)


def test_weights_in_other_files_are_looked_at_every_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = save(conv_stack(features=24), tmp_path / "model.onnx", external=True)
    load(path, "cpu").close()
    (tmp_path / "model.onnx.data").unlink()
    with pytest.raises(ModelError, match="weights file that is missing"):
        load(path, "cpu")


def test_one_changed_byte_is_another_model(tmp_path: Path):
    path = save(conv_stack(features=24), tmp_path / "model.onnx")
    load(path, "cpu").close()
    before = path.stat()
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1  # in the middle of a weight
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))  # size, time and number are what they were
    with load(path, "cpu") as model:
        assert_same(model(X, 0.31), reference(onnx.load(path), 0.31, X))


def test_a_file_that_was_cut_short_is_refused_as_ever(tmp_path: Path):
    path = save(conv_stack(features=24), tmp_path / "model.onnx")
    load(path, "cpu").close()
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ModelError, match=r"only a part of one|damaged"):
        load(path, "cpu")
