"""The Python backend of a real tritonserver, asked by the real client over HTTP and gRPC."""

import concurrent.futures
import http.client
import json
import shlex
import sys
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from commands import process
from numpy.typing import NDArray
from onnx_models import noise, picture
from triton_reference import GOOD, SIZES, assert_right
from triton_server import PROTOCOLS, Served, alphas, executed, first_line, infer, start
from tritonclient.grpc import service_pb2
from tritonclient.utils import InferenceServerException

import dni_runtime
from dni_deploy.image_files.read_write import read_image, write_image

CLIENTS, REQUESTS = 64, 32


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_a_picture(client: Any, served: Served, local_model: dni_runtime.Model, channels: int):
    tensors = {"image": picture(1, 33, 47, channels), "alpha": alphas(0.3)}
    assert_right(local_model, tensors, infer(client, served.model, tensors))


def test_a_tensor(client: Any, served: Served, local_model: dni_runtime.Model):
    tensors = {"input": noise(1, 3, 20, 24), "alpha": alphas(0.3)}
    assert_right(local_model, tensors, infer(client, served.model, tensors))


def test_several_pictures_of_one_request_have_an_alpha_each(
    client: Any, served: Served, local_model: dni_runtime.Model
):
    tensors = {"image": picture(3, 20, 30, 3), "alpha": alphas(0.1, 0.9, 0.1)}
    assert_right(local_model, tensors, infer(client, served.model, tensors))


def test_a_whole_photograph_is_tiled(client: Any, served: Served, local_model: dni_runtime.Model):
    tensors = {"image": picture(1, 1300, 1100, 3), "alpha": alphas(0.6)}
    assert_right(local_model, tensors, infer(client, served.model, tensors))


def test_the_server_describes_the_model(client: Any, served: Served):
    described = client.get_model_metadata(served.model)
    if not isinstance(described, dict):
        assert [(i.name, i.datatype) for i in described.inputs][:1] == [("image", "UINT8")]
        return
    assert described["inputs"] == [
        {"name": "image", "datatype": "UINT8", "shape": [-1, -1, -1, -1]},
        {"name": "input", "datatype": "FP32", "shape": [-1, 3, -1, -1]},
        {"name": "alpha", "datatype": "FP32", "shape": [-1, 1]},
    ]
    config = client.get_model_config(served.model)
    metadata = json.loads(config["parameters"]["dni"]["string_value"])
    assert metadata["alpha"]["range"] == [0.0, 1.0]


def test_metrics_are_labelled(served: Served):
    _, text = ask(served.told["metrics"], "GET", "/metrics")
    assert 'nv_inference_request_success{_alpha="input",_architecture="ConvStack",_scale="1",model="stack"' in text


def test_many_clients_with_alphas_and_sizes_of_their_own(served: Served, local_model: dni_runtime.Model):
    """Nothing lost, nothing answered with the alpha or the picture of another."""

    def work(number: int) -> int:
        rng = np.random.default_rng(number)
        with served.client(PROTOCOLS[number % 2]) as client:
            for turn in range(REQUESTS):
                height, width = SIZES[rng.integers(len(SIZES))]
                # Half of them share few alphas, and so run together.
                alpha = rng.random() if rng.integers(2) else rng.choice([0.0, 0.5, 1.0])
                tensors: dict[str, Any] = {"alpha": alphas(alpha)}
                if rng.integers(2):
                    tensors["image"] = picture(1, height, width, 3, seed=1000 * number + turn)
                else:
                    tensors["input"] = noise(1, 3, height, width, seed=1000 * number + turn)
                assert_right(local_model, tensors, infer(client, served.model, tensors))
        return REQUESTS

    before = served.statistics()
    with concurrent.futures.ThreadPoolExecutor(CLIENTS) as pool:
        assert sum(pool.map(work, range(CLIENTS))) == CLIENTS * REQUESTS
    after = served.statistics(int(before["inference_count"]) + CLIENTS * REQUESTS)
    assert CLIENTS * REQUESTS <= executed(before, after, "inference_count") < CLIENTS * REQUESTS + 60  # dni serve's own
    assert executed(before, after) < CLIENTS * REQUESTS


