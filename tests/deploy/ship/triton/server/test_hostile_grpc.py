"""Garbage and floods at a server and at HAProxy: refused in bounded memory and time; others are answered rightly."""

import collections
import gzip
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import numpy as np
import psutil
import pytest
from onnx_models import conv_stack, picture, save
from triton_cluster import Cluster, cluster
from triton_server import alphas, infer
from triton_traffic import Traffic
from tritonclient.grpc import InferenceServerClient, service_pb2

import dni_runtime

HALF = np.float32(0.5).tobytes()
INFER = "ModelInfer"
SECONDS = 20.0


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(conv_stack(seed=1), tmp_path_factory.mktemp("model") / "stack.onnx")


@pytest.fixture(scope="module")
def running(path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with cluster(path, tmp_path_factory.mktemp("cluster")) as running:
        yield running


@pytest.fixture
def traffic(running: Cluster, path: Path) -> Iterator[Traffic]:
    """Others, who ask through HAProxy meanwhile, of which each answer has to be right."""
    with Traffic(str(running.front), running.front.at(1), clients=2) as traffic:
        traffic.wait_for(5)
        yield traffic
        traffic.wait_for(20)
    assert [str(failure.error) for failure in traffic.failed] == []
    assert traffic.longest_s < SECONDS
    with dni_runtime.load(path, "cpu", threads=1) as model:
        for sent in traffic.answered:
            np.testing.assert_array_equal(sent.answer, model.enhance(sent.image[0], sent.alpha))


def request(size: int = 3) -> service_pb2.ModelInferRequest:
    """For one pixel, with `size` bytes."""
    message = service_pb2.ModelInferRequest(model_name="stack")
    message.inputs.add(name="image", datatype="UINT8", shape=[1, 1, 1, 3])
    message.inputs.add(name="alpha", datatype="FP32", shape=[1, 1])
    message.raw_input_contents.extend([bytes(size), HALF])
    return message


def send(address: str, body: bytes, method: str = INFER, **options: object) -> tuple[str, str]:
    """The status of one call, and what is said."""
    started = time.monotonic()
    with grpc.insecure_channel(address, options=[("grpc.max_send_message_length", -1)]) as channel:
        call = channel.unary_unary(f"/inference.GRPCInferenceService/{method}", request_serializer=bytes)
        try:
            call(body, timeout=SECONDS, **options)
        except grpc.RpcError as error:
            assert time.monotonic() - started < SECONDS
            return error.code().name, error.details()
    return "OK", ""


def both(running: Cluster) -> list[str]:
    """A server itself, and HAProxy in front of it."""
    return [running.members[0].address.at(1), running.front.at(1)]


def test_garbage_over_grpc_is_refused(running: Cluster, traffic: Traffic):
    rng = np.random.default_rng(0)
    whole = np.frombuffer(request().SerializeToString(), np.uint8)
    for address in both(running):
        told = collections.Counter(send(address, rng.bytes(int(rng.integers(1, 3000))))[0] for _ in range(50))
        assert told == {"INTERNAL": 50}
        for _ in range(100):
            changed = whole.copy()
            changed[rng.integers(len(whole), size=2)] = rng.integers(256, size=2)
            assert send(address, changed.tobytes())[0] in ("OK", "INTERNAL", "INVALID_ARGUMENT", "NOT_FOUND")


def test_too_much_of_everything_is_refused(running: Cluster, traffic: Traffic):
    many, twice, types = request(), request(), request()
    many.inputs.extend(service_pb2.ModelInferRequest.InferInputTensor(name=f"i{k}", shape=[1]) for k in range(1000))
    twice.inputs.append(twice.inputs[0])
    types.inputs[0].datatype = "BYTES"
    for address in both(running):
        assert send(address, many.SerializeToString())[0] == "INVALID_ARGUMENT"
        assert send(address, twice.SerializeToString())[0] == "INVALID_ARGUMENT"
        assert send(address, types.SerializeToString())[0] == "INVALID_ARGUMENT"
        assert send(address, request(5).SerializeToString())[0] == "INVALID_ARGUMENT"
        assert send(address, b"", metadata=[("x-a", "y" * 2**20)])[0] in ("RESOURCE_EXHAUSTED", "UNAVAILABLE")


def memory_mib(running: Cluster) -> float:
    servers = [psutil.Process(member.served.told["pid"]) for member in running.members]
    return sum(p.memory_info().rss for server in servers for p in (server, *server.children())) / 2**20


def test_what_has_no_bound_does_not_pass_haproxy(running: Cluster, traffic: Traffic):
    """1 MB that inflates to 1 GB costs Triton 2.5 GB, over either protocol; it takes gRPC messages of 2 GB."""
    address, before = running.front.at(1), memory_mib(running)
    large = request(200 * 2**20).SerializeToString()
    assert send(address, request().SerializeToString(), compression=grpc.Compression.Gzip)[0] == "UNIMPLEMENTED"
    # The second where the answer comes before everything is sent.
    assert send(address, large)[0] in ("UNKNOWN", "CANCELLED")
    assert send(address, b"", method="ModelStreamInfer")[0] == "PERMISSION_DENIED"
    packed = gzip.compress(bytes(2**26), 1)
    for head, body, status in (
        ("Transfer-Encoding: chunked", b"3\r\nabc\r\n0\r\n\r\n", 411),
        ("Transfer-Encoding: chunked\r\nContent-Length: 5", b"0\r\n\r\n", 411),
        ("X-A: no length", b"abc", 411),
        (f"Content-Encoding: gzip\r\nContent-Length: {len(packed)}", packed, 415),
        ("Content-Length: 10000000000", b"abc", 413),
        ("Content-Length: 3\r\nContent-Length: 5", b"abc", 400),
        (f"X-A: {'y' * 20_000}\r\nContent-Length: 3", b"abc", 400),
    ):
        assert ask(str(running.front), head, body).startswith(f"HTTP/1.1 {status} "), head
    assert memory_mib(running) < before + 100


def ask(address: str, head: str, body: bytes) -> str:
    """What comes first in answer to a raw HTTP request."""
    host, port = address.rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=SECONDS) as connection:
        connection.sendall(f"POST /v2/models/stack/infer HTTP/1.1\r\nHost: x\r\n{head}\r\n\r\n".encode() + body)
        return connection.recv(4096).decode()


def test_many_streams_of_one_client_keep_nobody_else_waiting(running: Cluster, traffic: Traffic):
    for address in both(running):
        with grpc.insecure_channel(address) as channel:
            call = channel.unary_unary(f"/inference.GRPCInferenceService/{INFER}", request_serializer=bytes)
            calls = [call.future(b"garbage", timeout=SECONDS) for _ in range(500)]
            assert {one.code().name for one in calls} <= {"INTERNAL", "UNAVAILABLE"}


def test_who_is_right_passes_up_to_the_limit(running: Cluster, path: Path):
    image = picture(1, 1500, 2000, 3)
    with InferenceServerClient(running.front.at(1)) as client, dni_runtime.load(path, "cpu", threads=1) as model:
        result = infer(client, "stack", {"image": image, "alpha": alphas(0.3)}).as_numpy("output_image")
        np.testing.assert_array_equal(result[0], model.enhance(image[0], 0.3))
