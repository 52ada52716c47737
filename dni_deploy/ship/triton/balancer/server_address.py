"""Addresses of servers as a user writes them: HOST:PORT, the host an IPv4 or [IPv6] address or a name."""

import ipaddress
import re
from dataclasses import dataclass

from dni_runtime import InputError

# gRPC and metrics take the two ports behind that of HTTP, here as in Triton's defaults and in dni serve.
GRPC, METRICS = 1, 2
_LAST_PORT = 65535 - METRICS

_BRACKETED = re.compile(r"\[([^\[\]]*)\]:([0-9]+)")
_PLAIN = re.compile(r"([^:\[\]]*):([0-9]+)")
# Letters, digits and hyphens (RFC 1123), and the underscore of container names.
_NAME = re.compile(r"(?=.{1,253}\Z)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*")
_WILDCARDS = ("0.0.0.0", "::")


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """host: in one spelling only, an IPv6 address without its brackets. port: of HTTP."""

    host: str
    port: int

    def __str__(self) -> str:
        return self.at(0)

    def at(self, offset: int) -> str:
        """HOST:PORT of another service, GRPC or METRICS."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port + offset}"

    @property
    def is_wildcard(self) -> bool:
        """Whether a server that listens there does so on all of a machine's addresses."""
        return self.host in _WILDCARDS

    @property
    def is_loopback(self) -> bool:
        return self.host == "localhost" or (_is_ip(self.host) and ipaddress.ip_address(self.host).is_loopback)


def parse_address(text: str) -> ServerAddress:
    """HOST:PORT. Raises InputError where it is none."""
    text = text.strip()
    bracketed, plain = _BRACKETED.fullmatch(text), _PLAIN.fullmatch(text)
    if not (found := bracketed or plain):
        hint = "; an IPv6 address goes into brackets" if text.count(":") > 1 and "[" not in text else ""
        raise InputError(f"{text!r} is no address; expected HOST:PORT such as 10.0.0.1:8000 or [fd00::1]:8000{hint}")
    host, port = found[1].lower(), int(found[2])
    if not 1 <= port <= _LAST_PORT:
        raise InputError(
            f"{text!r} has port {port}; expected 1 to {_LAST_PORT}: gRPC and metrics take the two behind that of HTTP"
        )
    if bracketed:
        return ServerAddress(_ipv6(text, host), port)
    if _is_ip(host):
        return ServerAddress(host, port)
    if not _NAME.fullmatch(host) or re.fullmatch(r"[0-9.]+", host):
        raise InputError(f"{text!r} has the host {found[1]!r}; expected an IPv4 address, [an IPv6 address] or a name")
    return ServerAddress(host, port)


def parse_servers(text: str) -> tuple[ServerAddress, ...]:
    """HOST:PORT,... of servers to connect to. Raises InputError where one is none, or two cannot both be right."""
    servers = tuple(parse_address(part) for part in text.split(","))
    taken: dict[tuple[str, int], tuple[str, ServerAddress]] = {}
    for server in servers:
        if server.is_wildcard:
            raise InputError(f"{server} is an address to listen on, not to connect to; expected that of one server")
        for offset, service in ((0, "HTTP"), (GRPC, "gRPC"), (METRICS, "metrics")):
            key = (server.host, server.port + offset)
            if key in taken:
                what, other = taken[key]
                if other == server:
                    raise InputError(f"{server} was given twice; expected every server once")
                raise InputError(
                    f"{server.at(offset)} would be {service} of {server} and {what} of {other}; expected servers of "
                    "one host at least three ports apart"
                )
            taken[key] = (service, server)
    return servers


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _ipv6(text: str, host: str) -> str:
    try:
        address = ipaddress.IPv6Address(host)
    except ValueError:
        raise InputError(f"{text!r} has the host {host!r} in brackets; expected an IPv6 address") from None
    if address.scope_id is not None:
        raise InputError(f"{text!r} names a network interface, which HAProxy does not take; expected a global address")
    return str(address)
