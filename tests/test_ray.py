"""`dni run --ray`, on a Ray that the command starts by itself and on a real cluster of two nodes."""

import contextlib
import json
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from commands import Result, command, dni, save_image
from frames import Frames, assert_made, results
from onnx_models import conv_stack, picture, save
from ray_cluster import Cluster, family, free_port, ray_node, until, workers

from dni_deploy.frames.finished import FOLDER

COUNT = 8


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with contextlib.ExitStack() as stack:
        yield Cluster(stack)


@pytest.fixture
def frames(tmp_path: Path) -> Frames:
    return Frames.make(tmp_path, COUNT)


def run(frames: Frames, output: Path, *options: object) -> Result:
    return command("dni", *frames.arguments(output, *options))


def progress(address: str, nodes: int, count: int = 2) -> list[str]:
    return [
        "starting Ray" if address == "local" else f"connecting to Ray at {address}",
        f"checking {nodes} Ray node(s)",
        f"running on {count} Ray worker(s) of 1 thread(s), {nodes} node(s)",
    ]


def test_a_cluster_gives_what_one_machine_gives(cluster: Cluster, frames: Frames, tmp_path: Path):
    frames.run(tmp_path / "here").assert_ok()
    result = run(frames, tmp_path / "there", "--ray", cluster.address).assert_ok()
    assert result.err.splitlines() == progress(cluster.address, 2)  # and not a word of Ray's
    assert [line.split()[:3] for line in result.out.splitlines()] == [
        [str(tmp_path / "there" / name), "alpha", f"{index / COUNT:g}"] for index, name in enumerate(frames.names)
    ]
    assert results(tmp_path / "there") == results(tmp_path / "here")
    assert len(list((tmp_path / "there" / FOLDER).iterdir())) == 2  # both workers had something to do


def test_a_worker_that_is_killed_costs_nothing_but_time(cluster: Cluster, tmp_path: Path):
    frames = Frames.make(tmp_path, 16, (300, 400))
    process = frames.start(tmp_path / "there", "--ray", cluster.address)
    until(lambda: len(list((tmp_path / "there").glob("*.png"))) >= 3)
    victim, *_ = cluster.workers()
    victim.kill()
    assert process.wait(60) == 0
    frames.run(tmp_path / "here").assert_ok()
    assert results(tmp_path / "there") == results(tmp_path / "here")
    assert len(list((tmp_path / "there" / FOLDER).iterdir())) == 3  # the two first workers, and one in place of the victim


def test_a_frame_that_fails_is_reported_and_the_rest_kept(cluster: Cluster, frames: Frames, tmp_path: Path):
    output, broken = tmp_path / "out", tmp_path / "frames" / "0001.png"
    whole = broken.read_bytes()
    broken.write_bytes(whole[:100])
    result = run(frames, output, "--ray", cluster.address, "--json")
    assert result.code == 1
    assert [bool(entry["error"]) for entry in result.json] == [name == "0001.png" for name in frames.names]
    assert result.err.splitlines()[:-1] == progress(cluster.address, 2)
    assert result.err.splitlines()[-1].startswith(f"failed: {broken} is damaged")
    broken.write_bytes(whole)
    again = run(frames, output, "--ray", cluster.address, "--json").assert_ok()
    assert [entry["kept"] for entry in again.json] == [name != "0001.png" for name in frames.names]
    assert again.err.splitlines() == progress(cluster.address, 2, count=1)
    assert_made(frames, output)
