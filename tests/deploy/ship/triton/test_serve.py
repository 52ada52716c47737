"""`dni serve` from start to end: ready, stopped, dead, refused; never a process or a file left."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from commands import dni
from onnx_models import picture
from triton_server import Served, alphas, assert_gone, descendants, first_line, infer, need_server, serving, start
from tritonclient.utils import InferenceServerException
from waiting import wait_until

from dni_deploy.ship.triton import ShipOptions, ship_triton
from dni_deploy.ship.triton.server import tritonserver
from dni_deploy.ship.triton.server.running import choose_addresses
from dni_deploy.ship.triton.server.tritonserver import find_tritonserver, python_backends, supports
from dni_runtime import DniError, InputError


@pytest.fixture
def temporary(tmp_path: Path) -> Path:
    """What the command uses as TMPDIR."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    return folder


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
    assert first_line(process) == "stack is served at\n"
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
    image = picture(1, 3000, 2000, 3)
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


@pytest.mark.alone
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


def test_a_model_that_does_not_load_is_reported(model: Path):
    """Under NumPy 2 this server's backend reads zeros and sends nothing, and says nothing of it: it must not start."""
    if np.lib.NumpyVersion(np.__version__) < "2.0.0":
        pytest.fail("the tests run with NumPy 2, see constraints.txt")
    program = Path(sys.executable).with_name("dni")
    process = start(model, "--server", need_server(), program=program)
    out, err = process.communicate(timeout=90)
    assert (process.returncode, out) == (1, "")
    assert "was built for another NumPy than 2." in err
    assert "pip install 'numpy<2' into the Python of the server" in err
    assert "Traceback" not in err


