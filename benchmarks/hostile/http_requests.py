"""Requests over HTTP: what a client's library would never send."""

import copy
import gzip
import itertools
import json
import random
from collections.abc import Iterator
from typing import Any

import numpy as np
from case import Place
from good_request import MODEL, good_body
from mutations import mutate

SHAPES = (
    [1, 4611686018427387904, 0, 3], [4611686018427387904, 0, 0, 0], [0, 0, 0, 0], [1, 0, 0, 3], [1, 16, 16, 0],
    [0, 16, 16, 3],
    [-1, 16, 16, 3], [1, -16, -16, 3], [2**63 - 1, 1, 1, 1], [1, 2**32, 2**32, 3], [1, 2**31, 2**31, 4], [1, 16,
        16, 2**62],
    [768], [], [1, 16, 48], [1, 1, 1, 1, 16, 16, 3], [1] * 200 + [768], [1, 16, 16, 5],
    [1, 1, 256, 3],
    [2, 8, 16, 3], [768, 1, 1, 1], [1, 768, 1, 1], [1, 16, 16, 3.5], [1, "16", 16, 3], [None], [[1, 16, 16, 3]],
    "1,16,16,3", {}, 7,
    [True, 16, 16, 3], [1e30, 1, 1, 1], [2**64, 1, 1, 1],
)  # fmt: skip
# Of 2.4 and 1.6 GB: enough to see who makes room for what is not there.
LARGE = {"image": [1, 20000, 40000, 3], "alpha": [1, 20000, 20000, 1]}
ALPHAS = ("NaN", "Infinity", "-Infinity", "1e999", "-1", "2", "1e38", "null", '"0.5"', "[0.5]", "{}", "true",
    "0.5, 0.5", "",
          "9" * 5000, "-0.0", "1e-320")  # fmt: skip
DATATYPES = ("UINT8", "INT8", "BOOL", "INT16", "UINT16", "INT32", "INT64", "FP16", "FP32", "FP64", "BF16",
    "BYTES", "", "uint8",
             "X" * 10_000, 7, None)  # fmt: skip
PARAMETERS: tuple[dict[str, Any], ...] = (
    {"binary_data_size": -1}, {"binary_data_size": 0}, {"binary_data_size": 2**62}, {"binary_data_size": 10},
    {"binary_data_size": "7"},
    {"shared_memory_region": "nobody", "shared_memory_byte_size": 768}, {"shared_memory_region": "x",
        "shared_memory_byte_size": 2**63 - 1},
    {"shared_memory_region": "../../../etc/passwd", "shared_memory_byte_size": 16, "shared_memory_offset": -1},
    {"x": "y" * 100_000},
)  # fmt: skip
TOP: tuple[dict[str, Any], ...] = (
    {"id": "\x1b[2J\n"}, {"id": "x" * 1_000_000}, {"id": 7}, {"parameters": {"sequence_id": 2**63}},
        {"parameters": {"priority": -1}},
    {"parameters": {"timeout": -1}}, {"parameters": {"binary_data_output": True}}, {"parameters": 7}, {"outputs": []},
    {"outputs": [{"name": "nobody"}]}, {"outputs": [{"name": "output_image", "parameters": {"classification": 10**9}}]},
    {"outputs": [{"name": "output_image"}] * 1000}, {"outputs": "x"}, {"inputs": []}, {"inputs": None}, {"inputs": {}},
)  # fmt: skip


