"""Requests that end Triton, or the process of a model, and how they are sent."""

import http.client
import json
from collections.abc import Callable

import grpc
import numpy as np
import pytest
from triton_server import Served
from tritonclient.grpc import service_pb2

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
