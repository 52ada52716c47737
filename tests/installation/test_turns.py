"""Tests beside each other: who runs with whom, in which order, and what a process that dies costs."""

import os
import re
import threading
from pathlib import Path

import pytest
import turns
from inner_pytest import inner
from left_out import FOLDER
from turns import turn

WAIT_S = 30


@pytest.fixture(autouse=True)
def locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not those that this test has its own turn by."""
    for name in ("GATE", "RUNNING"):
        (tmp_path / name).touch()
        monkeypatch.setattr(turns, name, tmp_path / name)


class Other(threading.Thread):
    """A test of another process: files are locked by whoever opened them, be it in one process."""

    def __init__(self, *, alone: bool = False) -> None:
        super().__init__(daemon=True)
        self.alone, self.runs, self.ends = alone, threading.Event(), threading.Event()
        self.start()

    def run(self) -> None:
        with turn(alone=self.alone):
            self.runs.set()
            self.ends.wait(WAIT_S)

    def end(self) -> None:
        self.ends.set()
        self.join(WAIT_S)
        assert not self.is_alive()


def test_others_run_beside_each_other():
    one, other = Other(), Other()
    assert one.runs.wait(WAIT_S) and other.runs.wait(WAIT_S)
    one.end()
    other.end()


def test_one_that_is_alone_waits_for_all_and_all_wait_for_it():
    first = Other()
    assert first.runs.wait(WAIT_S)
    alone = Other(alone=True)
    assert not alone.runs.wait(0.2)
    later = Other()
    assert not later.runs.wait(0.2)  # or one after the other would come before it
    first.end()
    assert alone.runs.wait(WAIT_S)
    assert not later.runs.wait(0.2)
    alone.end()
    assert later.runs.wait(WAIT_S)
    later.end()


def test_those_alone_come_last_and_the_longest_first():
    files = [
        "tests/deploy/ship/web/test_web_limits.py",
        "tests/runtime/test_metadata.py",
        "tests/deploy/ship/triton/server/test_ship_batches.py",
    ]
    run = inner("--collect-only", "-q", *files)
    assert run.returncode == 0, run.stdout + run.stderr
    order = dict.fromkeys(line.partition("::")[0] for line in run.stdout.splitlines() if "::" in line)
    assert list(order) == [files[2], files[1], files[0]]
    assert all(list(FOLDER.rglob(f"{name}.py")) for name in turns.LONGEST)


def test_a_process_that_dies_fails_the_run_and_skips_are_listed(tmp_path: Path):
    """What .ci/run reads is there with several processes too."""
    pytest.importorskip("xdist")
    (tmp_path / "test_a.py").write_text(
        "import pytest\n@pytest.mark.skip(reason='no gpu')\ndef test_skipped(): pass\ndef test_lives(): pass\n"
    )
    (tmp_path / "test_b.py").write_text("import os\ndef test_dies(): os._exit(3)\n")
    options = ["-n", "2", "--dist", "loadfile", "--max-worker-restart", "0"]
    run = inner(*options, "-c", os.devnull, "-ra", "--rootdir", str(tmp_path), str(tmp_path))
    assert run.returncode == 1, run.stdout + run.stderr
    assert "crashed while running 'test_b.py::test_dies'" in run.stdout
    assert re.search(r"^SKIPPED \[1\] .*test_a\.py:2: no gpu$", run.stdout, re.MULTILINE), run.stdout
