"""A Ray cluster, or a local one of our own: connected to, quietly."""

import contextlib
import logging
import os
import secrets
import socket
import sys
import warnings
from collections.abc import Iterator
from types import ModuleType
from typing import Any

from dni_deploy.extras import import_ray
from dni_runtime import DniError

LOCAL = "local"

_CONNECT_TIMEOUT_S = 5.0
# Only numbers and short texts travel through Ray: images stay in files.
_LOCAL_STORE_BYTES = 100 * 2**20


def import_ray_for(address: str) -> ModuleType:
    """Ray, made ready for `address`, see `connected`; it keeps its remarks to its log files.

    Raises DniError where it is not installed.
    """
    # All of it is read when Ray is imported, and by the processes that it starts.
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    if address == LOCAL:
        # Without a "cluster" of several machines Ray stays on loopback addresses, on every system.
        os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
        # Other users of this machine are kept out by a token; Ray would write one into the home folder.
        os.environ.setdefault("RAY_AUTH_MODE", "token")
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ray = import_ray()
    for name in ("ray", "ray.data"):
        for handler in logging.getLogger(name).handlers:
            # Ray's own: an application may have hung up others, to which it writes its own records as well.
            rays = type(handler).__module__.partition(".")[0] == "ray"
            if rays and isinstance(handler, logging.StreamHandler) and not isinstance(handler, logging.FileHandler):
                handler.setLevel(logging.CRITICAL + 1)
    return ray


@contextlib.contextmanager
def connected(ray: ModuleType, address: str) -> Iterator[None]:
    """Be connected to the cluster at `address`: local (started and stopped here, reachable from this machine only),
    auto or host:port, both from a machine of the cluster.

    Raises DniError where no cluster answers.
    """
    with warnings.catch_warnings(), _silent_natives():
        warnings.simplefilter("ignore")
        try:
            _connect(ray, address)
        except Exception as error:  # Ray's errors here are of many kinds
            ray.shutdown()
            hint = (
                ""
                if address == LOCAL or isinstance(error, ValueError)
                else "; one with tokens needs RAY_AUTH_MODE=token and the token here, too"
            )
            raise DniError(f"no Ray cluster could be used at {address!r}: {first_line(error)}{hint}") from None
        try:
            yield
        finally:
            ray.shutdown()


@contextlib.contextmanager
def _silent_natives() -> Iterator[None]:
    """Keep what Ray's C++ parts write to file descriptor 2, past Python's logging, off the terminal."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _connect(ray: ModuleType, address: str) -> None:
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.CRITICAL}
    if address == LOCAL:
        ray.init(
            LOCAL,
            include_dashboard=False,
            object_store_memory=_LOCAL_STORE_BYTES,
            **quiet,
        )
        return
    if address != "auto":
        _check_answer(ray, address)
    ray.init(address, **quiet)


def _check_answer(ray: ModuleType, address: str) -> None:
    """Raise OSError where nobody answers at once: Ray itself tries for a minute."""
    if address.startswith("ray://"):
        raise ValueError("Ray Data does not work over ray://; start dni on a machine of the cluster, with auto")
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal():
        raise ValueError("expected local, auto or HOST:PORT")
    if host in ("localhost", "127.0.0.1"):
        host = ray.util.get_node_ip_address()  # as Ray reads it
    socket.create_connection((host, int(port)), _CONNECT_TIMEOUT_S).close()


def first_line(error: BaseException) -> str:
    """What an error says, without the traces that Ray puts below it."""
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
