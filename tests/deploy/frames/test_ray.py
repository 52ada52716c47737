"""`dni run --ray`, on a Ray that the command starts by itself and on a real cluster of two nodes."""

import contextlib
import logging
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from commands import Result, command, dni, names, python
from frames_with_alphas import Frames, assert_made, results
from ray_cluster import ENVIRONMENT, Cluster, family, free_port, workers
from waiting import wait_until

from dni_deploy.frames.cluster import import_ray_for
from dni_deploy.frames.finished import FOLDER
from dni_deploy.frames.workers import _counter

COUNT = 8
LARGE = (300, 400)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with pytest.MonkeyPatch.context() as patch, Cluster() as cluster:
        for name, value in ENVIRONMENT.items():
            patch.setenv(name, value)
        yield cluster


@pytest.fixture
def frames(tmp_path: Path) -> Frames:
    return Frames.make(tmp_path, COUNT)


def run(frames: Frames, output: Path, address: str, *options: object) -> Result:
    return command("dni", *frames.arguments(output, "--ray", address, *options))


def said(address: str, nodes: int, workers: int = 2) -> list[str]:
    """All that may stand on stderr: not a word of Ray's own."""
    return [
        "starting Ray" if address == "local" else f"connecting to Ray at {address}",
        f"checking {nodes} Ray node(s)",
        f"running on {workers} Ray worker(s) of 1 thread(s), {nodes} node(s)",
    ]


def assert_refused(message: str, result: Result, output: Path) -> None:
    assert (result.code, result.out) == (1, "")
    *before, last = result.err.splitlines()
    assert len(before) <= 2
    assert last.startswith("Error: ")
    assert message in last
    assert not output.exists() or names(output) == [FOLDER]
    assert not output.exists() or names(output / FOLDER) == []


def test_a_cluster_gives_what_one_machine_gives(cluster: Cluster, frames: Frames, tmp_path: Path):
    frames.run(tmp_path / "here").assert_ok()
    result = run(frames, tmp_path / "there", cluster.address).assert_ok()
    assert result.err.splitlines() == said(cluster.address, 2)
    assert [line.split()[:3] for line in result.out.splitlines()] == [
        [str(tmp_path / "there" / name), "alpha", f"{index / COUNT:g}"] for index, name in enumerate(frames.names)
    ]
    assert results(tmp_path / "there") == results(tmp_path / "here")


def test_a_worker_that_is_killed_costs_nothing_but_time(cluster: Cluster, tmp_path: Path):
    frames, output = Frames.make(tmp_path, 24, LARGE), tmp_path / "there"
    process = frames.start(output, "--ray", cluster.address)
    wait_until(lambda: len(list((output / FOLDER).glob("*.jsonl"))) == 2 and process.poll() is None)
    victim, _ = cluster.workers()
    victim.kill()
    assert process.wait(60) == 0
    frames.run(tmp_path / "here").assert_ok()
    assert results(output) == results(tmp_path / "here")


def test_a_frame_that_fails_is_reported_and_the_rest_kept(cluster: Cluster, frames: Frames, tmp_path: Path):
    output, broken = tmp_path / "out", tmp_path / "frames" / "0001.png"
    whole = broken.read_bytes()
    broken.write_bytes(whole[:100])
    result = run(frames, output, cluster.address, "--json")
    assert result.code == 1
    assert [bool(entry["error"]) for entry in result.json_lines] == [name == "0001.png" for name in frames.names]
    *before, last = result.err.splitlines()
    assert before == said(cluster.address, 2)
    assert last.startswith(f"failed: {broken} is damaged")
    broken.write_bytes(whole)
    again = run(frames, output, cluster.address, "--json").assert_ok()
    assert [entry["kept"] for entry in again.json_lines] == [name != "0001.png" for name in frames.names]
    assert again.err.splitlines() == said(cluster.address, 2, workers=1)
    assert_made(frames, output)


