"""What tests of the runtime share."""

from collections.abc import Iterator

import pytest
from alpha_policies import Gate
from onnx_models import save

from dni_runtime import load


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    """Pins wait until the test opens it, or is over."""
    gate = Gate(monkeypatch)
    yield gate
    gate.open.set()


@pytest.fixture
def loaded(tmp_path):
    """Saves and loads a ModelProto on the CPU; closes it after the test."""
    models = []

    def load_proto(proto, **options):
        models.append(load(save(proto, tmp_path / f"model{len(models)}.onnx", **options), "cpu"))
        return models[-1]

    yield load_proto
    for model in models:
        model.close()
