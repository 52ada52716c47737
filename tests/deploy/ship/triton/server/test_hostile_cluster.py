"""Of two servers behind HAProxy one loses its model, or is busy for long."""

import concurrent.futures
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from deadly_requests import DEADLY
from onnx_models import conv_stack, picture, save
from triton_cluster import Cluster, cluster
from triton_server import alphas, infer
from waiting import wait_until

import dni_runtime

pytestmark = pytest.mark.alone


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(conv_stack(seed=1), tmp_path_factory.mktemp("model") / "stack.onnx")


@pytest.fixture(scope="module")
def running(path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with cluster(path, tmp_path_factory.mktemp("cluster")) as running:
        yield running


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