def http_requests(seed: int, count: int, image: np.ndarray, place: Place) -> Iterator[tuple[str, str, bytes]]:
    """`count` of (family, name, bytes): the listed ones spread over it, and mutations of a good one for the rest."""
    listed = list(itertools.chain(_tensors(image), _bodies(image), _lines(image), _places(place)))
    if count < len(listed):
        yield from listed[:: len(listed) // count + 1]
        return
    yield from listed
    good = _post(f"/v2/models/{MODEL}/infer", json.dumps(good_body(image)).encode())
    for number in range(count - len(listed)):
        yield "mutations", f"mutation {number}", mutate(good, random.Random(f"{seed}/http/{number}"))


def _post(path: str, body: bytes, *headers: str, method: str = "POST") -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", "Connection: close", *headers]
    if not any(line.lower().startswith(("content-length", "transfer-encoding")) for line in headers):
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def _infer(body: Any, *headers: str) -> bytes:
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    return _post(f"/v2/models/{MODEL}/infer", text, *headers)


def _tensors(image: np.ndarray) -> Iterator[tuple[str, str, bytes]]:
    good = good_body(image)
    for which, name in enumerate(("image", "alpha")):
        for shape in (*SHAPES, LARGE[name]):
            for data in ("its own", []):
                body = copy.deepcopy(good)
                body["inputs"][which] |= {"shape": shape} | ({} if data else {"data": []})
                yield "shapes", f"{name} {shape!s:.60}, data {data!s}", _infer(body)
        for datatype in DATATYPES:
            body = copy.deepcopy(good)
            body["inputs"][which]["datatype"] = datatype
            yield "types", f"{name} as {datatype!s:.20}", _infer(body)
        for parameters in PARAMETERS:
            body = copy.deepcopy(good)
            body["inputs"][which]["parameters"] = parameters
            yield "parameters", f"{name}: {parameters!s:.80}", _infer(body)
        for data in (
            [],
            [256] * 768,
            [-1] * 768,
            [1.5] * 768,
            ["x"] * 768,
            [[[[]]]],
            "x",
            None,
            [1] * 769,
            [1] * 767,
            [2**70],
        ):
            body = copy.deepcopy(good)
            body["inputs"][which]["data"] = data
            yield "data", f"{name}: {data!s:.40}", _infer(body)
    for alpha in ALPHAS:
        yield "alpha", alpha[:20], _infer(json.dumps(good).replace('"data": [0.5]', f'"data": [{alpha}]').encode())


def _bodies(image: np.ndarray) -> Iterator[tuple[str, str, bytes]]:
    good = good_body(image)
    for more in TOP:
        yield "bodies", f"{more!s:.60}", _infer(good | more)
    for missing in ("name", "shape", "datatype", "data"):
        body = copy.deepcopy(good)
        del body["inputs"][0][missing]
        yield "bodies", f"without {missing}", _infer(body)
    for name in ("", "nobody", "\x1b[2J", "alpha", "image\0", "x" * 100_000, "../x", 7, None):
        body = copy.deepcopy(good)
        body["inputs"][0]["name"] = name
        yield "bodies", f"image is called {name!s:.20}", _infer(body)
    for name, text in (
        ("empty", b""), ("no JSON", b"{"), ("a list", b"[]"), ("100,000 deep", b"[" * 100_000),
            ("nested objects", b'{"a":' * 50_000),
        ("bytes", bytes(range(256))), ("10 MB of spaces", b" " * 10_000_000), ("twice the same input", json.dumps(
            {"inputs": good["inputs"] * 2}).encode()), ("1,000 inputs",
            json.dumps({"inputs": good["inputs"] * 500}).encode()),
        ("half a string", b'{"inputs": "'), ("surrogates", b'{"id": "\\ud800"}'), ("a huge number",
            b'{"id": 1' + b"0" * 100_000 + b"}"),
    ):  # fmt: skip
        yield "bodies", name, _infer(text)


def _lines(image: np.ndarray) -> Iterator[tuple[str, str, bytes]]:
    body = json.dumps(good_body(image)).encode()
    for length in ("-1", "0", "1", "99999999", "18446744073709551616", "x", "", "0x10"):
        yield "headers", f"header length {length}", _infer(body, f"Inference-Header-Content-Length: {length}")
    for length in ("-1", "5", "99999999999", "18446744073709551616", "x", "0x10", "5\r\nContent-Length: 50"):
        yield "headers", f"content length {length!r}", _infer(body, f"Content-Length: {length}")
    for coding, data in (("gzip", body), ("gzip", gzip.compress(bytes(300_000_000), 1)), ("deflate",
        b"\0" * 50), ("x", body),
                         ("gzip, gzip, gzip", gzip.compress(body)), ("gzip", gzip.compress(body)[:50])):  # fmt: skip
        yield "headers", f"{coding}, {len(data)} bytes", _infer(data, f"Content-Encoding: {coding}")
    yield "headers", "chunks that lie", _infer(b"ffffffff\r\nx", "Transfer-Encoding: chunked")
    yield "headers", "a header of 1 MB", _infer(body, f"X: {'x' * 1_000_000}")
    yield "headers", "10,000 headers", _infer(body, *[f"X{number}: y" for number in range(10_000)])
    for name, data in (
        ("no HTTP", b"hello\r\n\r\n"),
        ("HTTP/9", b"GET / HTTP/9.9\r\n\r\n"),
        ("TLS", b"\x16\3\1\2\0\1\0\1\xfc\3\3" + bytes(300)),
        ("half a line", b"POST /v2/mod"),
        ("zeros", bytes(10_000)),
        ("gRPC's", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9)),
    ):
        yield "headers", name, data
    for method in ("GET", "PUT", "DELETE", "TRACE", "CONNECT", "X" * 5000):
        yield "headers", f"method {method[:10]}", _post(f"/v2/models/{MODEL}/infer", body, method=method)


