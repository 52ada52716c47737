"""What `dni ship web --serve` answers: the regular files of one folder, to whoever names it rightly."""

import sys
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from threading import BoundedSemaphore
from typing import Any
from urllib.parse import urlsplit

from dni_runtime.files.regular_file import why_no_file

from .headers import headers_of

_PATIENCE_S = 30
# A browser opens six at a time.
_LIMIT_CONNECTIONS = 128


class Handler(SimpleHTTPRequestHandler):
    """Files of one folder; types are written here because the system's tables lack or mistake some."""

    protocol_version = "HTTP/1.1"
    timeout = _PATIENCE_S  # of a connection on which nothing happens
    extensions_map = {  # noqa: RUF012  (the base class declares it so)
        **SimpleHTTPRequestHandler.extensions_map,
        ".avif": "image/avif",
        ".css": "text/css; charset=utf-8",
        ".html": "text/html; charset=utf-8",
        ".js": "text/javascript; charset=utf-8",
        ".json": "application/json",
        ".mjs": "text/javascript; charset=utf-8",
        ".onnx": "application/octet-stream",
        ".wasm": "application/wasm",
        ".webp": "image/webp",
    }

    def parse_request(self) -> bool:
        """Refuse a request that is meant for another server, and one with a body: it would be the next request."""
        if not super().parse_request():
            return False
        if not self._is_meant():
            self.send_error(
                HTTPStatus.MISDIRECTED_REQUEST,
                explain="This server answers to localhost and to numbers; for other names, start it with --host.",
            )
            return False
        if "Transfer-Encoding" in self.headers or self.headers.get("Content-Length", "0") != "0":
            self.send_error(HTTPStatus.NOT_IMPLEMENTED, explain="This server only gives out files.")
            return False
        return True

    def translate_path(self, path: str) -> str:
        """The file that is meant, links followed; of the folder, or nothing that exists."""
        root = Path(self.directory).resolve()
        try:
            file = Path(super().translate_path(path)).resolve()
        except (OSError, RuntimeError, ValueError):  # links in a circle, a zero byte, half a character
            return ""
        file = file / "index.html" if file == root else file
        shown = _without_query(path)
        is_file = file.resolve().is_relative_to(root) and why_no_file(file) is None
        return str(file) if is_file and (shown == "/" or not shown.endswith("/")) else ""

    def end_headers(self) -> None:
        for name, value in headers_of(_without_query(getattr(self, "path", ""))).items():
            self.send_header(name, value)
        self.send_header("Cache-Control", "no-cache")  # ask whether it has changed
        super().end_headers()

    def version_string(self) -> str:
        return "dni"

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing of requests."""

    def _is_meant(self) -> bool:
        """Whether the request names this server as one on loopback can be named: localhost, or a number.

        A page from anywhere can give its own name the address 127.0.0.1 after it was loaded, and read what a server
        there gives out (DNS rebinding); the browser still says that name. Beyond loopback there is no telling what
        names are right, and whoever serves there wants to be read.
        """
        address = self.server.server_address
        if not (isinstance(address, tuple) and ip_address(address[0]).is_loopback):
            return True
        given = self.headers.get_all("Host", [])
        try:
            name = urlsplit(f"//{given[0]}").hostname if len(given) == 1 else None
            return name == "localhost" or bool(ip_address(name or ""))
        except ValueError:
            return False


def _without_query(path: str) -> str:
    return path.partition("?")[0].partition("#")[0]


class Server(ThreadingHTTPServer):
    """A thread for each connection, but not for any number of them."""

    request_queue_size = _LIMIT_CONNECTIONS  # that wait to be accepted, which takes no time

    def __init__(self, address: tuple[str, int], site: Path) -> None:
        self._free = BoundedSemaphore(_LIMIT_CONNECTIONS)
        super().__init__(address, partial(Handler, directory=str(site)))

    def process_request(self, request: Any, client_address: Any) -> None:
        if self._free.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of visitors who hang up."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)
