"""Real exports in processes of their own, killed, interrupted and starved of room."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import onnx
import pytest

ALPHA_INPUT: dict[str, Any] = {"alpha_input": True}
EXTERNAL: dict[str, Any] = {"alpha_input": True, "weights": "external"}
BAKED: dict[str, Any] = {"alphas": [0.3]}
each_kind = pytest.mark.parametrize("options", [ALPHA_INPUT, EXTERNAL, BAKED], ids=["alpha-input", "external", "baked"])
with_and_without_a_file_there = pytest.mark.parametrize("existing", [False, True], ids=["new", "existing"])


class Process:
    """An export in a fork of a process that has PyTorch loaded."""

    def __init__(
        self, output: Path, options: dict[str, Any], *, limit_bytes: int = 0, repeat: int = 1, traced: bool = True
    ) -> None:
        from interrupted_exports import work

        forks = multiprocessing.get_context("forkserver")
        forks.set_forkserver_preload(["warm_exports"])
        os.environ["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
        self.pipe: Connection
        self.pipe, theirs = forks.Pipe(duplex=False)
        self.process = forks.Process(
            target=work, args=(theirs, output, limit_bytes, repeat, traced, options), daemon=True
        )
        self.process.start()
        theirs.close()

    def wait_for(self, step: str) -> None:
        while self.pipe.poll(60):
            if self.pipe.recv() == step:
                return
        raise AssertionError(f"never came to {step!r}")

    def send(self, number: signal.Signals) -> None:
        assert self.process.pid is not None
        os.kill(self.process.pid, number)

    def last_words(self) -> list[str]:
        said = []
        try:
            while self.pipe.poll(60):
                said.append(self.pipe.recv())
        except EOFError:
            self.process.join()
        return said


@pytest.fixture(autouse=True)
def kept_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.environ.get("PYTHONPATH", ""))


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def assert_whole(path: Path) -> None:
    from interrupted_exports import WEIGHT_BYTES

    onnx.checker.check_model(path, full_check=True)
    model = onnx.load(path)  # with its external data, which has to be there
    assert sum(len(tensor.raw_data) for tensor in model.graph.initializer) > WEIGHT_BYTES


@each_kind
@pytest.mark.parametrize(
    ("step", "delay_s"),
    [("write", 0.0), ("write", 0.004), ("verify", 0.0), ("publish", 0.0), ("publish", 0.001)],
)
def test_killed_at_any_moment_leaves_a_whole_model_or_none(
    tmp_path: Path, options: dict[str, Any], step: str, delay_s: float
):
    process = Process(tmp_path / "model.onnx", options)
    process.wait_for(step)
    time.sleep(delay_s)
    process.send(signal.SIGKILL)
    process.last_words()
    visible = {name for name in names(tmp_path) if not name.startswith(".")}
    assert visible <= {"model.onnx", "model.onnx.data"}
    if "model.onnx" in visible:
        assert_whole(tmp_path / "model.onnx")


@each_kind
def test_killed_again_and_again_while_replacing_a_model(tmp_path: Path, options: dict[str, Any]):
    path = tmp_path / "model.onnx"
    for _ in range(3):
        process = Process(path, options, repeat=1000)
        process.wait_for("publish")
        process.wait_for("publish")
        process.send(signal.SIGKILL)
        process.last_words()
        if path.exists() or options is not EXTERNAL:
            assert_whole(path)


@pytest.mark.parametrize("step", ["trace network", "write", "verify"])
def test_interrupted_leaves_nothing_at_all(tmp_path: Path, step: str):
    process = Process(tmp_path / "out" / "model.onnx", EXTERNAL, traced=step != "trace network")
    process.wait_for(step)
    process.send(signal.SIGINT)
    said = process.last_words()
    assert said[-1] == "interrupted"
    assert "publish" not in said
    assert names(tmp_path) == []


def test_interrupted_in_a_second_export_keeps_the_first(tmp_path: Path):
    process = Process(tmp_path / "model.onnx", ALPHA_INPUT, repeat=1000)
    process.wait_for("publish")
    process.wait_for("write")
    process.send(signal.SIGINT)
    assert process.last_words()[-1] == "interrupted"
    assert names(tmp_path) == ["model.onnx"]
    assert_whole(tmp_path / "model.onnx")


@each_kind
@with_and_without_a_file_there
def test_files_that_may_not_grow_fail_as_one_sentence(tmp_path: Path, options: dict[str, Any], existing: bool):
    with folder_and_its_content(tmp_path, existing):
        said = Process(tmp_path / "model.onnx", options, limit_bytes=300_000).last_words()
        expected = f"OutputError: {tmp_path} cannot be written to: File too large; nothing was written. "
        assert said[-1].startswith(expected)


@each_kind
@with_and_without_a_file_there
def test_a_full_disk_fails_as_one_sentence(tmp_path: Path, options: dict[str, Any], existing: bool):
    with small_disk(tmp_path / "disk") as disk, folder_and_its_content(disk, existing):
        said = Process(disk / "model.onnx", options).last_words()
        expected = f"OutputError: {disk} cannot be written to: No space left on device; nothing was written. "
        assert said[-1].startswith(expected)


@contextmanager
def folder_and_its_content(folder: Path, existing: bool) -> Iterator[None]:
    """A folder in which nothing may change, hidden files included."""
    if existing:
        (folder / "model.onnx").write_text("precious")
    yield
    assert names(folder) == (["model.onnx"] if existing else [])
    if existing:
        assert (folder / "model.onnx").read_text() == "precious"


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("mounting a small file system needs root's rights")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)