def test_a_taken_port_is_reported(model: Path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        for first in (port, port - 1, port - 2):
            with pytest.raises(InputError, match=f"port {port} on 127.0.0.1 cannot be used: .*--port"):
                choose_addresses("127.0.0.1", first)
        process = start(model, "--port", port)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (1, "")
    assert f"Error: port {port} on 127.0.0.1 cannot be used: Address already in use" in err


def test_an_unknown_host_is_reported():
    with pytest.raises(InputError, match=r"on 192\.0\.2\.1 cannot be used"):
        choose_addresses("192.0.2.1", 8000)


def test_it_listens_on_loopback_only(model: Path):
    with serving(model) as served:
        server = psutil.Process(served.told["pid"])
        addresses = {c.laddr.ip for c in server.net_connections("tcp") if c.status == psutil.CONN_LISTEN}
    assert {address.removeprefix("::ffff:") for address in addresses} == {"127.0.0.1"}


def test_several_instances_answer_alike(model: Path):
    import dni_runtime

    image = picture(1, 40, 30, 3)
    with serving(model, "--instances", 2, "--threads", 1) as served, served.client("grpc") as client:
        stubs = [p for p in descendants(served.process) if p.name().startswith("triton_python")]
        results = [infer(client, served.model, {"image": image, "alpha": alphas(0.4)}) for _ in range(4)]
    assert len(stubs) == 2
    with dni_runtime.load(model, "cpu") as reference:
        for result in results:
            np.testing.assert_array_equal(result.as_numpy("output_image")[0], reference.enhance(image[0], 0.4))


def test_a_repository_is_served_as_it_is(model: Path, tmp_path: Path):
    import dni_runtime

    repository = tmp_path / "repo"
    options = ShipOptions(backend="python", warmup=(), max_pixels=100)
    ship_triton([model], repository, options, name="one")
    ship_triton([model], repository, options, name="two", version=3)
    before = sorted(repository.rglob("*.*"))
    with serving(repository) as served, served.client("http") as client:
        assert (served.told["models"], served.told["repository"]) == (["one", "two"], str(repository))
        image = picture(1, 9, 9, 3)
        result = infer(client, "two", {"image": image, "alpha": alphas(0.4)})
        with pytest.raises(InferenceServerException, match="over the limit of 100"):
            infer(client, "one", {"image": picture(1, 11, 11, 3), "alpha": alphas(0.4)})
        with pytest.raises(InferenceServerException, match="not allowed"):
            client.load_model("one")
    assert sorted(repository.rglob("*.*")) == before
    with dni_runtime.load(model, "cpu") as reference:
        np.testing.assert_array_equal(result.as_numpy("output_image")[0], reference.enhance(image[0], 0.4))


def test_a_repository_that_cannot_be_served(model: Path, tmp_path: Path):
    repository = tmp_path / "repo"
    ship_triton([model], repository, ShipOptions(backend="python"))
    dni("serve", repository, "--max-batch", 4).assert_usage("--max-batch is for a MODEL; a repository was shipped with")
    (repository / "stack" / "1" / "model.py").unlink()
    server = ["--server", make_server(tmp_path / "server"), "--port", 0]
    dni("serve", repository, *server).assert_error("cannot be served: stack: version 1: model.py is missing")
    (tmp_path / "empty").mkdir()
    dni("serve", tmp_path / "empty", *server).assert_error("holds no model; expected a folder for each")
    (tmp_path / "with space").mkdir()
    dni("serve", tmp_path / "with space", *server).assert_error("Triton cannot run from a folder with white space")


def test_a_backend_that_the_server_lacks(model: Path):
    process = start(model, "--backend", "onnxruntime")
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "has no onnxruntime backend; expected " in err


def test_white_space_in_the_temporary_folder(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    folder = tmp_path / "with space"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    dni("serve", model).assert_error("set TMPDIR to another one")


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without a server."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(tritonserver, "_CONTAINER", tmp_path / "opt")
    monkeypatch.setattr(tritonserver, "_IN_WHEEL", Path("no_such_package", "tritonserver"))


def make_server(root: Path, stub: bytes | None = None) -> Path:
    program = root / "bin" / "tritonserver"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\necho '  --http-max-input-size <integer>'\n")
    program.chmod(0o755)
    (root / "backends" / "python").mkdir(parents=True)
    if stub is not None:
        (root / "backends" / "python" / "triton_python_backend_stub").write_bytes(stub)
    return program


@pytest.mark.usefixtures("nowhere")
def test_without_a_server_it_says_how_to_get_one(model: Path):
    message = "no tritonserver was found (on PATH, in /opt/tritonserver, in the nvidia-pytriton package)"
    dni("serve", model).assert_error(message)
    with pytest.raises(DniError, match=r'nvcr\.io/nvidia/tritonserver.*pip install nvidia-pytriton "numpy<2"'):
        find_tritonserver()


@pytest.mark.usefixtures("nowhere")
def test_where_it_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    in_environment = tmp_path / "env" / "lib" / "python3.11" / "site-packages" / "no_such_package" / "tritonserver"
    programs = [make_server(root) for root in (tmp_path / "own", in_environment, tmp_path / "opt")]
    assert find_tritonserver().program == programs[2]
    assert find_tritonserver(tmp_path / "own").program == programs[0]
    assert find_tritonserver(programs[0]).backends == tmp_path / "own" / "backends"
    assert find_tritonserver(tmp_path / "env").program == programs[1]
    (tmp_path / "tritonserver").symlink_to(programs[0])  # that folder is PATH
    assert find_tritonserver().backends == tmp_path / "own" / "backends"
    with pytest.raises(InputError, match="holds no tritonserver"):
        find_tritonserver(tmp_path / "backends")
    assert supports(find_tritonserver(), "http-max-input-size")
    assert not supports(find_tritonserver(), "no-such-option")
    assert find_tritonserver().has_backend("python")
    assert not find_tritonserver().has_backend("onnxruntime")


@pytest.mark.usefixtures("nowhere")
def test_the_backend_has_to_run_this_python(tmp_path: Path):
    this = f"{sys.version_info.major}.{sys.version_info.minor}"
    same = find_tritonserver(make_server(tmp_path / "same", f"libpython{this}.so.1.0".encode()))
    assert python_backends(same, tmp_path / "made") == same.backends
    other = find_tritonserver(make_server(tmp_path / "other", b"\x00libpython3.7.so.1.0\x00"))
    with pytest.raises(DniError, match=f"runs Python 3.7, and this is Python {this}: install dni-deploy with that"):
        python_backends(other, tmp_path / "made")
    none = find_tritonserver(make_server(tmp_path / "none"))
    with pytest.raises(DniError, match=f"has no Python backend for Python {this}; expected "):
        python_backends(none, tmp_path / "made")
    os.rmdir(none.backends / "python")
    with pytest.raises(DniError, match="has no Python backend; expected "):
        python_backends(none, tmp_path / "made")