BAD: dict[str, tuple[dict[str, NDArray[Any]], str]] = {
    "no alpha": ({"image": GOOD["image"]}, "alpha: missing"),
    "NaN": ({**GOOD, "alpha": alphas(float("nan"))}, "alpha nan is out of range; expected a finite number in 0..1"),
    "out of range": ({**GOOD, "alpha": alphas(1.5)}, "alpha 1.5 is out of range"),
    "alpha's rank": ({**GOOD, "alpha": alphas(0.5)[0]}, "input 'alpha'"),
    "alpha's type": ({**GOOD, "alpha": alphas(0.5).astype(np.float64)}, "input 'alpha' data-type is 'FP64'"),
    "more alphas": ({**GOOD, "alpha": alphas(0.5, 0.6)}, "batch size does not match other inputs"),
    "rank": ({**GOOD, "image": picture(8, 8, 3)}, "input 'image'"),
    "type": ({**GOOD, "image": noise(1, 8, 8, 3)}, "input 'image' data-type is 'FP32'"),
    "no pixels": ({**GOOD, "image": picture(1, 0, 8, 3)}, "image: the tensor has shape [1, 0, 8, 3]"),
    "channels": ({**GOOD, "image": picture(1, 8, 8, 2)}, "image: the image has shape (8, 8, 2)"),
    "no image": ({"alpha": alphas(0.5)}, "image and input: neither was given"),
    "both": ({**GOOD, "input": noise(1, 3, 8, 8)}, "image and input: both were given"),
    "unknown": ({**GOOD, "strength": alphas(0.5)}, "'strength'"),
    "100 megapixels": ({**GOOD, "image": np.zeros((1, 10_000, 10_000, 1), np.uint8)},
                       "image: 1 x 10000 x 10000 pixels are over the limit of 32000000 for a request"),
    "too many pictures": ({"image": picture(9, 8, 8, 3), "alpha": alphas(*[0.5] * 9)}, "batch-size must be <= 8"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_a_bad_request_is_refused_by_name(client: Any, served: Served, local_model: dni_runtime.Model, case: str):
    tensors, message = BAD[case]
    with pytest.raises(InferenceServerException) as caught:
        infer(client, served.model, tensors)
    assert message in caught.value.message()
    assert caught.value.status() in ("400", "StatusCode.INVALID_ARGUMENT")
    assert_right(local_model, GOOD, infer(client, served.model, GOOD))


@pytest.mark.parametrize("length", [0, 5, 191, 193, 5000])
def test_garbage_of_another_length_is_refused(served: Served, length: int):
    data = np.random.default_rng(0).bytes(length)
    head = json.dumps(
        {"inputs": [
            {"name": "image", "shape": [1, 8, 8, 3], "datatype": "UINT8",
             "parameters": {"binary_data_size": length}},
            {"name": "alpha", "shape": [1, 1], "datatype": "FP32", "data": [0.5]},
        ]}
    ).encode()  # fmt: skip
    status, text = post(served, head + data, **{"Inference-Header-Content-Length": str(len(head))})
    assert status == 400
    assert "image" in text


def test_a_body_that_is_no_request_leaves_the_server_up(served: Served, local_model: dni_runtime.Model):
    """Triton itself answers these, with 500 where a body is no JSON."""
    for body in (b"", b"garbage", b"[]", b"{}", b'{"inputs": 3}', b"\x00" * 1000):
        status, _ = post(served, body)
        assert 400 <= status <= 500
    with served.client("http") as client:
        assert_right(local_model, GOOD, infer(client, served.model, GOOD))


def test_garbage_over_grpc_is_refused(served: Served, local_model: dni_runtime.Model):
    request = service_pb2.ModelInferRequest(model_name=served.model)
    request.inputs.add(name="image", datatype="UINT8", shape=[1, 8, 8, 3])
    request.inputs.add(name="alpha", datatype="FP32", shape=[1, 1])
    half = np.float32(0.5).tobytes()
    with grpc.insecure_channel(served.told["grpc"]) as channel:
        send = channel.unary_unary("/inference.GRPCInferenceService/ModelInfer", request_serializer=bytes)
        with pytest.raises(grpc.RpcError):
            send(b"\xff\x00 garbage")
        for length in (0, 191, 193, 5000):
            request.raw_input_contents[:] = [bytes(length), half]
            with pytest.raises(grpc.RpcError) as caught:
                send(request.SerializeToString())
            assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
            assert "image" in caught.value.details()
        request.raw_input_contents[:] = [bytes(192), half[:3]]
        with pytest.raises(grpc.RpcError, match="alpha"):
            send(request.SerializeToString())
    with served.client("grpc") as client:
        assert_right(local_model, GOOD, infer(client, served.model, GOOD))


def post(served: Served, body: bytes, **headers: str) -> tuple[int, str]:
    return ask(served.told["http"], "POST", f"/v2/models/{served.model}/infer", body, headers)


def ask(host: str, method: str, target: str, body: Any = None, headers: Any = None) -> tuple[int, str]:
    """The status and the text that plain HTTP gives."""
    connection = http.client.HTTPConnection(host, timeout=60)
    try:
        connection.request(method, target, body, headers or {})
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


def test_the_client_example_works(served: Served, local_model: dni_runtime.Model, tmp_path: Path):
    image = picture(33, 47, 3)
    write_image(tmp_path / "photo.png", image)
    program = Path(served.told["repository"], "client.py")
    files = [str(tmp_path / "photo.png"), "0.7", str(tmp_path / "result.png")]
    process([sys.executable, str(program), *files, served.told["http"]]).assert_ok()
    np.testing.assert_array_equal(read_image(tmp_path / "result.png"), local_model.enhance(image, 0.7))


def test_the_printed_request_works(path: Path, local_model: dni_runtime.Model):
    running = start(path)
    try:
        lines = [first_line(running)]
        assert running.stdout is not None
        while "curl" not in lines[-1]:
            lines.append(running.stdout.readline())
            assert lines[-1]
        url, body = (shlex.split(lines[-1])[index] for index in (2, 4))
        host, target = url.removeprefix("http://").split("/", 1)
        status, text = ask(host, "POST", f"/{target}", body)
        assert status == 200
        assert lines[0] == "stack is served at\n"
        assert any(f"http://{host}/v2/models/stack" in line for line in lines)
        expected = local_model.enhance(np.full((1, 1, 3), 128, np.uint8), 0.5)
        assert json.loads(text)["outputs"][0]["data"] == expected.ravel().tolist()
    finally:
        running.terminate()
        running.communicate(timeout=60)
