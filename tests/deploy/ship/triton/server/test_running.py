"""How a server is stopped: after its last answer, and without waiting for what nobody waits for any more."""

import sys
import time
from pathlib import Path

import psutil
import pytest
from triton_server import assert_gone
from waiting import wait_until

from dni_deploy.ship.triton.server.running import Running, choose_addresses
from dni_deploy.ship.triton.server.tritonserver import Tritonserver

LONG_S = 60

# In tritonserver's place. `model` starts a process as the Python backend does; `asked` is what SIGTERM makes it do.
SERVER = """
import os, signal, subprocess, sys, time

def model():
    return subprocess.Popen(["sleep", "{long_s}"])

{script}
signal.signal(signal.SIGTERM, asked)
with open("{written}", "w") as file:
    file.write("started")
while True:
    time.sleep(0.05)
"""


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """What a server writes when it has started, and may write once more."""
    return tmp_path / "written"


def started(written: Path, script: str) -> Running:
    program = written.with_name("tritonserver")
    program.write_text(f"#!{sys.executable}\n{SERVER.format(script=script, written=written, long_s=LONG_S)}")
    program.chmod(0o755)
    server = Tritonserver(program, program.parent, program.parent)
    running = Running(server, [], choose_addresses("127.0.0.1", 0), written.with_name("log"))
    wait_until(lambda: written.exists() and written.read_text() == "started")
    return running


def test_a_server_is_ended_once_its_models_are(written: Path):
    """A real one takes two seconds more to end by itself, this one would never."""
    running = started(written, "one = model()\ndef asked(*_): one.terminate()")
    models = psutil.Process(running.pid).children()
    assert len(models) == 1
    began = time.monotonic()
    running.stop(LONG_S)
    assert time.monotonic() - began < LONG_S / 2
    assert running.how_it_ended() == "tritonserver was ended by signal 9"
    assert_gone(models)


def test_a_server_without_processes_of_models_is_given_its_time(written: Path):
    running = started(
        written, f"def asked(*_):\n    time.sleep(0.5)\n    open({str(written)!r}, 'w').write('ended')\n    os._exit(0)"
    )
    running.stop()
    assert running.how_it_ended() == "tritonserver ended with status 0"
    assert written.read_text() == "ended"


def test_a_model_that_does_not_end_is_given_its_time_and_no_more(written: Path):
    running = started(written, "one = model()\ndef asked(*_): pass")
    models = psutil.Process(running.pid).children()
    began = time.monotonic()
    running.stop(0.5)
    assert 0.5 <= time.monotonic() - began < LONG_S / 2
    assert running.how_it_ended() == "tritonserver was ended by signal 9"
    assert_gone(models)