def _places(place: Place) -> Iterator[tuple[str, str, bytes]]:
    """Paths, and the parts of the server that could read or write files."""
    for path in (
        "/",
        "/v2",
        "/v2/models/nobody/infer",
        f"/v2/models/{MODEL}/versions/99999999999999999999/infer",
        "/v2/models//infer",
        f"/v2/models/{MODEL}/versions/-1/infer",
        "/v2/models/..%2f..%2f..%2fetc%2fpasswd/infer",
        "/../../../../etc/passwd",
        f"/v2/models/{MODEL}/../../../x",
        "/v2/models/%00/infer",
        "/v2/models/" + "x" * 60_000,
        "/%s%n%x",
        "/\x1b[2J",
    ):
        yield "paths", path[:60], _post(path, b"{}")
    bait = str(place.baits[0])
    for path, body in (
        (f"/v2/repository/models/{MODEL}/unload", {}), ("/v2/repository/models/evil/load",
            {"parameters": {"config": "{}"}}),
        (f"/v2/repository/models/{MODEL}/load", {"parameters": {"config": json.dumps({"backend": "python"}),
            "file:1/model.py": "eA=="}}),
        ("/v2/repository/models/..%2f..%2fx/load", {}), ("/v2/logging", {"log_file": bait}), ("/v2/logging",
            {"log_file": "../x"}),
        ("/v2/trace/setting", {"trace_file": bait, "trace_level": ["TIMESTAMPS"], "trace_rate": "1"}),
        (f"/v2/models/{MODEL}/trace/setting", {"trace_file": bait, "log_frequency": "1"}),
        ("/v2/systemsharedmemory/region/a/register", {"key": "/../.." + bait, "offset": 0, "byte_size": 64}),
        ("/v2/systemsharedmemory/region/b/register", {"key": "/nobody", "offset": 2**63, "byte_size": 2**63}),
        ("/v2/systemsharedmemory/region/c/register", {"key": "", "offset": -1, "byte_size": -1}),
        ("/v2/cudasharedmemory/region/d/register", {"raw_handle": {"b64": "eA=="}, "device_id": -1,
            "byte_size": 2**62}),
        ("/v2/systemsharedmemory/unregister", {}),
    ):  # fmt: skip
        yield "files and models", f"{path[:60]} {body!s:.40}", _post(path, json.dumps(body).encode())
