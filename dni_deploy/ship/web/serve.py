"""`dni ship web --serve`: a site on this machine, with the headers that give it threads."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from dni_runtime import InputError

from .site import INDEX, is_site

# A terminal that closes sends the third, which Windows does not know.
_SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


def serve_site(
    site: Path, *, host: str = "127.0.0.1", port: int = 8080, ready: Callable[[str], None] = lambda url: None
) -> None:
    """Serve the folder `site` until SIGINT, SIGTERM or SIGHUP comes. `ready(url)` is called once it can be reached.

    It is made to look at a site, not to run one: its regular files are given out, to 128 connections at most, and from
    a loopback address only to browsers that call it localhost, or by a number. `port` 0 takes a free one. Call it from
    the main thread. Raises InputError where `site` is none, or the address cannot be used.
    """
    from .handler import Server  # http.server, and ssl with it, take a tenth of the time of `dni --help` to import

    if not host:  # which would be all addresses of this machine
        raise InputError("the host is empty; expected an address such as 127.0.0.1, or 0.0.0.0 for all")
    if not is_site(site):
        raise InputError(f"{site} holds no {INDEX}; expected a folder written by dni ship web")
    try:
        server = Server((host, port), site)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"port {port} on {host} cannot be used: {reason}; choose another with --port") from None
    with server, _until_signal():
        shown = f"[{host}]" if ":" in host else "127.0.0.1" if host == "0.0.0.0" else host
        ready(f"http://{shown}:{server.server_port}/")
        server.serve_forever(poll_interval=0.1)


class _StopError(BaseException):
    """A signal asks the server to stop; no Exception, which the server would take for a visitor's."""


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