def test_a_frame_that_kills_its_workers_fails_alone(cluster: Cluster, tmp_path: Path):
    frames, output = Frames.make(tmp_path, 1, (1500, 2000)), tmp_path / "out"
    process = frames.start(output, "--ray", cluster.address)
    killed = 0
    while process.poll() is None:
        for worker in cluster.workers(busy=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                begun = worker.cpu_times().user
                # Until it computes: the frame is not counted as begun before, which is asked of another process.
                wait_until(lambda worker=worker, begun=begun: worker.cpu_times().user > begun + 0.5)
                worker.kill()
                killed += 1
        time.sleep(0.05)
    assert process.returncode == 1
    assert "the worker died 3 times while it made this frame" in (tmp_path / "out.err").read_text()
    # A kill that came before the frame was counted, while the worker was still importing, costs one more.
    assert 3 <= killed <= 5
    assert results(output) == {}


def test_a_node_that_does_not_see_the_files_is_named(cluster: Cluster, frames: Frames, tmp_path: Path):
    # The folder in which a process runs: another one for Ray's workers than for the command.
    here = Path("/proc/self/cwd/frames")
    arguments = ["run", frames.model, here, "--alpha-from", frames.table, "-o", tmp_path / "out"]
    result = command("dni", *arguments, "--ray", cluster.address, cwd=tmp_path)
    assert_refused(f"(127.0.0.1) does not see {here / '0000.png'}; MODEL, the inputs and OUT", result, tmp_path / "out")


def test_a_node_with_another_version_is_named(cluster: Cluster, frames: Frames, tmp_path: Path):
    other = tmp_path / "other" / "dni_deploy-9.9.9.dist-info"
    other.mkdir(parents=True)
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: dni-deploy\nVersion: 9.9.9\n")
    path = os.pathsep.join([str(other.parent), *filter(None, sys.path)])
    with cluster.one_more_node(PYTHONPATH=path):
        result = run(frames, tmp_path / "out", cluster.address)
    message = "(127.0.0.1) has dni-deploy 9.9.9, and this machine 0.1.0; install the same version on both"
    assert_refused(message, result, tmp_path / "out")


def test_more_threads_than_any_node_has(cluster: Cluster, frames: Frames, tmp_path: Path):
    result = run(frames, tmp_path / "out", cluster.address, "--threads", "64")
    message = "no node of the cluster has 64 CPUs for a worker (the largest of 2 has 1 CPUs)"
    assert_refused(message, result, tmp_path / "out")


@pytest.mark.parametrize(("address", "problem"), [
    ("127.0.0.1:{port}", "Connection refused"),
    ("ray://127.0.0.1:10001", "Ray Data does not work over ray://; start dni on a machine of the cluster, with auto"),
    ("somewhere", "expected local, auto or HOST:PORT"),
])  # fmt: skip
def test_no_cluster_at_that_address(frames: Frames, tmp_path: Path, address: str, problem: str):
    address = address.format(port=free_port())
    result = dni(*frames.arguments(tmp_path / "out", "--ray", address))
    assert f"Error: no Ray cluster could be used at {address!r}: " in result.err
    assert problem in result.err
    assert (result.code, result.out) == (1, "")


def test_attempts_are_counted_where_nothing_of_ours_is_imported():
    """The process of the counter would import ONNX Runtime for it: 0.3 seconds and 40 MB."""
    program = (
        "import pickle, sys\n"
        "counter = pickle.loads(bytes.fromhex(sys.argv[1]))()\n"
        "print(*(counter.begin(index) for index in (3, 3, 1)))\n"
        "print(*(name for name in sys.modules if name.startswith('dni_') or name == 'onnxruntime'))\n"
    )
    sent = import_ray_for("auto").cloudpickle.dumps(_counter()).hex()
    assert python(program, sent).assert_ok().out == "1 2 1\n\n"


def test_an_applications_own_log_stays_as_it_is():
    """pytest hangs its handlers up at Ray's loggers too: no test after one of these saw a warning any more."""
    logger, handler = logging.getLogger("ray"), logging.StreamHandler()
    logger.addHandler(handler)
    try:
        import_ray_for("auto")
        levels = [found.level for found in logger.handlers if found is not handler]
        assert handler.level == logging.NOTSET
        assert logging.CRITICAL + 1 in levels  # Ray's own is silent
    finally:
        logger.removeHandler(handler)


def test_local_is_for_this_machine_only_and_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    frames, output = Frames.make(tmp_path, 12, LARGE), tmp_path / "out"
    for name in ENVIRONMENT:
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    process = frames.start(output, "--ray", "local")
    wait_until(lambda: list(output.glob("*.png")))
    everything = family(process.pid)
    assert workers(process.pid)
    addresses = [
        connection.laddr.ip
        for running in everything
        for connection in running.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    ]
    assert addresses
    assert set(addresses) <= {"127.0.0.1", "::1", "::ffff:127.0.0.1"}
    # Ray's two agents first try, for a minute, to tell the others that these are gone.
    agents = [running for running in everything if running.name() in ("ray::DashboardAgent", "ray::RuntimeEnvAgent")]
    process.send_signal(signal.SIGKILL)
    process.wait()
    _, alive = psutil.wait_procs([running for running in everything if running not in agents], timeout=20)
    assert alive == []
    for agent in agents:
        with contextlib.suppress(psutil.NoSuchProcess):
            agent.kill()
    made = [name for name in frames.names if (output / name).exists()]
    assert 0 < len(made) < 12
    again = run(frames, output, "local", "--json").assert_ok()
    assert [entry["output"] for entry in again.json_lines if entry["kept"]] == [str(output / name) for name in made]
    assert again.err.splitlines()[:2] == ["starting Ray", "checking 1 Ray node(s)"]
    assert len(again.err.splitlines()) == 3
    assert_made(frames, output)
    assert ".ray" not in names(tmp_path / "home")  # where Ray would keep a token
