"""`dni film --ray`, on a cluster of two nodes: the film that one machine makes, whoever is killed meanwhile."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import psutil
import pytest
from commands import Result, command, names
from ffmpeg import ffmpeg
from onnx_models import conv_stack, save
from ray_cluster import ENVIRONMENT, Cluster
from waiting import wait_until

RATE, SECONDS = 10, 30
PARTS, PART_FRAMES = 5, 60
"""Of a film with a keyframe every 2 seconds: they begin at 0, 6, 12, ..."""


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with pytest.MonkeyPatch.context() as patch, Cluster() as cluster:
        for name, value in ENVIRONMENT.items():
            patch.setenv(name, value)
        yield cluster


@dataclass(frozen=True)
class OnRay:
    """A film, a network and a strength that moves in one folder, and in another one what is made of them."""

    sources: Path
    output: Path

    def arguments(self, *options: object) -> list[object]:
        # On one thread: sums of another order may round differently.
        paths = ["film", self.sources / "model.onnx", self.sources / "film.mkv", "-o", self.output]
        return [*paths, "--alpha-from", self.sources / "keys.csv", "--threads", 1, *options]

    def run(self, *options: object) -> Result:
        return command("dni", *self.arguments(*options))

    def start(self, *options: object) -> "subprocess.Popen[bytes]":
        program = [str(Path(sys.executable).with_name("dni")), *map(str, self.arguments(*options))]
        with self.errors.open("wb") as errors:
            return subprocess.Popen(program, stdout=subprocess.DEVNULL, stderr=errors, env=os.environ)

    @property
    def errors(self) -> Path:
        return self.output.with_suffix(".err")

    def finished(self) -> int:
        """How many parts are finished and not joined yet, by their notes."""
        return len([*self.output.parent.glob(".dni-film-*/0*.json")])


@dataclass(frozen=True)
class Made:
    """Sources, and what one machine alone makes of them, undisturbed."""

    sources: Path
    content: bytes

    @classmethod
    def of(cls, folder: Path, size: str) -> "Made":
        save(conv_stack(), folder / "model.onnx")
        pictures = ["-f", "lavfi", "-i", f"testsrc2=size={size}:rate={RATE}:duration={SECONDS}"]
        sound = ["-f", "lavfi", "-i", f"sine=duration={SECONDS}"]
        encoders = ["-c:v", "libx264", "-pix_fmt", "yuv420p", "-g", str(2 * RATE), "-threads", "1", "-c:a", "libopus"]
        ffmpeg(*pictures, *sound, *encoders, folder / "film.mkv")
        (folder / "keys.csv").write_text(f"time,alpha\n0,0\n{SECONDS},1\n")
        here = OnRay(folder, folder / "here.mkv")
        here.run().assert_ok()
        return cls(folder, here.output.read_bytes())


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return Made.of(tmp_path_factory.mktemp("small"), "64x48")


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Of which a part takes a second."""
    return Made.of(tmp_path_factory.mktemp("large"), "320x240")


@pytest.fixture
def film(small: Made, tmp_path: Path) -> OnRay:
    return OnRay(small.sources, tmp_path / "there.mkv")


@pytest.fixture
def large_film(large: Made, tmp_path: Path) -> OnRay:
    return OnRay(large.sources, tmp_path / "there.mkv")


def test_a_cluster_makes_the_film_that_one_machine_makes(cluster: Cluster, film: OnRay, small: Made):
    result = film.run("--ray", cluster.address).assert_ok()
    assert film.output.read_bytes() == small.content
    told = [line for line in result.err.splitlines() if "Ray" in line]
    assert told == [
        f"connecting to Ray at {cluster.address}",
        "checking 2 Ray node(s)",
        "running on 2 Ray worker(s) of 1 thread(s), 2 node(s)",
    ]
    assert names(film.output.parent) == ["there.mkv"]


def test_a_worker_that_is_killed_loses_nothing(cluster: Cluster, large_film: OnRay, large: Made):
    process = large_film.start("--ray", cluster.address)
    victims: list[psutil.Process] = []
    wait_until(lambda: large_film.finished() and not victims.extend(cluster.workers(busy=True)) and victims)
    victims[0].kill()
    assert process.wait(100) == 0
    assert large_film.output.read_bytes() == large.content


def test_a_part_that_kills_its_workers_ends_the_run_and_the_others_are_kept(
    cluster: Cluster, large_film: OnRay, large: Made
):
    process = large_film.start("--ray", cluster.address)
    wait_until(large_film.finished)
    while process.poll() is None:
        for worker in cluster.workers(busy=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                begun = worker.cpu_times().user
                # Until it computes: the part is not counted as begun before.
                wait_until(lambda worker=worker, begun=begun: worker.cpu_times().user > begun + 0.3)
                worker.kill()
        time.sleep(0.05)
    said = large_film.errors.read_text()
    assert process.returncode == 1, said
    assert "the worker died 3 times while it made " in said
    assert "Parts that are finished are kept: --resume goes on" in said
    assert not large_film.output.exists()
    assert 0 < large_film.finished() < PARTS
    large_film.run("--resume", "--ray", cluster.address).assert_ok()
    assert large_film.output.read_bytes() == large.content


def test_interrupted_it_goes_on_where_it_was(cluster: Cluster, large_film: OnRay, large: Made):
    process = large_film.start("--ray", cluster.address)
    wait_until(lambda: large_film.finished() and process.poll() is None)
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130
    kept = large_film.finished()
    assert 0 < kept < PARTS
    assert not large_film.output.exists()
    # On this machine alone: parts do not know where the others were made.
    result = large_film.run("--resume", "--json").assert_ok()
    assert result.json["kept"] == kept * PART_FRAMES
    assert large_film.output.read_bytes() == large.content


def test_a_node_that_does_not_see_the_film_is_named(cluster: Cluster, film: OnRay):
    # The folder in which a process runs: another one for Ray's workers than for the command.
    here = Path("/proc/self/cwd/film.mkv")
    arguments = ["film", film.sources / "model.onnx", here, "--alpha", 0.5, "-o", film.output]
    result = command("dni", *arguments, "--ray", cluster.address, cwd=film.sources)
    assert_refused(f"(127.0.0.1) does not see {here}; MODEL, the inputs and OUT", result, film)


def test_a_node_with_other_encoders_is_named(cluster: Cluster, film: OnRay, tmp_path_factory: pytest.TempPathFactory):
    other = tmp_path_factory.mktemp("other") / "av-9.9.9.dist-info"
    other.mkdir()
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: av\nVersion: 9.9.9\n")
    path = os.pathsep.join([str(other.parent), *filter(None, sys.path)])
    with cluster.one_more_node(PYTHONPATH=path):
        result = film.run("--ray", cluster.address)
    message = f"(127.0.0.1) has av 9.9.9, and this machine {version('av')}; install the same version on both"
    assert_refused(message, result, film)


def assert_refused(message: str, result: Result, film: OnRay) -> None:
    assert (result.code, result.out) == (1, "")
    assert message in result.err
    assert names(film.output.parent) == []


def test_on_the_cores_of_this_machine(film: OnRay, small: Made, monkeypatch: pytest.MonkeyPatch):
    for name in ENVIRONMENT:
        monkeypatch.delenv(name, raising=False)
    result = film.run("--ray", "local").assert_ok()
    assert "starting Ray" in result.err
    assert film.output.read_bytes() == small.content
