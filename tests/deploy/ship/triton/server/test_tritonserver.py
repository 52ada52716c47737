"""Where a tritonserver is found, and whether it fits."""

import os
import sys
from pathlib import Path

import pytest
from commands import dni
from triton_server import make_server

from dni_deploy.ship.triton.server import tritonserver
from dni_deploy.ship.triton.server.tritonserver import find_tritonserver, python_backends, supports
from dni_runtime import DniError, InputError


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without a server."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(tritonserver, "_CONTAINER", tmp_path / "opt")
    monkeypatch.setattr(tritonserver, "_IN_WHEEL", Path("no_such_package", "tritonserver"))


@pytest.mark.usefixtures("nowhere")
def test_without_a_server_it_says_how_to_get_one(model: Path):
    message = "no tritonserver was found (on PATH, in /opt/tritonserver, in the nvidia-pytriton package)"
    dni("serve", model).assert_error(message)
    with pytest.raises(DniError, match=r'nvcr\.io/nvidia/tritonserver.*pip install nvidia-pytriton "numpy<2"'):
        find_tritonserver()


@pytest.mark.usefixtures("nowhere")
def test_where_it_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    in_environment = tmp_path / "env" / "lib" / "python3.11" / "site-packages" / "no_such_package" / "tritonserver"
    programs = [make_server(root) for root in (tmp_path / "own", in_environment, tmp_path / "opt")]
    assert find_tritonserver().program == programs[2]
    assert find_tritonserver(tmp_path / "own").program == programs[0]
    assert find_tritonserver(programs[0]).backends == tmp_path / "own" / "backends"
    assert find_tritonserver(tmp_path / "env").program == programs[1]
    (tmp_path / "tritonserver").symlink_to(programs[0])  # that folder is PATH
    assert find_tritonserver().backends == tmp_path / "own" / "backends"
    with pytest.raises(InputError, match="holds no tritonserver"):
        find_tritonserver(tmp_path / "backends")
    assert supports(find_tritonserver(), "http-max-input-size")
    assert not supports(find_tritonserver(), "no-such-option")
    assert find_tritonserver().has_backend("python")
    assert not find_tritonserver().has_backend("onnxruntime")


@pytest.mark.usefixtures("nowhere")
def test_the_backend_has_to_run_this_python(tmp_path: Path):
    this = f"{sys.version_info.major}.{sys.version_info.minor}"
    same = find_tritonserver(make_server(tmp_path / "same", f"libpython{this}.so.1.0".encode()))
    assert python_backends(same, tmp_path / "made") == same.backends
    other = find_tritonserver(make_server(tmp_path / "other", b"\x00libpython3.7.so.1.0\x00"))
    with pytest.raises(DniError, match=f"runs Python 3.7, and this is Python {this}: install dni-deploy with that"):
        python_backends(other, tmp_path / "made")
    none = find_tritonserver(make_server(tmp_path / "none"))
    with pytest.raises(DniError, match=f"has no Python backend for Python {this}; expected "):
        python_backends(none, tmp_path / "made")
    os.rmdir(none.backends / "python")
    with pytest.raises(DniError, match="has no Python backend; expected "):
        python_backends(none, tmp_path / "made")
