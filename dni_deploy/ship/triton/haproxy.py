"""haproxy.cfg: several Triton servers behind one HAProxy, for HTTP and gRPC."""

import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dni_runtime import DniError, InputError

from .server_address import GRPC, METRICS, ServerAddress

HAPROXY_CFG = "haproxy.cfg"
DEFAULT_LISTEN = ServerAddress("127.0.0.1", 9000)

_CHECK_S = 60
# Where Debian puts it, which is not on every user's PATH.
_SBIN = "/usr/sbin/haproxy"

_ASKING = "^/v2(/health/(live|ready)|/models/[^/]+(/versions/[0-9]+)?(/(ready|config|stats|infer))?)?/?$"
_GRPC_ASKING = "/inference.GRPCInferenceService/Server /inference.GRPCInferenceService/Model /grpc.health.v1.Health/"
_REFUSED = '{"error":"only health, metadata and inference pass HAProxy; for anything else ask a server itself"}'
_TOO_LARGE = '{"error":"the request is over the limit of %d bytes (dni ship triton --max-pixels)"}'

_TEXT = """\
# {count} behind HAProxy, written by dni ship triton; tried with HAProxy 2.6.
#
#   HTTP   {http}
#   gRPC   {grpc}
#   stats  {stats}/ for people, /metrics for Prometheus
#
# Start:   haproxy -W -f {file}     (-W: a master that reloads and ends its workers)
# Reload:  kill -USR2 <master>            the old worker answers what it has, the new one takes what comes
# End:     kill -USR1 <master>            after the last answer
# Drain:   echo "set server triton_http/triton1 state drain" | socat - ./haproxy.sock     ("ready" brings it back;
#          gRPC follows). Nothing new goes there; it can be stopped when "show stat" counts no session of it (scur).

global
    maxconn 1000
    log stdout format raw local0 info
    stats socket "unix@${{DNI_HAPROXY_SOCKET-haproxy.sock}}" mode 600 level admin expose-fd listeners
    hard-stop-after 15m

defaults
    mode http
    log global
    option httplog
    option dontlognull

    # A request goes to another server only where none of its bytes has reached the first: the connection was refused
    # or did not come about. Inference could be repeated without harm, as equal requests have equal answers; but a
    # request that ended one server would then go on to end the others, and photographs are not kept for a repetition.
    retries 3
    retry-on conn-failure
    option redispatch 1

    # A whole photograph takes minutes on a CPU; a server that is lost meanwhile is noticed by TCP, after 25 s.
    # The next server is tried after the first of these, also where the connection was refused at once.
    timeout connect 500ms
    timeout http-request 30s
    timeout client 10m
    timeout server 10m
    timeout check 2s
    option srvtcpka
    srvtcpka-idle 10s
    srvtcpka-intvl 5s
    srvtcpka-cnt 3

    # Requests take unequal time. A client that has gone needs no answer.
    balance leastconn
    option abortonclose

    # A name that is not known when HAProxy starts takes its own server out, and no more.
    default-server init-addr last,libc,none

# What goes through is asking: of no use behind a balancer, or of danger, are loading models, shared memory, tracing
# and the log's settings, which stay with the servers' own ports.
frontend http
    bind {http}
    acl asking path_reg {asking}
    http-request return status 403 content-type application/json string '{refused}' unless asking
    http-request return status 413 content-type application/json string '{too_large}' if {{ req.body_size gt {limit} }}
    http-error status 502 content-type application/json string '{{"error":"the server ended before it had answered"}}'
    http-error status 503 content-type application/json string '{{"error":"no server is ready"}}'
    http-error status 504 content-type application/json string '{{"error":"the server gave no answer in time"}}'
    default_backend triton_http

frontend grpc
    bind {grpc} proto h2
    acl asking path_beg {grpc_asking}
    http-request return status 403 unless asking
    default_backend triton_grpc

frontend stats
    bind {stats}
    option dontlog-normal
    http-request use-service prometheus-exporter if {{ path /metrics }}
    stats enable
    stats uri /

# Checked once a second, ten times a second once something is odd: a server that starts, loads, or has died gets
# nothing. There is no slow start: Triton is ready after the models' warm-up, and as fast as ever.
backend triton_http
    # A connection for each request: none is sent on one that its server is about to close, and Triton, which waits for
    # open ones, ends at once when it is stopped.
    option http-server-close
    option httpchk
    http-check send meth GET uri /v2/health/ready ver HTTP/1.1 hdr Host triton
    http-check expect status 200
    default-server check inter 1s fastinter 100ms downinter 500ms fall 3 rise 2
    default-server observe layer4 error-limit 1 on-error sudden-death
{http_servers}

backend triton_grpc
    default-server proto h2
{grpc_servers}
"""


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


def haproxy_config(front: Front, limit_bytes: int) -> str:
    """The text of haproxy.cfg; larger requests over HTTP than `limit_bytes` are refused."""
    names = {f"triton{number}": server for number, server in enumerate(front.servers, start=1)}
    http = [f"    server {name} {server}" for name, server in names.items()]
    grpc = [f"    server {name} {server.at(GRPC)} track triton_http/{name}" for name, server in names.items()]
    loopback = "::1" if ":" in front.listen.host else "127.0.0.1"
    return _TEXT.format(
        count=f"{len(names)} Triton server{'s' if len(names) > 1 else ''}",
        file=HAPROXY_CFG,
        http=front.listen,
        grpc=front.listen.at(GRPC),
        stats=ServerAddress(loopback, front.listen.port).at(METRICS),
        asking=_ASKING,
        grpc_asking=_GRPC_ASKING,
        refused=_REFUSED,
        too_large=_TOO_LARGE % limit_bytes,
        limit=limit_bytes,
        http_servers="\n".join(http),
        grpc_servers="\n".join(grpc),
    )


def check_haproxy(file: Path) -> tuple[str, ...]:
    """Have the installed HAProxy, if there is one, read `file`; return what it remarks.

    Raises DniError where it would not start with it.
    """
    program = shutil.which("haproxy") or shutil.which(_SBIN)
    if program is None:
        return (f"haproxy is not installed here, so {file.name} was not checked: haproxy -c -f {file.name}",)
    try:
        told = subprocess.run(
            [program, "-c", "-f", file], capture_output=True, text=True, timeout=_CHECK_S, check=False
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise DniError(f"{program} could not check {file.name}: {error}") from None
    if told.returncode != 0:
        raise DniError(f"{program} would not start with {file.name}: {'; '.join(_said('ALERT', told.stderr))}")
    # Each server is there twice, for HTTP and gRPC.
    return tuple(dict.fromkeys(text.replace("triton_grpc/", "triton_http/") for text in _said("WARNING", told.stderr)))


def _said(level: str, log: str) -> Sequence[str]:
    """Without the process number, and without the line number and the path of a file that is about to move."""
    # What is said on the level NOTICE only tells which HAProxy it is.
    log = re.sub(r"(?m)^\[NOTICE\].*$", "", log)
    found = re.findall(rf"(?m)^\[{level}\]\s+\(\d+\) : (?:config : )?(?:(?:parsing )?\[\S+:\d+\] : )*(.+)$", log)
    return [str(text).strip() for text in found] or list(filter(None, [log.strip()]))
