"""`dni serve`: one model on a real tritonserver, from a repository that lasts as long as the server."""

import json
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import click

from dni_deploy.cli_options import console
from dni_runtime import DniError, format_alpha

from .lint import CONFIG
from .model_file import ModelFile, read_model_file
from .options import ShipOptions
from .repository import CLIENT, ship_triton
from .running import Addresses, Running, choose_addresses
from .tritonserver import Tritonserver, find_tritonserver, python_backends, supports

# A terminal that closes sends the third.
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_CACHE_BYTES = 256 * 2**20
_OVERHEAD_BYTES = 2**20
_CHANNELS = 4
_FLOAT_BYTES = 4


def serve_model(
    model: Path,
    options: ShipOptions,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    server: Path | None = None,
    verbose: bool = False,
    as_json: bool = False,
) -> None:
    """Serve `model` until SIGINT, SIGTERM or SIGHUP comes; say on stdout where, once it is ready.

    Raises DniError where no server is found, it cannot start, or it ends by itself.
    """
    with tempfile.TemporaryDirectory(prefix="dni-serve-", ignore_cleanup_errors=True) as text, _stops() as stop:
        folder = Path(text)
        if any(character.isspace() for character in text):
            raise DniError(f"Triton cannot run from a folder with white space, {text!r}; set TMPDIR to another one")
        installed = find_tritonserver(server)
        if not installed.has_backend(options.backend):
            raise DniError(
                f"{installed.program} has no {options.backend} backend; expected {installed.backends / options.backend}"
            )
        addresses = choose_addresses(host, port)
        (name,) = ship_triton([model], folder / "repository", options).models
        arguments = _arguments(installed, folder, addresses, options)
        stop.at_once = False
        with Running(installed, arguments, addresses, None if verbose else folder / "server.log") as running:
            with console().status(f"starting tritonserver, {name} is loading"):
                ready = running.wait_until_ready(stop)
            if ready:
                told = _tell(name, options.backend, addresses, folder / "repository", running)
                click.echo(json.dumps(told) if as_json else _as_text(told, read_model_file(model)))
                running.wait(stop)
            raise _StopError


class _StopError(Exception):
    """A signal asks the server to stop."""


class _Stop:
    """Whether a signal has come. `at_once`: it raises _StopError; not so when a process could be left behind."""

    def __init__(self) -> None:
        self.at_once = True
        self._asked = False

    def __call__(self) -> bool:
        return self._asked

    def ask(self, number: int, frame: FrameType | None) -> None:
        """The signals' handler."""
        self._asked = True
        if self.at_once:
            self.at_once = False
            raise _StopError


@contextmanager
def _stops() -> Iterator[_Stop]:
    """SIGINT, SIGTERM and SIGHUP ask for the end of the block, which is no error."""
    stop = _Stop()
    before = {number: signal.signal(number, stop.ask) for number in _SIGNALS}
    try:
        yield stop
    except _StopError:
        click.echo("stopped", err=True)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _arguments(server: Tritonserver, folder: Path, addresses: Addresses, options: ShipOptions) -> list[str]:
    backends = python_backends(server, folder / "backends") if options.backend == "python" else server.backends
    arguments = [f"--model-repository={folder / 'repository'}", f"--backend-directory={backends}"]
    # Not only HTTP: gRPC and the metrics would listen on all interfaces.
    for service in ("http", "grpc", "metrics"):
        arguments += [f"--{service}-address={addresses.host}", f"--{service}-port={getattr(addresses, service)}"]
    arguments.append("--disable-auto-complete-config")  # the configuration is complete
    if options.device == "cpu":
        arguments.append("--allow-gpu-metrics=false")
    if options.response_cache:
        arguments += [f"--cache-directory={server.caches}", f"--cache-config=local,size={_CACHE_BYTES}"]
    if supports(server, "http-max-input-size"):  # 64 MiB otherwise, less than one large photograph
        largest = max(options.max_pixels * _CHANNELS, options.max_input_pixels * _CHANNELS * _FLOAT_BYTES)
        arguments.append(f"--http-max-input-size={largest + _OVERHEAD_BYTES}")
    return arguments


def _tell(name: str, backend: str, addresses: Addresses, repository: Path, running: Running) -> dict[str, Any]:
    return {
        "model": name,
        "backend": backend,
        "http": f"{addresses.host}:{addresses.http}",
        "grpc": f"{addresses.host}:{addresses.grpc}",
        "metrics": f"{addresses.host}:{addresses.metrics}",
        "repository": str(repository),
        "pid": running.pid,
    }


def _as_text(told: dict[str, Any], model: ModelFile) -> str:
    url = f"http://{told['http']}/v2/models/{told['model']}"
    lines = [
        f"{told['model']} is served at",
        f"  HTTP     {url}",
        f"  gRPC     {told['grpc']}",
        f"  metrics  http://{told['metrics']}/metrics",
        "",
        "Try it:",
    ]
    if told["backend"] == "python":
        lines.append(f"  curl -s {url}/infer -d '{example_request(model)}'")
    repository = Path(told["repository"])
    alpha = "" if model.alpha is None else f" {format_alpha(_middle(model))}"
    lines.append(f"  python {repository / CLIENT} photo.jpg{alpha} result.png {told['http']}")
    lines += ["", f"The configuration is {repository / told['model'] / CONFIG}. Ctrl-C stops the server."]
    return "\n".join(lines)


def example_request(model: ModelFile) -> str:
    """A request of the HTTP protocol that the Python backend answers: one grey pixel in the middle of the range."""
    inputs = [{"name": "image", "shape": [1, 1, 1, 3], "datatype": "UINT8", "data": [128, 128, 128]}]
    if model.alpha is not None:
        alpha = _middle(model)
        inputs.append({"name": "alpha", "shape": [1, len(alpha)], "datatype": "FP32", "data": alpha})
    return json.dumps({"inputs": inputs})


def _middle(model: ModelFile) -> list[float]:
    low, high = model.metadata.alpha_range
    return [(low + high) / 2 / model.alpha_count] * model.alpha_count
