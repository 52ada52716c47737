"""What tests of the exporters share. Without PyTorch none of them is there, and this is still read."""

import pytest


@pytest.fixture
def no_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests that inspect larger networks and ask for something else: six photographs take seconds of those."""
    from dni_exporters.verdict.judge import Trials

    monkeypatch.setattr(Trials, "judge", lambda *_, **__: None)
