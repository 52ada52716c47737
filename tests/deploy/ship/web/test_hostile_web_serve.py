"""`dni ship web --serve` before strangers, on real sockets: paths, links, names of other servers, slow and many."""

import os
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from commands import dni
from onnx_models import conv_stack, save
from web_sites import make_site, served

from dni_deploy.ship.web import handler
from dni_deploy.ship.web.headers import POLICY

SECRET = b"nobody's business"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site as it is shipped, and what a stranger who gave it away may have put into it."""
    folder = tmp_path_factory.mktemp("serve")
    site = make_site(folder, save(conv_stack(), folder / "stack.onnx"))
    (folder / "secret.txt").write_bytes(SECRET)
    (folder / "site2").mkdir()
    (folder / "site2" / "secret.txt").write_bytes(SECRET)
    (site / "link.txt").symlink_to(folder / "secret.txt")
    (site / "folder").symlink_to(folder)
    (site / "beside").symlink_to(folder / "site2")
    (site / "circle").symlink_to("circle")
    (site / "inside.json").symlink_to("site.json")
    os.mkfifo(site / "pipe")
    (site / "empty").mkdir()
    return site


@pytest.fixture(scope="module")
def port(site: Path) -> Iterator[int]:
    with served("-o", site) as url:
        yield int(url.rstrip("/").rpartition(":")[2])


def ask(port: int, request: str | bytes, *, seconds: float = 10) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and all that follows until the server hangs up, of a request as it is written here."""
    data = request if isinstance(request, bytes) else request.encode("latin-1")
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as connection:
        connection.sendall(data)
        answer = b""
        while part := connection.recv(1 << 16):
            answer += part
    head, _, body = answer.partition(b"\r\n\r\n")
    status, *lines = head.decode("latin-1").split("\r\n")
    return int(status.split()[1]), dict(line.split(": ", 1) for line in lines), body


def get(path: str, *headers: str, host: str = "localhost", method: str = "GET") -> str:
    return "\r\n".join([f"{method} {path} HTTP/1.1", f"Host: {host}", "Connection: close", *headers, "", ""])


OUTSIDE = [
    "/../secret.txt",
    "/../../../../../../../../etc/passwd",
    "/%2e%2e/secret.txt",
    "/..%2fsecret.txt",
    "/%252e%252e/secret.txt",
    "/models/..%5c..%5csecret.txt",
    "/..;/secret.txt",
    "//etc/passwd",
    "/%2fetc%2fpasswd",
    "/%00",
    "/site.json%00.html",
    "/%ff%fe",
    "/%ed%a0%80",
    "/" + "a" * 5000,
    "/" + "a/" * 3000,
    "/link.txt",
    "/folder/secret.txt",
    "/beside/secret.txt",
    "/circle",
    "/pipe",
    "/empty",
    "/empty/",
    "/models",
    "/models/",
    "/site.json/",
    "http://[",
    "http://127.0.0.1/site.json",
    "*",
]


@pytest.mark.parametrize("path", OUTSIDE, ids=lambda path: path[:24])
def test_only_the_sites_own_files_are_given_out(port: int, path: str):
    status, headers, body = ask(port, get(path))
    assert status == 404
    assert SECRET not in body and b"root:" not in body
    assert "Location" not in headers


def test_links_within_the_site_are_followed(port: int, site: Path):
    assert ask(port, get("/inside.json"))[2] == (site / "site.json").read_bytes()
    assert ask(port, get("/models/../site.json?x=/../y#z"))[2] == (site / "site.json").read_bytes()


@pytest.mark.parametrize("host", ["localhost", "localhost:8080", "LOCALHOST", "127.0.0.1:1", "[::1]:80", "192.168.1.9"])
def test_it_answers_to_its_own_names(port: int, host: str):
    assert ask(port, get("/site.json", host=host))[0] == 200


STRANGE_HOSTS = [
    "evil.example",
    "evil.example:8080",
    "localhost.evil.example",
    "127.0.0.1.evil.example",
    "localhost@evil.example",
    "[::1",
    "",
    "localhost\r\nHost: evil.example",
]


@pytest.mark.parametrize("host", STRANGE_HOSTS)
def test_a_page_that_took_the_address_of_this_machine_reads_nothing(port: int, host: str):
    """DNS rebinding: the browser believes that it talks to the page's own server, and says so."""
    status, _, body = ask(port, get("/site.json", host=host))
    assert status == 421
    assert b"This server answers to localhost and to numbers; for other names, start it with --host." in body
    assert b'"format"' not in body
    status, _, _ = ask(port, "GET /site.json HTTP/1.0\r\n\r\n")
    assert status == 421


