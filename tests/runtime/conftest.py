"""What tests of the runtime share."""

from collections.abc import Iterator

import pytest
from alpha_policies import Gate


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    """Pins wait until the test opens it, or is over."""
    gate = Gate(monkeypatch)
    yield gate
    gate.open.set()
