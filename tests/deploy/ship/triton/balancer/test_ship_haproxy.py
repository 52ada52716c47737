"""haproxy.cfg as it is written: read by the real HAProxy, kept, refused."""

import json
import shutil
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from commands import names
from onnx_models import conv_stack, save, unet
from triton_cluster import need_haproxy
from triton_repositories import ship

from dni_deploy.ship.triton import Front, ServerAddress
from dni_deploy.ship.triton.balancer import haproxy
from dni_deploy.ship.triton.balancer.haproxy import haproxy_config
from dni_deploy.ship.triton.balancer.haproxy_check import check_haproxy
from dni_deploy.ship.triton.balancer.server_address import parse_servers
from dni_deploy.ship.triton.model_folder.config_file import read_config
from dni_deploy.ship.triton.model_folder.tiny_request import tiny_request
from dni_runtime import DniError, InputError

REQUESTS = {"stack": '{"inputs":[]}', "large": None}


@pytest.mark.parametrize(
    "servers",
    ["10.0.0.1:8000", "10.0.0.1:8000,10.0.0.2:8000", "[::1]:8000,[2001:DB8:0:0::1]:8000,127.0.0.1:8000",
     " 127.0.0.1:8000 , 127.0.0.1:8003 "],
)  # fmt: skip
@pytest.mark.parametrize("listen", [ServerAddress("0.0.0.0", 9000), ServerAddress("::", 65533)])
def test_haproxy_starts_with_what_is_written(tmp_path: Path, servers: str, listen: ServerAddress):
    need_haproxy()
    file = tmp_path / "haproxy.cfg"
    file.write_text(haproxy_config(Front(parse_servers(servers), listen), 1000, REQUESTS))
    assert check_haproxy(file) == ()


def test_both_protocols_of_every_server(model: Path, repo: Path):
    ship(model, "-o", repo, "--haproxy", "10.0.0.1:8000,[FD00::2]:8010", "--haproxy-listen", "0.0.0.0:80").assert_ok()
    lines = [line.strip() for line in (repo / "haproxy.cfg").read_text().splitlines()]
    assert [line for line in lines if line.startswith(("server ", "bind "))] == [
        "bind 0.0.0.0:80",
        "bind 0.0.0.0:81 proto h2",
        "bind 127.0.0.1:82",
        *["server triton1 10.0.0.1:8000", "server triton2 [fd00::2]:8010"] * 2,
        "server triton1 10.0.0.1:8001 track triton_http/triton1",
        "server triton2 [fd00::2]:8011 track triton_http/triton2",
    ]


def test_no_two_questions_are_the_same(model: Path, repo: Path):
    """For one that is equal is answered from Triton's cache, where that is on, whatever has become of the model."""
    ship(model, "-o", repo, "--backend", "python", "--haproxy", "10.0.0.1:8000").assert_ok()
    assert '"data":[%[rand(256)],%[rand(256)],%[rand(256)]]}' in (repo / "haproxy.cfg").read_text()


def test_the_command_says_what_it_wrote(model: Path, repo: Path):
    result = ship(model, "-o", repo, "--haproxy", "10.0.0.1:8000").assert_ok()
    assert f"haproxy -W -f {repo / 'haproxy.cfg'}" in result.out
    assert names(repo) == ["client.py", "haproxy.cfg", "index.json", "stack"]
    told = ship(model, "-o", repo, "--force", "--json", "--haproxy", "10.0.0.1:8000").assert_ok().json
    assert (told["haproxy"], told["notes"]) == (str(repo / "haproxy.cfg"), [])
    assert ship(model, "-o", repo, "--force", "--json").assert_ok().json["haproxy"] is None


def test_a_name_that_is_unknown_here_is_remarked(model: Path, repo: Path):
    need_haproxy()
    result = ship(model, "-o", repo, "--haproxy", "triton_a.invalid:8000,10.0.0.1:8000").assert_ok()
    notes = [line for line in result.err.splitlines() if line.startswith("note: ")]
    assert len(notes) == 1
    assert "'triton_a.invalid'" in notes[0]


@pytest.mark.parametrize("case", ["free", "in fours", "baked", "of one size", "large"])
def test_models_of_tensors_are_asked_for_what_they_take(tmp_path: Path, repo: Path, case: str):
    """As many pixels as the network needs, as ONNX Runtime itself answers; none that HAProxy could not hold."""
    made = {
        "free": conv_stack(),
        "in fours": unet(),
        "baked": conv_stack(alpha=0.5),
        "of one size": conv_stack(shape=(1, 32, 48)),
        "large": conv_stack(shape=(1, 512, 512)),
    }
    path = save(made[case], tmp_path / "stack.onnx")
    ship(path, "-o", repo, "--haproxy", "10.0.0.1:8000").assert_ok()
    text, request = (repo / "haproxy.cfg").read_text(), tiny_request(read_config(repo / "stack"))
    assert ("check inter 20s" in text) == (case in ("of one size", "large"))
    if case == "large":
        assert request is None
        assert "http-check send meth GET uri /v2/models/stack/ready ver" in text
        return
    assert request is not None
    assert f"hdr Content-Type application/json body-lf '{request}'\n" in text
    inputs = {i["name"]: np.array(i["data"], np.float32).reshape(i["shape"]) for i in json.loads(request)["inputs"]}
    (y,) = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]).run(["output"], inputs)
    assert y.shape == inputs["input"].shape
    assert y.size < (5000 if case == "of one size" else 200)


