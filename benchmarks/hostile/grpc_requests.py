"""Requests over gRPC: messages that no client's library would build, and bytes that are no messages."""

import itertools
import random
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import numpy as np
from answers import BY_TRITON, LIMIT_S, NOT_ALLOWED, Answered
from case import Place
from good_request import MODEL
from http_requests import DATATYPES, LARGE, SHAPES
from mutations import mutate
from outcome import HANG, REFUSED, RIGHT, TRACEBACK
from tritonclient.grpc import service_pb2

_SERVICE = "/inference.GRPCInferenceService/"
# These are the sender's fault, by the words of gRPC; the others are the server's.
_REFUSALS = {grpc.StatusCode[name] for name in (
    "INVALID_ARGUMENT", "NOT_FOUND", "UNIMPLEMENTED", "OUT_OF_RANGE", "FAILED_PRECONDITION", "ALREADY_EXISTS",
    "PERMISSION_DENIED", "RESOURCE_EXHAUSTED")}  # fmt: skip
# What gRPC's own library says of bytes that are no message.
_UNREADABLE = ("parse", "deserial", "Empty update", "stream removed", "RST_STREAM", "malformed", "invalid")

Request = tuple[str, bytes]


def grpc_requests(seed: int, count: int, image: np.ndarray, place: Place) -> Iterator[tuple[str, str, Request]]:
    """`count` of (family, name, (method, bytes)): the listed ones, and mutations of a good one for the rest."""
    listed = list(itertools.chain(_tensors(image), _messages(image), _others(place)))
    if count < len(listed):
        yield from listed[:: len(listed) // count + 1]
        return
    yield from listed
    data = _good(image).SerializeToString()
    for number in range(count - len(listed)):
        yield "mutations", f"mutation {number}", ("ModelInfer", mutate(data, random.Random(f"{seed}/grpc/{number}")))


def send_grpc(address: str, request: Request) -> Answered:
    method, data = request
    options = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]
    with grpc.insecure_channel(address, options) as channel:
        try:
            if method == "ModelStreamInfer":
                send = channel.stream_stream(_SERVICE + method, request_serializer=None, response_deserializer=None)
                for answer in send(iter([data]), timeout=LIMIT_S):
                    said = service_pb2.ModelStreamInferResponse.FromString(answer).error_message
                    return Answered(REFUSED, said) if said else Answered(RIGHT, "streamed")
                return Answered(RIGHT, "an empty stream")
            send = channel.unary_unary(_SERVICE + method, request_serializer=None, response_deserializer=None)
            send(data, timeout=LIMIT_S)
            return Answered(RIGHT, "OK")
        except grpc.RpcError as error:
            return _judge(error)


def _judge(error: Any) -> Answered:
    code, said = error.code(), f"{error.code().name} {error.details()}"
    if code == grpc.StatusCode.DEADLINE_EXCEEDED:
        return Answered(HANG, said)
    if (
        code in _REFUSALS
        or NOT_ALLOWED in said
        or (code == grpc.StatusCode.INTERNAL and any(word in said for word in (*_UNREADABLE, *BY_TRITON)))
    ):
        return Answered(REFUSED, said)
    return Answered(TRACEBACK, said)


def _good(image: np.ndarray) -> Any:
    request = service_pb2.ModelInferRequest(model_name=MODEL)
    request.inputs.add(name="image", datatype="UINT8", shape=list(image.shape))
    request.inputs.add(name="alpha", datatype="FP32", shape=[1, 1])
    request.raw_input_contents.extend([image.tobytes(), np.array([0.5], np.float32).tobytes()])
    return request


def _changed(image: np.ndarray, change: Callable[[Any], None]) -> Request:
    request = _good(image)
    change(request)
    return "ModelInfer", request.SerializeToString()


def _tensors(image: np.ndarray) -> Iterator[tuple[str, str, Request]]:
    shapes = [s for s in SHAPES if isinstance(s, list) and all(type(n) is int and n < 2**63 for n in s)]
    for which, name in enumerate(("image", "alpha")):
        for shape, empty in itertools.product([*shapes, LARGE[name]], (False, True)):

            def reshape(request: Any, which: int = which, shape: list[int] = shape, empty: bool = empty) -> None:
                del request.inputs[which].shape[:]
                request.inputs[which].shape.extend(shape)
                if empty:
                    request.raw_input_contents[which] = b""

            yield "shapes", f"{name} {shape!s:.60}{', no data' * empty}", _changed(image, reshape)
        for datatype in filter(lambda d: isinstance(d, str), DATATYPES):

            def retype(request: Any, which: int = which, datatype: Any = datatype) -> None:
                request.inputs[which].datatype = datatype

            yield "types", f"{name} as {datatype:.20}", _changed(image, retype)
        for length in (0, 1, 3, 4, 767, 769, 5_000_000):

            def resize(request: Any, which: int = which, length: int = length) -> None:
                request.raw_input_contents[which] = bytes(length)

            yield "data", f"{name} of {length} bytes", _changed(image, resize)
        for field in ("bool_contents", "int_contents", "uint_contents", "fp32_contents", "bytes_contents"):

            def fill(request: Any, which: int = which, field: str = field, raw: bool = False) -> None:
                del request.raw_input_contents[:]
                getattr(request.inputs[which].contents, field).extend(
                    [b"x"] if field.startswith("bytes") else [1] * 768
                )

            yield "data", f"{name} in {field}", _changed(image, fill)
    for bits in (
        0x7FC00000,
        0x7F800000,
        0xFF800000,
        0x40000000,
        0xBF800000,
        0x80000000,
        0x00000001,
        0x7F7FFFFF,
        0x7F800001,
    ):

        def set_alpha(request: Any, bits: int = bits) -> None:
            request.raw_input_contents[1] = bits.to_bytes(4, "little")

        yield "alpha", f"{bits:#x}", _changed(image, set_alpha)


