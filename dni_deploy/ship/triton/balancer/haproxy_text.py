"""The text of haproxy.cfg, in which servers and models have places; what it lets pass, and what it says of the rest."""

ASKING = "^/v2(/health/(live|ready)|/models/[^/]+(/versions/[0-9]+)?(/(ready|config|stats|infer))?)?/?$"
GRPC_ASKING = (
    "^/(inference.GRPCInferenceService/(Server[A-Za-z]+|Model(Ready|Metadata|Config|Statistics|Infer))"
    "|grpc.health.v1.Health/Check)$"
)
REFUSED = '{"error":"only health, metadata and inference pass HAProxy; for anything else ask a server itself"}'
NO_LENGTH = '{"error":"a request without Content-Length does not pass HAProxy"}'
PACKED = '{"error":"a compressed request does not pass HAProxy"}'
TOO_LARGE = '{"error":"the request is over the limit of %d bytes (dni ship triton --max-pixels)"}'

TEXT = """\
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
    # Of these Triton would keep whatever comes, or what it is once it is inflated.
    acl sized req.hdr(content-length) -m found
    acl chunked req.hdr(transfer-encoding) -m found
    acl compressed req.hdr(content-encoding) -m found
    http-request return status 411 content-type application/json string '{no_length}' if chunked or METH_POST !sized
    http-request return status 415 content-type application/json string '{packed}' if compressed
    http-request return status 413 content-type application/json string '{too_large}' if {{ req.body_size gt {limit} }}
    http-error status 502 content-type application/json string '{{"error":"the server ended before it had answered"}}'
    http-error status 503 content-type application/json string '{{"error":"no server is ready"}}'
    http-error status 504 content-type application/json string '{{"error":"the server gave no answer in time"}}'
    default_backend triton_http

frontend grpc
    bind {grpc} proto h2
    acl asking path_reg {grpc_asking}
    http-request return status 403 unless asking
    # Triton takes messages of up to 2 GiB, and those that are as large once they are inflated. How long one is stands
    # in its bytes 1 to 4; streams, which could go on with longer ones, are not asking.
    acl plain req.hdr(grpc-encoding) identity
    acl compressed req.hdr(grpc-encoding) -m found
    acl large req.body,bytes(1,4),be2dec(,4) -m int gt {limit}
    http-request return status 404 if compressed !plain
    http-request wait-for-body time 30s at-least 5
    http-request return status 413 if large
    default_backend triton_grpc

frontend stats
    bind {stats}
    option dontlog-normal
    # The checks of triton_http ask this of HAProxy itself.
    http-request set-log-level silent if {{ path_beg /answers/ }}
{answering}
    http-request return status 503 if {{ path_beg /answers/ }}
    http-request use-service prometheus-exporter if {{ path /metrics }}
    stats enable
    stats uri /

# Checked once a second, ten times a second once something is odd: a server that starts, loads, hangs, or has died gets
# nothing, and none of which a model does not answer. There is no slow start: Triton is ready after the models' warm-up,
# and as fast as ever.
backend triton_http
    # A connection for each request: none is sent on one that its server is about to close, and Triton, which waits for
    # open ones, ends at once when it is stopped.
    option http-server-close
    option httpchk
    http-check connect
    http-check send meth GET uri /v2/health/ready ver HTTP/1.1 hdr Host triton
    http-check expect status 200
    http-check connect addr {stats_host} port {stats_port}
    http-check send meth GET uri-lf "/answers/%[srv_name]" ver HTTP/1.1 hdr Host haproxy
    http-check expect status 200
    default-server check inter 1s fastinter 100ms downinter 500ms fall 3 rise 2
    default-server observe layer4 error-limit 1 on-error sudden-death
{http_servers}

# Nothing is sent here but a tiny inference for each model. Triton calls itself and its models ready also when the
# process that runs a model has ended, and answers every request with an error. A check waits for its turn behind whole
# photographs, as requests do; so it may take as long as they may, and is not the one that notices a server that hangs.
backend answers
    timeout check 10m
    option httpchk
{checks}
    default-server check inter {interval_s}s fastinter 100ms downinter 1s fall 2 rise 2
{http_servers}

backend triton_grpc
    default-server proto h2
{grpc_servers}
"""
