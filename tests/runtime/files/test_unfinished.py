"""Files and folders are whole or not there, and what killed processes leave is removed, and nothing else."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from commands import names

from dni_runtime import OutputError
from dni_runtime.files import unfinished
from dni_runtime.files.unfinished import remove_unfinished, staging, sweep, unfinished_file, unfinished_folder

NAME = ".dni-0123456789abcdef.tmp"
PROGRAM = """
import os, sys, time
from pathlib import Path
from dni_runtime.files.unfinished import unfinished_file, unfinished_folder

kind, place, fork = sys.argv[1:]
with (unfinished_file if kind == "file" else unfinished_folder)(Path(place)) as made:
    name = Path(made.name if kind == "file" else made)
    if kind == "file":
        made.write(b"half")
        made.flush()
    else:
        Path(made, "inner").mkdir()
        Path(made, "inner", "model").write_text("half")
    child = os.fork() if fork else 1
    if child:
        print(child, name, flush=True)
    time.sleep(600)
"""


class Process:
    """One that writes: `path` is what is unfinished of it, `child` a fork of it."""

    def __init__(self, kind: str, place: Path, *, fork: bool = False) -> None:
        command = [sys.executable, "-c", PROGRAM, kind, str(place), "fork" * fork]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
        assert self.process.stdout is not None
        number, _, name = self.process.stdout.readline().strip().partition(" ")
        self.child, self.path = int(number), Path(name)
        self.process.stdout.close()

    def kill(self) -> Path:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        return self.path


@pytest.fixture
def living(tmp_path: Path) -> Iterator[Path]:
    """What a process has that goes on."""
    process = Process("folder", tmp_path)
    yield process.path
    process.kill()


def aged(path: Path, hours: float = 2) -> Path:
    """`path`, and all in it, as if last touched so many hours ago."""
    then = time.time() - hours * 3600
    for entry in [*path.rglob("*"), path]:
        os.utime(entry, (then, then), follow_symlinks=False)
    return path


def test_a_file_gets_its_name_when_it_is_whole(tmp_path: Path):
    target = tmp_path / "model.onnx"
    target.write_text("old")
    with unfinished_file(target) as file:
        file.write(b"new")
        assert target.read_text() == "old"
    assert (names(tmp_path), target.read_text()) == (["model.onnx"], "new")


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt(), OSError("full")])
def test_a_file_that_failed_leaves_what_was_there(tmp_path: Path, error: BaseException):
    (tmp_path / "model.onnx").write_text("old")
    with pytest.raises(type(error)), unfinished_file(tmp_path / "model.onnx") as file:
        file.write(b"new")
        raise error
    assert (names(tmp_path), (tmp_path / "model.onnx").read_text()) == (["model.onnx"], "old")


def test_names_of_any_length_and_rights_as_others_have_them(tmp_path: Path):
    before = os.umask(0o027)
    try:
        with unfinished_file(tmp_path / ("n" * 255)) as file:
            file.write(b"x")
        with unfinished_folder(tmp_path) as folder:
            assert folder.stat().st_mode & 0o777 == 0o700
    finally:
        os.umask(before)
    assert (tmp_path / ("n" * 255)).stat().st_mode & 0o777 == 0o640
    assert len(names(tmp_path)) == 1


def test_a_link_is_replaced_and_a_folder_is_not(tmp_path: Path):
    (tmp_path / "precious").write_text("kept")
    (tmp_path / "link").symlink_to("precious")
    with unfinished_file(tmp_path / "link") as file:
        file.write(b"new")
    (tmp_path / "folder").mkdir()
    with pytest.raises(IsADirectoryError), unfinished_file(tmp_path / "folder") as file:
        file.write(b"new")
    assert names(tmp_path) == ["folder", "link", "precious"]
    assert ((tmp_path / "link").read_text(), (tmp_path / "precious").read_text()) == ("new", "kept")


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_what_a_killed_process_left_is_removed_by_the_next_one_once_it_is_old(kind: str, tmp_path: Path):
    left = Process(kind, tmp_path / "model" if kind == "file" else tmp_path).kill()
    assert left.exists()
    sweep(tmp_path)
    assert names(tmp_path) == [left.name]  # it is young
    aged(left)
    with unfinished_file(tmp_path / "other") as file:
        file.write(b"x")
    assert names(tmp_path) == ["other"]


def test_all_else_stays(tmp_path: Path, living: Path):
    own = [".dni-run", ".dni-settings", ".dni-0123456789abcde.tmp", f"{NAME}.txt", ".photo.png.tmp", NAME[1:]]
    for name in own:
        (tmp_path / name).write_text("mine")
        aged(tmp_path / name)
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_text("mine")
    link = tmp_path / NAME
    link.symlink_to("outside")
    os.mkfifo(tmp_path / NAME.replace("0", "e"))
    touched = tmp_path / NAME.replace("0", "f")  # something in it was written a moment ago
    (touched / "inner").mkdir(parents=True)
    (touched / "inner" / "model").write_text("half")
    os.utime(touched, (0, 0))
    for path in (living, outside, link, tmp_path / NAME.replace("0", "e")):
        aged(path)
    before = names(tmp_path)
    sweep(tmp_path)
    assert names(tmp_path) == before
    assert (outside / "precious").read_text() == "mine"
    assert (living / "inner" / "model").read_text() == "half"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_what_another_user_left_stays(tmp_path: Path):
    for name in (NAME, NAME.replace("0", "e")):
        (tmp_path / name).mkdir()
    os.chown(tmp_path / NAME, 12345, 12345)
    aged(tmp_path / NAME)
    aged(tmp_path / NAME.replace("0", "e"))
    sweep(tmp_path)
    assert names(tmp_path) == [NAME]


def test_what_is_in_a_leftover_is_not_followed(tmp_path: Path):
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "file").write_text("mine")
    (tmp_path / NAME).mkdir()
    (tmp_path / NAME / "link").symlink_to(tmp_path / "precious")
    aged(tmp_path / NAME)
    sweep(tmp_path)
    assert names(tmp_path) == ["precious"]
    assert (tmp_path / "precious" / "file").read_text() == "mine"


def test_a_clock_that_was_wrong_keeps_nothing_for_ever(tmp_path: Path):
    (tmp_path / NAME).write_text("half")
    aged(tmp_path / NAME, hours=-24 * 365)
    sweep(tmp_path)
    assert names(tmp_path) == []


def test_a_fork_of_the_process_that_was_killed_holds_it(tmp_path: Path):
    process = Process("folder", tmp_path, fork=True)
    left = aged(process.kill())
    sweep(tmp_path)
    assert names(tmp_path) == [left.name]
    os.kill(process.child, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while names(tmp_path) and time.monotonic() < deadline:
        sweep(tmp_path)
        time.sleep(0.01)
    assert names(tmp_path) == []


def test_where_locks_are_unknown_age_decides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(unfinished, "fcntl", None)
    with unfinished_file(tmp_path / "a") as file:
        file.write(b"x")
        remove_unfinished([tmp_path / "a"])
    (tmp_path / NAME).mkdir()
    aged(tmp_path / NAME)
    sweep(tmp_path)
    assert names(tmp_path) == ["a"]


def test_a_run_that_is_taken_up_again_removes_its_own_however_young(tmp_path: Path):
    for name in ("a", "b"):
        Process("file", tmp_path / name).kill()
    going_on = Process("file", tmp_path / "a")
    try:
        remove_unfinished([tmp_path / "a", tmp_path / "c"])
        assert len(names(tmp_path)) == 2 and going_on.path.exists()
    finally:
        going_on.kill()
    remove_unfinished([tmp_path / "a", tmp_path / "b"])
    assert names(tmp_path) == []


def test_two_runs_of_the_same_results_do_not_take_each_others_files(tmp_path: Path):
    target, done = tmp_path / "a", threading.Event()

    def remove() -> None:
        while not done.is_set():
            remove_unfinished([target])

    thread = threading.Thread(target=remove)
    thread.start()
    try:
        for number in range(300):
            with unfinished_file(target) as file:
                file.write(b"%d" % number)
    finally:
        done.set()
        thread.join()
    assert (names(tmp_path), target.read_bytes()) == (["a"], b"299")


def test_staging_names_what_cannot_be_written(tmp_path: Path):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(OutputError, match=r"file cannot be written to: File exists; nothing was written\. Make room"):
        staging(tmp_path / "file").__enter__()
    with pytest.raises(OutputError, match=r"site cannot be written: File exists"):
        staging(tmp_path / "file", tmp_path / "site").__enter__()


@pytest.mark.parametrize("links", [True, False])
def test_what_came_first_is_kept_where_it_may_not_be_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool
):
    if not links:  # as on a memory card
        monkeypatch.setattr("os.link", lambda *names, **options: (_ for _ in ()).throw(PermissionError(1, "no links")))
    with unfinished_file(tmp_path / "new", replace=False) as file:
        file.write(b"new")
    with pytest.raises(FileExistsError), unfinished_file(tmp_path / "first", replace=False) as file:
        file.write(b"second")
        (tmp_path / "first").write_bytes(b"first")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"new": b"new", "first": b"first"}