def test_beyond_loopback_names_are_free(site: Path):
    with served("-o", site, "--host", "0.0.0.0") as url:
        port = int(url.rstrip("/").rpartition(":")[2])
        assert ask(port, get("/site.json", host="models.example"))[0] == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "<script>"])
def test_nothing_can_be_done_but_read(port: int, site: Path, method: str):
    before = sorted(path.name for path in site.rglob("*"))
    status, headers, body = ask(port, get("/site.json", "Content-Length: 4", method=method) + "data")
    assert status == 501
    assert "Access-Control-Allow-Origin" not in headers
    assert b"<script>" not in body
    assert sorted(path.name for path in site.rglob("*")) == before


@pytest.mark.parametrize("length", ["Content-Length: 40", "Transfer-Encoding: chunked", "Content-Length: -1"])
def test_a_body_is_never_taken_for_a_request(port: int, length: str):
    hidden = get("/models/stack.json")
    status, _, body = ask(port, f"GET /site.json HTTP/1.1\r\nHost: localhost\r\n{length}\r\n\r\n{hidden}")
    assert status == 501
    assert body.count(b"HTTP/1.1") == 0


def test_what_is_sent_along(port: int):
    policies = {"/": POLICY, "/index.html": POLICY, "/dni/worker.js": POLICY, "/site.json": None, "/none": None}
    for path, policy in policies.items():
        _, headers, _ = ask(port, get(path))
        assert headers.get("Content-Security-Policy") == policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "Python" not in headers["Server"]
    status, headers, _ = ask(port, get("/x%0d%0aX-Injected:%20yes"))
    assert (status, "X-Injected" in headers) == (404, False)


@pytest.mark.parametrize(
    "garbage", [b"\x16\x03\x01\x02\x00\x01\x00", b"GET\r\n\r\n", b"\x00" * 100, b"GET / HTTP/9.9\r\n\r\n"]
)
def test_what_is_no_request(port: int, garbage: bytes):
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(garbage + b"\r\n\r\n")
        connection.shutdown(socket.SHUT_WR)
        answer = connection.recv(1 << 16)
    assert b" 400 " in answer.split(b"\r\n")[0] or b" 505 " in answer.split(b"\r\n")[0] or b"Error code: 400" in answer
    assert ask(port, get("/site.json"))[0] == 200


@contextmanager
def running(site: Path) -> Iterator[int]:
    """The server in this process, where a test sees what it writes and how many threads it has; gives the port."""
    server = handler.Server(("127.0.0.1", 0), site)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        with server:
            yield server.server_port
    finally:
        server.shutdown()
        thread.join()


def test_visitors_who_hang_up_are_not_told_of(site: Path, capfd: pytest.CaptureFixture[str]):
    with running(site) as port:
        for _ in range(5):
            connection = socket.create_connection(("127.0.0.1", port))
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # a reset, not an end
            connection.sendall(get("/dni/ort/ort-wasm-simd-threaded.wasm").encode())
            connection.recv(10)
            connection.close()
        assert ask(port, get("/site.json"))[0] == 200
        time.sleep(0.2)
    assert capfd.readouterr().err == ""


def test_slow_and_many_visitors_end(site: Path, monkeypatch: pytest.MonkeyPatch):
    """With limits that a test can wait for; those who say nothing are sent away, and make room."""
    monkeypatch.setattr(handler.Handler, "timeout", 1)
    monkeypatch.setattr(handler, "_LIMIT_CONNECTIONS", 8)
    with running(site) as port, ExitStack() as stack:
        before = threading.active_count()
        silent = [stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=10)) for _ in range(40)]
        assert [each.recv(1) for each in silent[8:]] == [b""] * 32
        assert threading.active_count() - before <= 8
        assert [each.recv(1) for each in silent[:8]] == [b""] * 8
        deadline = time.monotonic() + 10
        while threading.active_count() > before and time.monotonic() < deadline:
            time.sleep(0.02)
        assert ask(port, get("/site.json"))[0] == 200


def test_a_host_of_no_characters_is_not_all_of_them(site: Path):
    dni("ship", "web", "-o", site, "--serve", "--host", "").assert_error("the host is empty; expected an address")


@pytest.mark.parametrize("index", ["[" * 100_000, "[]", "null", '{"format": 2}', ""])
def test_what_is_no_site_is_not_served(tmp_path: Path, index: str):
    (tmp_path / "site.json").write_text(index)
    dni("ship", "web", "-o", tmp_path, "--serve").assert_error("holds no site.json; expected a folder written by")


def test_a_pipe_is_no_site(tmp_path: Path):
    os.mkfifo(tmp_path / "site.json")
    dni("ship", "web", "-o", tmp_path, "--serve").assert_error("holds no site.json")
