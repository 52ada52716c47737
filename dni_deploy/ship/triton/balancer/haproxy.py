"""haproxy.cfg: several Triton servers behind one HAProxy, for HTTP and gRPC."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

from dni_runtime import InputError

from .haproxy_text import ASKING, GRPC_ASKING, NO_LENGTH, PACKED, REFUSED, TEXT, TOO_LARGE
from .server_address import GRPC, METRICS, ServerAddress

# What `requests` have for a pixel of any colour.
ANY_PIXEL = ["?red", "?green", "?blue"]
HAPROXY_CFG = "haproxy.cfg"
DEFAULT_LISTEN = ServerAddress("127.0.0.1", 9000)


@dataclass(frozen=True, slots=True)
class Front:
    """The servers, at their HTTP ports, and where HAProxy listens in front of them: three ports like theirs, of which
    the last one, statistics, is on loopback always."""

    servers: tuple[ServerAddress, ...]
    listen: ServerAddress = DEFAULT_LISTEN

    def __post_init__(self) -> None:
        for server in self.servers:
            same = self.listen.host == server.host or (self.listen.is_wildcard and server.is_loopback)
            if same and abs(self.listen.port - server.port) <= METRICS:
                raise InputError(
                    f"HAProxy would listen on {self.listen} and the two ports behind it, where the server {server} is; "
                    "choose other ports for one of them (--haproxy-listen)"
                )


def haproxy_config(front: Front, limit_bytes: int, requests: Mapping[str, str | None], interval_s: int = 1) -> str:
    """The text of haproxy.cfg; larger requests over HTTP than `limit_bytes` are refused.

    requests: tiny ones that the models have to answer, by the models' names, one after the other, with `interval_s`
    between two rounds; None for a model that only has to be ready.
    """
    names = {f"triton{number}": server for number, server in enumerate(front.servers, start=1)}
    http = [f"    server {name} {server}" for name, server in names.items()]
    grpc = [f"    server {name} {server.at(GRPC)} track triton_http/{name}" for name, server in names.items()]
    answering = [
        f"    http-request return status 200 if {{ path /answers/{name} }} {{ srv_is_up(answers/{name}) }}"
        for name in names
    ]
    stats = ServerAddress("::1" if ":" in front.listen.host else "127.0.0.1", front.listen.port + METRICS)
    return TEXT.format(
        count=f"{len(names)} Triton server{'s' if len(names) > 1 else ''}",
        file=HAPROXY_CFG,
        http=front.listen,
        grpc=front.listen.at(GRPC),
        stats=stats,
        stats_host=f"[{stats.host}]" if ":" in stats.host else stats.host,
        stats_port=stats.port,
        asking=ASKING,
        grpc_asking=GRPC_ASKING,
        refused=REFUSED,
        no_length=NO_LENGTH,
        packed=PACKED,
        too_large=TOO_LARGE % limit_bytes,
        limit=limit_bytes,
        answering="\n".join(answering),
        checks="\n".join(_check(name, request) for name, request in requests.items()),
        interval_s=interval_s,
        http_servers="\n".join(http),
        grpc_servers="\n".join(grpc),
    )


def _check(name: str, request: str | None) -> str:
    """Names are a stranger's: of the model in percent encoding, in the request as JSON, which has \\u0027 for '.

    No two requests are the same: one that is could be answered from Triton's cache, whatever has become of the model.
    """
    uri = f"/v2/models/{quote(name, safe='')}"
    send = f"meth GET uri {uri}/ready ver HTTP/1.1 hdr Host triton"
    if request is not None:
        for special in "% '":
            request = request.replace(special, f"\\u{ord(special):04x}")
        body = request.replace(json.dumps(ANY_PIXEL, separators=(",", ":")), "[%[rand(256)],%[rand(256)],%[rand(256)]]")
        send = (
            f"meth POST uri {uri}/infer ver HTTP/1.1 hdr Host triton hdr Content-Type application/json body-lf '{body}'"
        )
    return f"    http-check connect\n    http-check send {send}\n    http-check expect status 200"
