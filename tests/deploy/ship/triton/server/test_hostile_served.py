"""Requests that end Triton, or the process of a model: whoever asks next is answered, by this server or another one."""

import concurrent.futures
import http.client
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import psutil
import pytest
from numpy.typing import NDArray
from onnx_models import conv_stack, picture, save
from triton_cluster import Cluster, cluster
from triton_server import Served, alphas, descendants, infer, serving
from tritonclient.grpc import service_pb2
from waiting import wait_until

import dni_runtime

IMAGE = picture(1, 24, 32, 3)
ALPHA = {"name": "alpha", "shape": [1, 1], "datatype": "FP32", "data": [0.5]}


def post(address: str, body: str, model: str = "stack") -> tuple[int, str]:
    """Status and text; 0 where the server ended."""
    connection = http.client.HTTPConnection(address, timeout=20)
    try:
        connection.request("POST", f"/v2/models/{model}/infer", body)
        response = connection.getresponse()
        return response.status, response.read().decode()
    except (OSError, http.client.HTTPException):
        return 0, ""
    finally:
        connection.close()


def image_of(*shape: int) -> str:
    return json.dumps({"inputs": [{"name": "image", "shape": shape, "datatype": "UINT8", "data": []}, ALPHA]})


def send_over_grpc(address: str, *shape: int) -> None:
    request = service_pb2.ModelInferRequest(model_name="stack")
    request.inputs.add(name="image", datatype="UINT8", shape=shape)
    request.inputs.add(name="alpha", datatype="FP32", shape=[1, 1])
    request.raw_input_contents.extend([b"", np.float32(0.5).tobytes()])
    with grpc.insecure_channel(address) as channel:
        send = channel.unary_unary("/inference.GRPCInferenceService/ModelInfer", request_serializer=bytes)
        with pytest.raises(grpc.RpcError):
            send(request.SerializeToString(), timeout=20)


# Each ends the process of the model (NumPy takes no such shape, however little is in it), or Triton as a whole.
DEADLY: dict[str, Callable[[Served], object]] = {
    "a size of nothing": lambda served: post(served.told["http"], image_of(1, 2**62, 0, 3)),
    "a size that overflows, over gRPC": lambda served: send_over_grpc(served.told["grpc"], 1, 2**32, 2**32, 1),
    "a batch that overflows": lambda served: post(served.told["http"], image_of(2**62, 1, 1, 3)),
    "depth": lambda served: post(served.told["http"], "[" * 10**6),
}


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(conv_stack(seed=1), tmp_path_factory.mktemp("model") / "stack.onnx")


@pytest.fixture(scope="module")
def wanted(path: Path) -> NDArray[Any]:
    with dni_runtime.load(path, "cpu", threads=1) as model:
        return model.enhance(IMAGE[0], 0.3)


def answer(address: str) -> NDArray[Any] | None:
    tensors = [{"name": "image", "shape": IMAGE.shape, "datatype": "UINT8", "data": IMAGE.ravel().tolist()},
               {**ALPHA, "data": [0.3]}]  # fmt: skip
    status, text = post(address, json.dumps({"inputs": tensors}))
    return (
        np.array(json.loads(text)["outputs"][0]["data"], np.uint8).reshape(IMAGE.shape[1:]) if status == 200 else None
    )


def server_of(served: Served) -> psutil.Process:
    (server,) = [p for p in descendants(served.process) if p.name() == "tritonserver"]
    return server


def shared_memory(server: psutil.Process) -> list[Path]:
    """Of the Python backend."""
    return [Path(found.path) for found in server.memory_maps() if found.path.startswith("/dev/shm/dni_")]


@pytest.mark.parametrize("case", DEADLY)
def test_a_deadly_request_costs_a_start_and_no_more(served: Served, wanted: NDArray[Any], case: str):
    address = served.told["http"]
    wait_until(lambda: answer(address) is not None)
    server = server_of(served)
    memory = shared_memory(server)
    DEADLY[case](served)
    wait_until(lambda: not server.is_running() or server.status() == psutil.STATUS_ZOMBIE)
    wait_until(lambda: answer(address) is not None)
    np.testing.assert_array_equal(answer(address), wanted)
    assert server_of(served) != server
    assert memory and not [region for region in memory if region.exists()]


def test_one_instance_of_several_is_missed(path: Path, wanted: NDArray[Any]):
    """Also where a cache could answer a question that has been asked before."""
    with serving(path, "--instances", 2, "--threads", 1, "--response-cache") as served:
        server = server_of(served)
        next(p for p in descendants(served.process) if p.name().startswith("triton_python")).kill()
        wait_until(lambda: not server.is_running() or server.status() == psutil.STATUS_ZOMBIE, timeout_s=60)
        wait_until(lambda: answer(served.told["http"]) is not None)
        for _ in range(8):
            np.testing.assert_array_equal(answer(served.told["http"]), wanted)


@pytest.fixture(scope="module")
def running(path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with cluster(path, tmp_path_factory.mktemp("cluster")) as running:
        yield running


@pytest.mark.alone
def test_a_server_that_lost_its_model_gets_nothing_until_it_answers(running: Cluster, path: Path):
    """Triton itself goes on to say that it is ready, and would answer each request with an error."""
    first = running.members[0]
    with running.traffic() as traffic:
        traffic.wait_for(100)
        killed = time.monotonic()
        DEADLY["a size of nothing"](first.served)
        wait_until(lambda: not running.is_up(0))
        noticed = time.monotonic()
        assert running.status("triton_grpc", 0)["status"].startswith("DOWN")
        wait_until(lambda: running.is_up(0))
        before = running.answered(0)
        traffic.wait_for(100)
    assert running.answered(0) > before
    assert noticed - killed < 15
    assert all(killed - 1 < failure.ended and failure.started < noticed for failure in traffic.failed)
    with dni_runtime.load(path, "cpu", threads=1) as model:
        for sent in traffic.answered:
            np.testing.assert_array_equal(sent.answer, model.enhance(sent.image[0], sent.alpha))


@pytest.mark.alone
def test_a_server_that_is_busy_for_long_is_asked_in_its_turn(running: Cluster):
    """For longer than a check of readiness may take, and than it takes to be taken out."""
    photographs = {"image": picture(1, 2000, 3000, 3), "alpha": alphas(0.5)}
    before = [running.status(backend, 0)["chkdown"] for backend in ("triton_http", "answers")]

    end = time.monotonic() + 6

    def send(_: int) -> None:
        with running.members[0].served.client("grpc") as client:
            while time.monotonic() < end:
                infer(client, "stack", photographs)

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        list(pool.map(send, range(2)))
    assert [running.status(backend, 0)["chkdown"] for backend in ("triton_http", "answers")] == before