BAD = {
    "": "'' is no address; expected HOST:PORT such as",
    "10.0.0.1": "'10.0.0.1' is no address; expected HOST:PORT",
    "10.0.0.1:8000,": "'' is no address",
    "10.0.0.1:": "is no address",
    ":8000": "expected an IPv4 address, [an IPv6 address] or a name",
    "10.0.0.1:http": "is no address",
    "http://10.0.0.1:8000": "is no address",
    "10.0.0.1:0": "has port 0; expected 1 to 65533: gRPC and metrics take the two behind",
    "10.0.0.1:65534": "has port 65534; expected 1 to 65533",
    "::1:8000": "an IPv6 address goes into brackets",
    "[::1]": "is no address",
    "[::g]:8000": "has the host '::g' in brackets; expected an IPv6 address",
    "[10.0.0.1]:8000": "expected an IPv6 address",
    "[fe80::1%eth0]:8000": "names a network interface",
    "10.0.0:8000": "has the host '10.0.0'; expected an IPv4 address",
    "10.0.0.256:8000": "expected an IPv4 address",
    "a host:8000": "expected an IPv4 address, [an IPv6 address] or a name",
    "-a.b:8000": "or a name",
    "a..b:8000": "or a name",
    "a\n    server evil:8000": "or a name",
    "0.0.0.0:8000": "is an address to listen on, not to connect to",
    "10.0.0.1:8000,10.0.0.1:8000": "10.0.0.1:8000 was given twice",
    "[::1]:8000,[0:0::1]:8000": "[::1]:8000 was given twice",
    "A:8000,a:8000": "a:8000 was given twice",
    "a:8000,a:8001": "a:8001 would be HTTP of a:8001 and gRPC of a:8000; expected servers of one host at least three",
    "a:8002,a:8000": "a:8002 would be metrics of a:8000 and HTTP of a:8002",
}


@pytest.mark.parametrize("servers", BAD)
def test_addresses_that_are_none(model: Path, repo: Path, servers: str):
    result = ship(model, "-o", repo, "--haproxy", servers)
    assert result.code == 2
    assert BAD[servers] in result.err.replace("\n", " ")
    assert not repo.exists()


def test_where_haproxy_cannot_listen(model: Path, repo: Path):
    for listen, server in [("0.0.0.0:8002", "localhost:8000"), ("[::]:8000", "[::1]:8001"), ("a:8000", "a:8000")]:
        result = ship(model, "-o", repo, "--haproxy", server, "--haproxy-listen", listen)
        result.assert_error(f"HAProxy would listen on {listen} and the two ports behind it, where the server {server}")
    Front(parse_servers("10.0.0.1:8000"), ServerAddress("0.0.0.0", 8000))  # on another machine
    ship(model, "-o", repo, "--haproxy-listen", "a:80").assert_usage("--haproxy-listen needs --haproxy")
    with pytest.raises(InputError, match="choose other ports"):
        Front(parse_servers("127.0.0.1:9000"))


def test_a_file_that_says_something_else_is_kept(model: Path, tmp_path: Path, repo: Path):
    ship(model, "-o", repo, "--haproxy", "10.0.0.1:8000").assert_ok()
    second = [save(conv_stack(seed=9), tmp_path / "better.onnx"), "--name", "stack", "--model-version", 2]
    file = repo / "haproxy.cfg"
    file.write_text(file.read_text() + "# mine\n")
    ship(*second, "-o", repo, "--haproxy", "10.0.0.1:8000").assert_error("is there and says something else")
    assert names(repo / "stack") == ["1", "config.pbtxt", "warmup"]
    assert file.read_text().endswith("# mine\n")
    ship(*second, "-o", repo).assert_ok()
    assert file.read_text().endswith("# mine\n")
    ship(model, "-o", repo, "--haproxy", "10.0.0.2:8000", "--force").assert_ok()
    assert "10.0.0.2:8000" in file.read_text()
    third = [*second[:-1], 3]
    ship(*third, "-o", repo, "--haproxy", "10.0.0.2:8000").assert_ok()


def test_the_largest_request_is_that_of_all_models(model: Path, repo: Path):
    servers = ["--haproxy", "10.0.0.1:8000"]
    small = ["--backend", "python", "--max-pixels", 1000, "--max-input-pixels", 500]
    ship(model, "-o", repo, "--name", "small", *small, *servers).assert_ok()
    assert f"req.body_size gt {16 * 500 + 2**20} " in (repo / "haproxy.cfg").read_text()
    (repo / "haproxy.cfg").unlink()
    ship(model, "-o", repo, "--name", "large", "--backend", "python", "--max-pixels", 50_000_000).assert_ok()
    ship(model, "-o", repo, "--name", "another", *small, *servers).assert_ok()
    assert f"req.body_size gt {4 * 50_000_000 + 2**20} " in (repo / "haproxy.cfg").read_text()


def test_nothing_is_written_that_haproxy_refuses(model: Path, repo: Path, monkeypatch: pytest.MonkeyPatch):
    need_haproxy()
    monkeypatch.setattr(haproxy, "TEXT", haproxy.TEXT.replace("balance leastconn", "balanced leastconn"))
    result = ship(model, "-o", repo, "--haproxy", "10.0.0.1:8000")
    result.assert_error("would not start with haproxy.cfg: ")
    assert "unknown keyword 'balanced'" in result.err
    assert not repo.exists()


def test_without_haproxy_it_says_that_nothing_was_checked(
    model: Path, repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(shutil, "which", lambda _: None)
    result = ship(model, "-o", repo, "--haproxy", "10.0.0.1:8000").assert_ok()
    assert (
        "note: haproxy is not installed here, so haproxy.cfg was not checked: haproxy -c -f haproxy.cfg" in result.err
    )
    assert (repo / "haproxy.cfg").exists()
    monkeypatch.setattr(shutil, "which", lambda _: str(tmp_path))
    with pytest.raises(DniError, match=r"could not check haproxy\.cfg"):
        check_haproxy(repo / "haproxy.cfg")
