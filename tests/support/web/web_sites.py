"""Real sites for a browser: made by `dni ship web`, served by it or by any other host."""

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from dni_deploy.ship import ship_web

ROOT = Path(__file__).parents[3]
NPM = ROOT / ".npm" / "node_modules"


def npm_package(name: str) -> Path:
    """The folder of an npm package that the tests need. Its absence fails continuous integration, see .ci/run."""
    if not (NPM / name).is_dir():
        pytest.skip(f"{NPM / name} is missing; make it with: make .npm/.done")
    return NPM / name


def make_site(folder: Path, *models: Path, **options: Any) -> Path:
    """A site of `models` in the new folder `folder`/site, with the installed onnxruntime-web."""
    site = folder / "site"
    ship_web(models, site, ort=npm_package("onnxruntime-web"), **{"webgpu": False, **options})
    return site


@contextmanager
def served(*arguments: object) -> Iterator[str]:
    """`dni ship web ARGUMENTS --serve` until the block ends; gives the URL."""
    program = Path(sys.executable).with_name("dni")
    command = [str(program), "ship", "web", *map(str, arguments), "--serve", "--port", "0", "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout and process.stderr
        line = process.stdout.readline()
        assert line, process.stderr.read()
        yield json.loads(line)["url"]
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
    assert process.returncode == 0


@contextmanager
def plain_host(folder: Path) -> Iterator[str]:
    """Any other static host: no headers of ours; gives the URL of `folder`."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()
