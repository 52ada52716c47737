"""`dni ship web --serve`: a site on this machine, with the headers that give it threads."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import FrameType
from typing import Any

from dni_runtime import InputError

from .site import HEADERS, INDEX, is_site

# A terminal that closes sends the third, which Windows does not know.
_SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


def serve_site(
    site: Path, *, host: str = "127.0.0.1", port: int = 8080, ready: Callable[[str], None] = lambda url: None
) -> None:
    """Serve the folder `site` until SIGINT, SIGTERM or SIGHUP comes. `ready(url)` is called once it can be reached.

    `port` 0 takes a free one. Call it from the main thread. Raises InputError where `site` is none, or the address
    cannot be used.
    """
    if not is_site(site):
        raise InputError(f"{site} holds no {INDEX}; expected a folder written by dni ship web")
    try:
        server = ThreadingHTTPServer((host, port), partial(_Handler, directory=str(site)))
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"port {port} on {host} cannot be used: {reason}; choose another with --port") from None
    with server, _until_signal():
        shown = f"[{host}]" if ":" in host else "127.0.0.1" if host == "0.0.0.0" else host
        ready(f"http://{shown}:{server.server_port}/")
        server.serve_forever(poll_interval=0.1)


class _Handler(SimpleHTTPRequestHandler):
    """Files of one folder; types are written here because the system's tables lack or mistake some."""

    protocol_version = "HTTP/1.1"
    extensions_map = {  # noqa: RUF012  (the base class declares it so)
        **SimpleHTTPRequestHandler.extensions_map,
        ".css": "text/css; charset=utf-8",
        ".html": "text/html; charset=utf-8",
        ".js": "text/javascript; charset=utf-8",
        ".json": "application/json",
        ".mjs": "text/javascript; charset=utf-8",
        ".onnx": "application/octet-stream",
        ".wasm": "application/wasm",
    }

    def end_headers(self) -> None:
        for name, value in HEADERS.items():
            self.send_header(name, value)
        self.send_header("Cache-Control", "no-cache")  # ask whether it has changed
        self.send_header("X-Content-Type-Options", "nosniff")
        super().end_headers()

    def list_directory(self, path: Any) -> None:
        self.send_error(HTTPStatus.NOT_FOUND)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing of requests."""


class _StopError(Exception):
    """A signal asks the server to stop."""


@contextmanager
def _until_signal() -> Iterator[None]:
    """Within, a signal ends the block, which is no error."""

    def stop(number: int, frame: FrameType | None) -> None:
        for each in _SIGNALS:
            signal.signal(each, signal.SIG_IGN)  # the first one is enough
        raise _StopError

    before = {number: signal.signal(number, stop) for number in _SIGNALS}
    try:
        yield
    except _StopError:
        pass
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
