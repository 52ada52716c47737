"""One of two real servers behind HAProxy ends: no more is lost than what it was answering."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from onnx_models import conv_stack, save
from triton_cluster import cluster
from triton_traffic import assert_right
from waiting import wait_until

import dni_runtime

# Of requests that take some milliseconds; the bound that is promised.
LONGEST_S = 2.0

pytestmark = pytest.mark.alone


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(conv_stack(seed=1), tmp_path_factory.mktemp("model") / "stack.onnx")


@pytest.fixture(scope="module")
def models(path: Path) -> Iterator[dict[str, dni_runtime.Model]]:
    """What a right answer is, by the version of the model."""
    with dni_runtime.load(path, "cpu", threads=1) as model:
        yield {"1": model}


def test_a_killed_server_costs_no_more_than_what_it_was_answering(
    path: Path, models: dict[str, dni_runtime.Model], tmp_path: Path
):
    with cluster(path, tmp_path) as running, running.traffic() as traffic:
        first = running.members[0]
        traffic.wait_for(200)
        assert all(int(running.status("triton_http", number)["stot"]) > 0 for number in (0, 1))
        assert all(int(running.status("triton_grpc", number)["stot"]) > 0 for number in (0, 1))
        killed, gone = first.kill()
        traffic.wait_for(200)
        wait_until(lambda: running.status("triton_http", 0)["status"] == "DOWN")
        assert running.status("triton_grpc", 0)["status"].startswith("DOWN")
        first.start()
        first.wait_until_ready()
        wait_until(lambda: running.is_up(0))
        traffic.wait_for(200)
        executed = running.answered(0)
    assert executed > 0
    assert_right(models, traffic.answered)
    for failure in traffic.failed:
        assert failure.started <= gone and failure.ended >= killed, failure
    assert len(traffic.failed) <= traffic.clients
    assert traffic.longest_s < LONGEST_S


def test_a_refused_connection_goes_to_the_other_server(
    path: Path, models: dict[str, dni_runtime.Model], tmp_path: Path
):
    """Before a check has found out: here none ever does."""
    with cluster(path, tmp_path, checked=False) as running:
        running.members[0].kill()
        with running.traffic() as traffic:
            traffic.wait_for(60)
    assert [str(failure.error) for failure in traffic.failed] == []
    assert_right(models, traffic.sent)
    assert traffic.longest_s < LONGEST_S
