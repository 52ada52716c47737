"""`dni film --ray`, on a cluster of two nodes: the film that one machine makes, whoever is killed meanwhile."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from commands import Result, command, names
from ffmpeg import ffmpeg
from onnx_models import conv_stack, save
from ray_cluster import ENVIRONMENT, Cluster
from waiting import wait_until

RATE, SECONDS = 10, 30
PARTS = 5
"""Of a film with a keyframe every 2 seconds: they begin at 0, 6, 12, ..."""


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with pytest.MonkeyPatch.context() as patch, Cluster() as cluster:
        for name, value in ENVIRONMENT.items():
            patch.setenv(name, value)
        yield cluster


@dataclass(frozen=True)
class OnRay:
    """A film, a network and a strength that moves, in a folder of their own."""

    folder: Path

    def arguments(self, output: Path, *options: object) -> list[object]:
        # On one thread: sums of another order may round differently.
        paths = ["film", self.folder / "model.onnx", self.folder / "film.mkv", "-o", output]
        return [*paths, "--alpha-from", self.folder / "keys.csv", "--threads", 1, *options]

    def run(self, output: Path, *options: object) -> Result:
        return command("dni", *self.arguments(output, *options))

    def start(self, output: Path, *options: object) -> "subprocess.Popen[bytes]":
        program = [str(Path(sys.executable).with_name("dni")), *map(str, self.arguments(output, *options))]
        with output.with_name(f"{output.name}.err").open("wb") as errors:
            return subprocess.Popen(program, stdout=subprocess.DEVNULL, stderr=errors, env=os.environ)

    def made_here(self) -> bytes:
        output = self.folder / "here.mkv"
        self.run(output).assert_ok()
        return output.read_bytes()

    def finished(self) -> list[str]:
        """The notes of parts that are finished and not joined yet."""
        return sorted(path.name for path in self.folder.glob(".dni-film-*/0*.json"))


@pytest.fixture
def film(tmp_path: Path) -> OnRay:
    return made(tmp_path, "64x48")


@pytest.fixture
def long_film(tmp_path: Path) -> OnRay:
    """One of whose parts takes a second."""
    return made(tmp_path, "320x240")


def made(folder: Path, size: str) -> OnRay:
    save(conv_stack(), folder / "model.onnx")
    pictures = ["-f", "lavfi", "-i", f"testsrc2=size={size}:rate={RATE}:duration={SECONDS}"]
    sound = ["-f", "lavfi", "-i", f"sine=duration={SECONDS}"]
    encoders = ["-c:v", "libx264", "-pix_fmt", "yuv420p", "-g", 2 * RATE, "-threads", 1, "-c:a", "libopus"]
    ffmpeg(*pictures, *sound, *map(str, encoders), folder / "film.mkv")
    (folder / "keys.csv").write_text(f"time,alpha\n0,0\n{SECONDS},1\n")
    return OnRay(folder)


def test_a_cluster_makes_the_film_that_one_machine_makes(cluster: Cluster, film: OnRay):
    output = film.folder / "there.mkv"
    result = film.run(output, "--ray", cluster.address).assert_ok()
    assert output.read_bytes() == film.made_here()
    told = [line for line in result.err.splitlines() if "Ray" in line]
    assert told == [
        f"connecting to Ray at {cluster.address}",
        "checking 2 Ray node(s)",
        "running on 2 Ray worker(s) of 1 thread(s), 2 node(s)",
    ]
    assert [name for name in names(film.folder) if name.startswith(".")] == []


def test_a_worker_that_is_killed_loses_nothing(cluster: Cluster, long_film: OnRay):
    output = long_film.folder / "there.mkv"
    process = long_film.start(output, "--ray", cluster.address)
    wait_until(lambda: long_film.finished() and process.poll() is None)
    victim, _ = cluster.workers()
    victim.kill()
    assert process.wait(100) == 0
    assert output.read_bytes() == long_film.made_here()


def test_a_part_that_kills_its_workers_ends_the_run_and_the_others_are_kept(cluster: Cluster, long_film: OnRay):
    output = long_film.folder / "there.mkv"
    process = long_film.start(output, "--ray", cluster.address)
    wait_until(lambda: long_film.finished())
    while process.poll() is None:
        for worker in cluster.workers(busy=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                begun = worker.cpu_times().user
                # Until it computes: the part is not counted as begun before.
                wait_until(lambda worker=worker, begun=begun: worker.cpu_times().user > begun + 0.3)
                worker.kill()
        time.sleep(0.05)
    said = (long_film.folder / "there.mkv.err").read_text()
    assert process.returncode == 1, said
    assert "the worker died 3 times while it made " in said
    assert "Parts that are finished are kept: --resume goes on" in said
    assert not output.exists()
    kept = long_film.finished()
    assert 0 < len(kept) < PARTS
    long_film.run(output, "--resume", "--ray", cluster.address).assert_ok()
    assert output.read_bytes() == long_film.made_here()


def test_interrupted_it_goes_on_where_it_was(cluster: Cluster, long_film: OnRay):
    output = long_film.folder / "there.mkv"
    process = long_film.start(output, "--ray", cluster.address)
    wait_until(lambda: long_film.finished() and process.poll() is None)
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130
    kept = len(long_film.finished())
    assert 0 < kept < PARTS
    assert not output.exists()
    # On this machine alone: parts do not know where the others were made.
    result = long_film.run(output, "--resume", "--json").assert_ok()
    assert result.json["kept"] >= kept * 6 * RATE // 2
    assert output.read_bytes() == long_film.made_here()


def test_a_node_that_does_not_see_the_film_is_named(cluster: Cluster, film: OnRay):
    # The folder in which a process runs: another one for Ray's workers than for the command.
    here = Path("/proc/self/cwd/film.mkv")
    arguments = ["film", film.folder / "model.onnx", here, "--alpha", 0.5, "-o", film.folder / "out.mkv"]
    result = command("dni", *arguments, "--ray", cluster.address, cwd=film.folder)
    assert (result.code, result.out) == (1, "")
    assert f"(127.0.0.1) does not see {here}; MODEL, the inputs and OUT" in result.err
    assert names(film.folder) == ["film.mkv", "keys.csv", "model.onnx"]


def test_on_the_cores_of_this_machine(film: OnRay, monkeypatch: pytest.MonkeyPatch):
    for name in ENVIRONMENT:
        monkeypatch.delenv(name, raising=False)
    output = film.folder / "there.mkv"
    result = film.run(output, "--ray", "local").assert_ok()
    assert "starting Ray" in result.err
    assert output.read_bytes() == film.made_here()
