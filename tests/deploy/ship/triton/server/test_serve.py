"""`dni serve`: where it listens, what it serves, what it says of what it cannot."""

import socket
import sys
import tempfile
from pathlib import Path

import numpy as np
import psutil
import pytest
from commands import dni
from onnx_models import picture
from triton_server import alphas, descendants, infer, make_server, need_server, serving, start
from tritonclient.utils import InferenceServerException

from dni_deploy.ship.triton import ShipOptions, ship_triton
from dni_deploy.ship.triton.server.running import choose_addresses
from dni_runtime import InputError


def test_a_model_that_does_not_load_is_reported(model: Path):
    """Under NumPy 2 this server's backend reads zeros and sends nothing, and says nothing of it: it must not start."""
    if np.lib.NumpyVersion(np.__version__) < "2.0.0":
        pytest.fail("the tests run with NumPy 2, see constraints.txt")
    program = Path(sys.executable).with_name("dni")
    process = start(model, "--server", need_server(), program=program)
    out, err = process.communicate(timeout=90)
    assert (process.returncode, out) == (1, "")
    assert "was built for another NumPy than 2." in err
    assert "pip install 'numpy<2' into the Python of the server" in err
    assert "Traceback" not in err


def test_a_taken_port_is_reported(model: Path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        for first in (port, port - 1, port - 2):
            with pytest.raises(InputError, match=f"port {port} on 127.0.0.1 cannot be used: .*--port"):
                choose_addresses("127.0.0.1", first)
        process = start(model, "--port", port)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (1, "")
    assert f"Error: port {port} on 127.0.0.1 cannot be used: Address already in use" in err


def test_an_unknown_host_is_reported():
    with pytest.raises(InputError, match=r"on 192\.0\.2\.1 cannot be used"):
        choose_addresses("192.0.2.1", 8000)


def test_it_listens_on_loopback_only(model: Path):
    with serving(model) as served:
        server = psutil.Process(served.told["pid"])
        addresses = {c.laddr.ip for c in server.net_connections("tcp") if c.status == psutil.CONN_LISTEN}
    assert {address.removeprefix("::ffff:") for address in addresses} == {"127.0.0.1"}


def test_several_instances_answer_alike(model: Path):
    import dni_runtime

    image = picture(1, 40, 30, 3)
    with serving(model, "--instances", 2, "--threads", 1) as served, served.client("grpc") as client:
        stubs = [p for p in descendants(served.process) if p.name().startswith("triton_python")]
        results = [infer(client, served.model, {"image": image, "alpha": alphas(0.4)}) for _ in range(4)]
    assert len(stubs) == 2
    with dni_runtime.load(model, "cpu") as reference:
        for result in results:
            np.testing.assert_array_equal(result.as_numpy("output_image")[0], reference.enhance(image[0], 0.4))


def test_a_repository_is_served_as_it_is(model: Path, tmp_path: Path):
    import dni_runtime

    repository = tmp_path / "repo"
    options = ShipOptions(backend="python", warmup=(), max_pixels=100)
    ship_triton([model], repository, options, name="one")
    ship_triton([model], repository, options, name="two", version=3)
    before = sorted(repository.rglob("*.*"))
    with serving(repository) as served, served.client("http") as client:
        assert (served.told["models"], served.told["repository"]) == (["one", "two"], str(repository))
        image = picture(1, 9, 9, 3)
        result = infer(client, "two", {"image": image, "alpha": alphas(0.4)})
        with pytest.raises(InferenceServerException, match="over the limit of 100"):
            infer(client, "one", {"image": picture(1, 11, 11, 3), "alpha": alphas(0.4)})
        with pytest.raises(InferenceServerException, match="not allowed"):
            client.load_model("one")
    assert sorted(repository.rglob("*.*")) == before
    with dni_runtime.load(model, "cpu") as reference:
        np.testing.assert_array_equal(result.as_numpy("output_image")[0], reference.enhance(image[0], 0.4))


def test_a_repository_that_cannot_be_served(model: Path, tmp_path: Path):
    repository = tmp_path / "repo"
    ship_triton([model], repository, ShipOptions(backend="python"))
    dni("serve", repository, "--max-batch", 4).assert_usage("--max-batch is for a MODEL; a repository was shipped with")
    (repository / "stack" / "1" / "model.py").unlink()
    server = ["--server", make_server(tmp_path / "server"), "--port", 0]
    dni("serve", repository, *server).assert_error("cannot be served: stack: version 1: model.py is missing")
    (tmp_path / "empty").mkdir()
    dni("serve", tmp_path / "empty", *server).assert_error("holds no model; expected a folder for each")
    (tmp_path / "with space").mkdir()
    dni("serve", tmp_path / "with space", *server).assert_error("Triton cannot run from a folder with white space")


def test_a_backend_that_the_server_lacks(model: Path):
    process = start(model, "--backend", "onnxruntime")
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "has no onnxruntime backend; expected " in err


def test_white_space_in_the_temporary_folder(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    folder = tmp_path / "with space"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    dni("serve", model).assert_error("set TMPDIR to another one")
