"""What a command tells of its steps: in a terminal for how long, and in a log once a minute that it goes on."""

import io
import time

import pytest

from dni_deploy.progress import Doing, LogLines
from dni_deploy.terminal import Terminal


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_step_tells_for_how_long_it_has_been_going_on(monkeypatch: pytest.MonkeyPatch):
    now = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    doing = Doing("trace network")
    assert str(doing) == "trace network"
    now += 6.5
    assert str(doing) == "trace network (6 s)"
    doing.say("trace network: Conv2d, module 3 of 8")
    now += 60
    assert str(doing) == "trace network: Conv2d, module 3 of 8 (1 min 6 s)"
    doing.say("verify")
    assert str(doing) == "verify"


def test_a_log_is_told_once_a_minute_and_not_after_the_end(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(LogLines, "LATEST_S", 0.05)
    monkeypatch.setattr(Doing, "SOONEST_S", 0.0)
    log = io.StringIO()
    with Terminal(log).status("read endpoints") as say:
        say("trace network: Conv2d, module 3 of 8")
        deadline = time.monotonic() + 10
        while log.getvalue().count("\n") < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
    lines = log.getvalue().splitlines()
    assert len(lines) >= 2
    assert set(lines) <= {f"trace network: Conv2d, module 3 of 8 ({seconds} s)" for seconds in range(11)}
    time.sleep(0.2)
    assert log.getvalue().splitlines() == lines


def test_what_is_over_soon_is_not_in_a_log():
    log = io.StringIO()
    with Terminal(log).status("read endpoints") as say:
        say("verify")
    assert log.getvalue() == ""


def test_a_terminal_shows_the_seconds(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Doing, "SOONEST_S", 0.0)
    monkeypatch.setenv("TERM", "xterm")
    screen = Screen()
    with Terminal(screen).status("trace network"):
        time.sleep(0.3)
    assert "trace network (0 s)" in screen.getvalue()
