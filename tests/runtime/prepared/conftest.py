"""A cache of the test's own, two models for it, and what was prepared."""

from pathlib import Path

import onnx
import pytest
from onnx_models import save
from prepared_entries import PROTOS, SEEDS

from dni_runtime.opening import ways
from dni_runtime.prepared.flat_weights import Prepared
from dni_runtime.prepared.prepare import prepare


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DNI_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    return [save(PROTOS[seed], tmp_path / f"{seed}.onnx") for seed in SEEDS]


@pytest.fixture
def prepared(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The folders of the models that were prepared and not found in the cache, in order."""
    folders: list[Path] = []

    def count(slim: onnx.ModelProto, folder: Path) -> Prepared:
        folders.append(folder)
        return prepare(slim, folder)

    monkeypatch.setattr(ways, "prepare", count)
    return folders


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return save(PROTOS[0], tmp_path / "model.onnx")
