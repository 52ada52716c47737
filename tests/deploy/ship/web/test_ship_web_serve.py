"""`dni ship web --serve`: headers, types, what it refuses, how it stops."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from commands import dni, names
from onnx_models import conv_stack, save
from web_sites import make_site, npm_package, served

TYPES = {
    "": "text/html; charset=utf-8",
    "page/style.css": "text/css; charset=utf-8",
    "page/main.js": "text/javascript; charset=utf-8",
    "dni/ort/ort.wasm.min.mjs": "text/javascript; charset=utf-8",
    "dni/ort/ort-wasm-simd-threaded.wasm": "application/wasm",
    "models/stack.onnx": "application/octet-stream",
    "models/stack.json": "application/json",
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("serve")
    return make_site(folder, save(conv_stack(), folder / "stack.onnx"))


def request(url: str, path: str, method: str = "GET") -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection(url.removeprefix("http://").rstrip("/"), timeout=20)
    connection.request(method, "/" + path)
    response = connection.getresponse()
    response.body = response.read()
    connection.close()
    return response


def test_headers_and_types(site: Path):
    with served("-o", site) as url:
        for path, kind in TYPES.items():
            response = request(url, path)
            assert (response.status, response.headers["Content-Type"]) == (200, kind)
            assert response.body == (site / (path or "index.html")).read_bytes()
            assert response.headers["Cross-Origin-Opener-Policy"] == "same-origin"
            assert response.headers["Cross-Origin-Embedder-Policy"] == "require-corp"
            assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert request(url, "site.json", "HEAD").body == b""


@pytest.mark.parametrize("path", ["models/", "nothing.js", "../stack.onnx", "%2e%2e/stack.onnx"])
def test_nothing_else_is_given_out(site: Path, path: str):
    assert (site.parent / "stack.onnx").exists()
    with served("-o", site) as url:
        response = request(url, path)
        assert response.status == 404
        assert response.headers["Cross-Origin-Embedder-Policy"] == "require-corp"
        assert request(url, "site.json", "POST").status == 501


def start(*arguments: object, **options: object) -> subprocess.Popen[str]:
    command = [str(Path(sys.executable).with_name("dni")), "ship", "web", *map(str, arguments), "--serve"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_it(site: Path, number: int):
    process = start("-o", site, "--port", 0)
    line = process.stdout.readline()
    assert line.startswith("http://127.0.0.1:") and line.endswith("/  Ctrl-C stops the server.\n")
    url = line.split()[0]
    connection = http.client.HTTPConnection(url.removeprefix("http://").rstrip("/"), timeout=20)
    connection.request("GET", "/")
    connection.getresponse().read()  # the connection is kept, and must not hold the server up
    process.send_signal(number)
    out, err = process.communicate(timeout=20)
    connection.close()
    assert (process.returncode, out, err) == (0, "", "stopped\n")


def test_without_a_folder_it_writes_none(site: Path, tmp_path: Path):
    temporary, here = tmp_path / "temporary", tmp_path / "here"
    temporary.mkdir()
    here.mkdir()
    environment = os.environ | {"TMPDIR": str(temporary)}
    model = save(conv_stack(), tmp_path / "stack.onnx")
    ort = npm_package("onnxruntime-web")
    process = start(model, "--ort", ort, "--port", 0, "--json", "--no-webgpu", cwd=here, env=environment)
    told = json.loads(process.stdout.readline())
    assert told["models"] == ["stack"]
    assert request(told["url"], "models/stack.onnx").body == model.read_bytes()
    assert len(list(temporary.glob(".dni-*"))) == 1
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 0
    process.communicate()
    assert (names(here), list(temporary.glob(".dni-*"))) == ([], [])


def test_it_listens_on_loopback_only(site: Path):
    process = start("-o", site, "--port", 0)
    process.stdout.readline()
    addresses = {c.laddr.ip for c in psutil.Process(process.pid).net_connections("tcp") if c.status == "LISTEN"}
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=20)
    assert addresses == {"127.0.0.1"}


def test_addresses_that_cannot_be_used(site: Path, tmp_path: Path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        dni("ship", "web", "-o", site, "--serve", "--port", port).assert_error(
            f"port {port} on 127.0.0.1 cannot be used: Address already in use; choose another with --port"
        )
    dni("ship", "web", "-o", site, "--serve", "--host", "192.0.2.1").assert_error("on 192.0.2.1 cannot be used")
    dni("ship", "web", "-o", tmp_path, "--serve").assert_error("holds no site.json; expected a folder written by")
