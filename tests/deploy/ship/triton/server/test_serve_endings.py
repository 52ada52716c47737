"""How `dni serve` ends, and servers that end under it: never a process or a file left."""

import json
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest
from onnx_models import picture
from triton_server import Served, alphas, assert_gone, descendants, first_line, infer, serving, start
from waiting import wait_until

from dni_deploy.ship.triton import ShipOptions, ship_triton


def shared_memory(family: list[psutil.Process]) -> list[Path]:
    """What these processes share, and no other server on this machine."""
    maps = [memory.path for process in family for memory in process.memory_maps()]
    return [Path(path) for path in maps if path.startswith("/dev/shm/dni_")]


def running_family(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """tritonserver and its Python backend."""
    family = descendants(process)
    names = {p.name() for p in family}
    assert "tritonserver" in names
    assert any(name.startswith("triton_python") for name in names)
    return family


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_it_and_leaves_nothing(model: Path, temporary: Path, number: int):
    process = start(model, TMPDIR=str(temporary))
    said = first_line(process)
    assert said == "stack is served at\n", said or process.communicate()[1]
    family = running_family(process)
    shared = shared_memory(family)
    assert shared
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err.splitlines()[-1]) == (0, "stopped")
    assert_gone(family)
    assert list(temporary.glob(".dni*")) == []  # ONNX Runtime itself leaves a file .ses
    assert [path for path in shared if path.exists()] == []


def test_a_signal_while_it_starts(model: Path, temporary: Path):
    process = start(model, TMPDIR=str(temporary))
    deadline = time.monotonic() + 30
    while not any(p.name() == "tritonserver" for p in descendants(process)):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    family = descendants(process)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (0, "")
    assert "stopped" in err
    assert_gone(family)
    assert list(temporary.glob(".dni*")) == []  # ONNX Runtime itself leaves a file .ses


def test_a_request_that_runs_is_answered_before_the_stop(model: Path):
    image = picture(1, 2000, 1500, 3)  # seconds of work
    with serving(model) as served, served.client("grpc") as client:
        results: list[object] = []
        inputs = {"image": image, "alpha": alphas(0.5)}
        send_asynchronously(client, served, inputs, results)
        wait_for_execution(served)
        served.process.send_signal(signal.SIGINT)
        served.process.wait(60)
        deadline = time.monotonic() + 10
        while not results and time.monotonic() < deadline:
            time.sleep(0.05)
    (error,) = results
    assert error is None


def send_asynchronously(client: object, served: Served, inputs: dict, results: list) -> None:
    import tritonclient.grpc as grpc

    tensors = [grpc.InferInput("image", inputs["image"].shape, "UINT8"), grpc.InferInput("alpha", [1, 1], "FP32")]
    for tensor, name in zip(tensors, ("image", "alpha"), strict=True):
        tensor.set_data_from_numpy(inputs[name])
    client.async_infer(served.model, tensors, lambda result, error: results.append(error))


def wait_for_execution(served: Served) -> None:
    """Until the Python backend works on the request."""
    (stub,) = [p for p in descendants(served.process) if p.name().startswith("triton_python")]
    before = stub.cpu_times().user
    deadline = time.monotonic() + 20
    while stub.cpu_times().user < before + 0.1:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_server_that_ends_is_started_again(model: Path, temporary: Path):
    process = start(model, "--json", TMPDIR=str(temporary))
    served = Served(json.loads(first_line(process)), process)
    family = running_family(process)
    next(p for p in family if p.name() == "tritonserver").kill()
    wait_until(lambda: answers(served))
    assert_gone(family)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0
    assert err.splitlines()[-2:] == [
        "warning: tritonserver was ended by signal 9; the server is started again",
        "stopped",
    ]
    assert list(temporary.glob("*dni*")) == []  # ONNX Runtime itself leaves a file .ses


def test_a_server_that_ends_in_its_start_is_started_again(model: Path, tmp_path: Path):
    """Once it was ready: a stranger's request may come, and end it, before it has said so again."""
    repository, away = tmp_path / "repository", tmp_path / "away.onnx"
    ship_triton([model], repository, ShipOptions(backend="python"))
    (shipped,) = repository.rglob("*.onnx")
    with serving(repository) as served:
        shipped.rename(away)
        server_of(served.process).kill()
        wait_for_word(served.process, "; it is started again in 1 s")
        away.rename(shipped)
        wait_until(lambda: answers(served))
        shipped.rename(away)
        server_of(served.process).kill()
        wait_for_word(served.process, "; it is started again in 8 s")
        asked = time.monotonic()
    assert time.monotonic() - asked < 6
    assert served.process.returncode == 0


def wait_for_word(process: subprocess.Popen[str], word: str) -> None:
    assert process.stderr is not None
    while word not in (said := process.stderr.readline()):
        assert said


def server_of(process: subprocess.Popen[str]) -> psutil.Process:
    (server,) = [p for p in descendants(process) if p.name() == "tritonserver"]
    return server


def answers(served: Served) -> bool:
    try:
        with served.client("http") as client:
            infer(client, served.model, {"image": picture(1, 8, 8, 3), "alpha": alphas(0.5)})
    except Exception:  # of HTTP, of the connection: it is not there yet
        return False
    return True
