"""Requests that end Triton, or the process of a model: whoever asks next is answered."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from deadly_requests import ALPHA, DEADLY, post
from numpy.typing import NDArray
from onnx_models import conv_stack, picture, save
from triton_server import Served, descendants, serving
from waiting import wait_until

import dni_runtime

IMAGE = picture(1, 24, 32, 3)


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