def _set(holder: Any, parameter: str, **value: Any) -> None:
    for name, content in value.items():
        setattr(holder.parameters[parameter], name, content)


def _messages(image: np.ndarray) -> Iterator[tuple[str, str, Request]]:
    changes: dict[str, Callable[[Any], Any]] = {
        "no inputs": lambda r: r.ClearField("inputs"), "no raw contents": lambda r: r.ClearField("raw_input_contents"),
        "one raw content": lambda r: r.raw_input_contents.pop(),
        "a third raw content": lambda r: r.raw_input_contents.append(b"x"),
        "twice the same": lambda r: r.inputs.append(r.inputs[0]),
        "10,000 inputs": lambda r: [r.inputs.add(name="x") for _ in range(10_000)],
        "an unknown input": lambda r: r.inputs.add(name="nobody"), "no name": lambda r: setattr(r.inputs[0],
            "name", ""),
        "escapes in a name": lambda r: setattr(r.inputs[0], "name", "\x1b[2J\n"),
            "an id of 1 MB": lambda r: setattr(r, "id", "x" * 1_000_000),
        "an id with escapes": lambda r: setattr(r, "id", "\x1b[2J\n"), "a path as model": lambda r: setattr(r,
            "model_name", "../../etc"),
        "no model": lambda r: setattr(r, "model_name", ""), "version -1": lambda r: setattr(r, "model_version", "-1"),
        "version 9...": lambda r: setattr(r, "model_version", "9" * 400),
        "an unknown output": lambda r: r.outputs.add(name="nobody"),
        "1,000 outputs": lambda r: [r.outputs.add(name="output_image") for _ in range(1000)],
        "classification": lambda r: _set(r.outputs.add(name="output_image"), "classification", int64_param=2**62),
        "shared memory": lambda r: r.inputs[0].parameters["shared_memory_region"].__setattr__("string_param",
            "../../etc/passwd"),
        "sequence": lambda r: _set(r, "sequence_id", int64_param=-1),
        "timeout": lambda r: _set(r, "timeout", int64_param=-1),
        "priority": lambda r: _set(r, "priority", uint64_param=2**63),
        "a parameter of 10 MB": lambda r: _set(r, "x", string_param="x" * 10_000_000),
    }  # fmt: skip
    for name, change in changes.items():
        yield "messages", name, _changed(image, change)
        yield "messages", f"{name}, streamed", ("ModelStreamInfer", _changed(image, change)[1])
    for name, data in (
        ("empty", b""),
        ("zeros", bytes(1000)),
        ("ones", b"\xff" * 1000),
        ("a length of 2 GB", b"\x0a\xff\xff\xff\xff\x07"),
        ("100,000 groups", b"\x0b" * 100_000),
        ("5 MB", b"\x0a\x05hello" * 700_000),
        ("no UTF-8", b"\x0a\x03\xff\xfe\xfd"),
    ):
        yield "messages", name, ("ModelInfer", data)
        yield "messages", f"{name}, streamed", ("ModelStreamInfer", data)


def _others(place: Place) -> Iterator[tuple[str, str, Request]]:
    bait = str(place.baits[0])
    pb = service_pb2
    for method, request in (
        ("RepositoryModelLoad", pb.RepositoryModelLoadRequest(model_name="../../x")),
        ("RepositoryModelUnload", pb.RepositoryModelUnloadRequest(model_name=MODEL)),
        ("ModelMetadata", pb.ModelMetadataRequest(name="../../x")), ("ModelConfig",
            pb.ModelConfigRequest(name="x" * 100_000)),
        ("ModelStatistics", pb.ModelStatisticsRequest(name="\x1b[2J")),
        ("SystemSharedMemoryRegister", pb.SystemSharedMemoryRegisterRequest(name="a", key="/../.." + bait,
            byte_size=64)),
        ("SystemSharedMemoryRegister", pb.SystemSharedMemoryRegisterRequest(name="b", key="/x", offset=2**63,
            byte_size=2**63)),
        ("CudaSharedMemoryRegister", pb.CudaSharedMemoryRegisterRequest(name="c", raw_handle=b"x", device_id=-1,
            byte_size=2**62)),
    ):  # fmt: skip
        yield "files and models", f"{method} {request!s:.40}", (method, request.SerializeToString())
    settings = pb.LogSettingsRequest()
    settings.settings["log_file"].string_param = bait
    yield "files and models", "LogSettings", ("LogSettings", settings.SerializeToString())
    trace = pb.TraceSettingRequest()
    trace.settings["trace_file"].value.append(bait)
    yield "files and models", "TraceSetting", ("TraceSetting", trace.SerializeToString())
    yield "files and models", "no such method", ("Nobody", b"")
