"""Two real tritonservers behind a real HAProxy: nothing is lost when a version or a server changes, and what passes."""

import http.client
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tritonclient.grpc
from numpy.typing import NDArray
from onnx_models import conv_stack, picture, save
from triton_cluster import HOST, OPTIONS, Cluster, cluster
from triton_server import alphas, infer
from triton_traffic import Traffic, assert_right
from tritonclient.http import InferenceServerClient as HttpClient
from tritonclient.utils import InferenceServerException
from waiting import wait_until

import dni_runtime
from dni_deploy.ship.triton import ship_triton


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, dni_runtime.Model]]:
    """The references: version 1, and version 2, which answers otherwise."""
    folder = tmp_path_factory.mktemp("models")
    paths = {str(version): save(conv_stack(seed=version), folder / f"v{version}.onnx") for version in (1, 2)}
    loaded = {version: dni_runtime.load(path, "cpu", threads=1) for version, path in paths.items()}
    yield loaded
    for model in loaded.values():
        model.close()


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Cluster]:
    with cluster(save(conv_stack(seed=1), tmp_path / "stack.onnx"), tmp_path) as running:
        yield running


def test_a_new_version_is_rolled_out_and_no_request_is_lost(
    running: Cluster, models: dict[str, dni_runtime.Model], tmp_path: Path
):
    better = save(conv_stack(seed=2), tmp_path / "better.onnx")
    with running.traffic() as traffic:
        traffic.wait_for(100)
        ship_triton([better], running.repository, OPTIONS, name="stack", version=2)
        traffic.wait_for(50)
        for member in running.members:
            member.load("stack")
            traffic.wait_for(100)
        rolled = time.monotonic()
        traffic.wait_for(200)
    assert [str(failure.error) for failure in traffic.failed] == []
    assert_right(models, traffic.answered)
    assert {sent.version for sent in traffic.answered} == {"1", "2"}
    assert {sent.version for sent in traffic.answered if sent.started > rolled} == {"2"}


def test_a_server_is_drained_and_restarted_and_no_request_is_lost(
    running: Cluster, models: dict[str, dni_runtime.Model], tmp_path: Path
):
    """The other way to a new version, and the way to a new server: for one that has no model control."""
    better = save(conv_stack(seed=2), tmp_path / "better.onnx")
    with running.traffic() as traffic:
        traffic.wait_for(100)
        ship_triton([better], running.repository, OPTIONS, name="stack", version=2)
        for number, member in enumerate(running.members):
            running.ask(f"set server triton_http/triton{number + 1} state drain")
            wait_until(lambda number=number: running.sessions(number) == 0)
            before = running.answered(number)
            traffic.wait_for(50)
            assert running.answered(number) == before
            member.stop()
            member.start()
            member.wait_until_ready()
            running.ask(f"set server triton_http/triton{number + 1} state ready")
            wait_until(lambda number=number: running.is_up(number))
            traffic.wait_for(50)
        rolled = time.monotonic()
        traffic.wait_for(100)
    assert [str(failure.error) for failure in traffic.failed] == []
    assert_right(models, traffic.answered)
    assert {sent.version for sent in traffic.answered if sent.started > rolled} == {"2"}


