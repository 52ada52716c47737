"""Progress of films: frames a second and the time that is left, in a terminal and in a log."""

import io
import sys
from pathlib import Path

import pytest

from dni_deploy import terminal

FRAMES = 1000


def test_a_log_tells_how_fast_it_goes_and_what_is_left(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    now = 0.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    with terminal.Terminal(sys.stderr).progress("", "frames") as report:
        for frame in range(FRAMES):
            now += 0.125
            report(frame + 1, FRAMES, Path("in.mp4"))
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "100 of 1000 (10%), 8.0 frames a second, about 2 min left: in.mp4"
    assert lines[-1] == "900 of 1000 (90%), 8.0 frames a second, about 13 s left: in.mp4"
    assert len(lines) == 9


def test_what_is_measured_first_does_not_count(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    now = 1000.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    with terminal.Terminal(sys.stderr).progress("", "frames") as report:
        report(1, 40, Path("in.mp4"))
        now += 9
        report(40, 40, Path("in.mp4"))
        for frame in range(101):
            now += 0.25
            report(frame + 1, FRAMES, Path("in.mp4"))
    assert capsys.readouterr().err.splitlines() == ["100 of 1000 (10%), 4.0 frames a second, about 4 min left: in.mp4"]


def test_a_terminal_shows_how_fast_it_goes(monkeypatch: pytest.MonkeyPatch):
    screen = io.StringIO()
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "120")
    shown = terminal.Terminal(screen)
    now = 0.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    monkeypatch.setattr("rich.progress.monotonic", lambda: now, raising=False)
    with shown.progress("", "frames") as report:
        for frame in range(20):
            now += 0.1
            report(frame + 1, FRAMES, Path("in.mp4"))
    assert "frames a second" in screen.getvalue()