@pytest.fixture(scope="module")
def idle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster for what does not change it."""
    folder = tmp_path_factory.mktemp("idle")
    with cluster(save(conv_stack(seed=1), folder / "stack.onnx"), folder) as running:
        yield running


def clients(running: Cluster) -> Iterator[Any]:
    with HttpClient(str(running.front), network_timeout=60) as client:
        yield client
    with tritonclient.grpc.InferenceServerClient(running.front.at(1)) as client:
        yield client


def test_what_passes_and_what_does_not(idle: Cluster):
    """Asking does; what would load models or map memory stays with the servers themselves."""
    for client in clients(idle):
        assert client.is_server_live() and client.is_server_ready() and client.is_model_ready("stack", "1")
        client.get_server_metadata()
        client.get_model_metadata("stack")
        client.get_model_config("stack", "1")
        client.get_inference_statistics("stack")
        for forbidden in (
            lambda client=client: client.load_model("stack"),
            lambda client=client: client.unload_model("stack"),
            lambda client=client: client.get_model_repository_index(),
            lambda client=client: client.register_system_shared_memory("x", "/x", 1),
            lambda client=client: client.get_log_settings(),
            lambda client=client: client.get_trace_settings("stack"),
        ):
            with pytest.raises(InferenceServerException) as caught:
                forbidden()
            assert caught.value.status() in ("403", "StatusCode.PERMISSION_DENIED")
    for member in idle.members:
        with HttpClient(str(member.address)) as client:
            assert client.is_model_ready("stack")


def test_a_whole_photograph_passes(idle: Cluster, models: dict[str, dni_runtime.Model]):
    image = picture(1, 2000, 3000, 3)
    wanted = models["1"].enhance(image[0], 0.3)
    for client in clients(idle):
        result = infer(client, "stack", {"image": image, "alpha": alphas(0.3)})
        np.testing.assert_array_equal(result.as_numpy("output_image")[0], wanted)


def test_errors_of_the_servers_pass(idle: Cluster):
    tensors: dict[str, NDArray[Any]] = {"image": picture(1, 8, 8, 3), "alpha": alphas(2.0)}
    for client in clients(idle):
        with pytest.raises(InferenceServerException, match="alpha 2 is out of range") as caught:
            infer(client, "stack", tensors)
        assert caught.value.status() in ("400", "StatusCode.INVALID_ARGUMENT")


def test_a_request_that_no_server_takes_is_refused_by_its_length(idle: Cluster):
    connection = http.client.HTTPConnection(str(idle.front), timeout=10)
    connection.putrequest("POST", "/v2/models/stack/infer")
    connection.putheader("Content-Length", str(10**9))
    connection.endheaders(b"the first bytes")
    response = connection.getresponse()
    assert response.status == 413
    assert b"over the limit of 129048576 bytes (dni ship triton --max-pixels)" in response.read()
    connection.close()


def test_without_a_server_the_client_is_told(idle: Cluster):
    names = [f"triton_http/triton{number}" for number in (1, 2)]
    for name in names:
        idle.ask(f"set server {name} state maint")
    for client in clients(idle):
        with pytest.raises(InferenceServerException) as caught:
            infer(client, "stack", {"image": picture(1, 8, 8, 3), "alpha": alphas(0.5)})
        assert caught.value.status() in ("503", "StatusCode.UNAVAILABLE")
        assert "no server is ready" in caught.value.message() or not isinstance(client, HttpClient)
    for name in names:
        idle.ask(f"set server {name} state ready")
    wait_until(lambda: idle.is_up(0) and idle.is_up(1))


def test_statistics_are_on_loopback_for_people_and_for_prometheus(idle: Cluster):
    connection = http.client.HTTPConnection(HOST, idle.front.port + 2, timeout=10)
    for path, wanted in (
        ("/", "triton_grpc"),
        ("/metrics", 'haproxy_server_status{proxy="triton_http",server="triton2"'),
    ):
        connection.request("GET", path)
        assert wanted in connection.getresponse().read().decode()
    connection.close()


def test_both_servers_take_part(idle: Cluster, models: dict[str, dni_runtime.Model]):
    before = [idle.answered(number) for number in (0, 1)]
    with Traffic(str(idle.front), idle.front.at(1)) as traffic:
        traffic.wait_for(100)
    after = [idle.answered(number) for number in (0, 1)]
    assert_right(models, traffic.sent)
    shares = [b - a for a, b in zip(before, after, strict=True)]
    assert sum(shares) == len(traffic.sent)
    assert min(shares) > 0.2 * sum(shares), shares
