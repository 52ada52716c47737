"""`dni serve`: a repository on a real tritonserver; that of one model lasts as long as the server."""

import json
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from dni_deploy import terminal
from dni_deploy.ship.model_file import ModelFile, read_model_file
from dni_runtime import DniError, format_alpha
from dni_runtime.unfinished import unfinished_folder

from .lint import CONFIG, check_repository, model_folders
from .needs import Needs, read_needs
from .options import ShipOptions
from .python_model import MODEL_FILE
from .repository import CLIENT, ship_triton
from .running import Addresses, Running, choose_addresses
from .tritonserver import Tritonserver, find_tritonserver, python_backends, supports

# A terminal that closes sends the third.
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_CACHE_BYTES = 256 * 2**20


def serve_model(
    model: Path,
    options: ShipOptions | None = None,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    server: Path | None = None,
    model_control: bool = False,
    verbose: bool = False,
    as_json: bool = False,
) -> None:
    """Serve `model` until SIGINT, SIGTERM or SIGHUP comes; say on stdout where, once it is ready.

    `model`: an ONNX file, shipped with `options`; or a repository, which has its options in it. `model_control`:
    clients may have models loaded anew and unloaded.

    Raises DniError where no server is found, it cannot start, or it ends by itself.
    """
    with unfinished_folder() as folder, _stops() as stop:
        repository = model.resolve() if model.is_dir() else folder / "repository"
        for path, remedy in ((folder, "set TMPDIR to another one"), (repository, "move it")):
            if any(character.isspace() for character in str(path)):
                raise DniError(f"Triton cannot run from a folder with white space, {str(path)!r}; {remedy}")
        installed = find_tritonserver(server)
        addresses = choose_addresses(host, port)
        if model.is_dir():
            _check(repository)
        else:
            ship_triton([model], repository, options)
        folders = model_folders(repository)
        needs = read_needs(folders)
        arguments = _arguments(installed, folder, repository, addresses, needs, model_control)
        stop.at_once = False
        with Running(installed, arguments, addresses, None if verbose else folder / "server.log") as running:
            with terminal.status(f"starting tritonserver, {', '.join(f.name for f in folders)} loading"):
                ready = running.wait_until_ready(stop)
            if ready:
                told = _tell(folders, needs, addresses, running)
                terminal.say_json(told) if as_json else terminal.say(*_as_lines(told, _newest(folders[0])))
                running.wait(stop)
            raise _StopError


def _check(repository: Path) -> None:
    if problems := check_repository(repository).problems:
        listed = "; ".join(f"{problem.model}: {problem.message}" for problem in problems)
        raise DniError(f"{repository} cannot be served: {listed}")


def _newest(folder: Path) -> ModelFile:
    """What clients meet: the highest version, see config."""
    versions = [path for path in folder.iterdir() if path.name.isdecimal()]
    return read_model_file(max(versions, key=lambda path: int(path.name)) / MODEL_FILE)


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
        terminal.say("stopped", err=True)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _arguments(
    server: Tritonserver, folder: Path, repository: Path, addresses: Addresses, needs: Needs, model_control: bool
) -> list[str]:
    for backend in needs.backends:
        if not server.has_backend(backend):
            raise DniError(f"{server.program} has no {backend} backend; expected {server.backends / backend}")
    backends = python_backends(server, folder / "backends") if "python" in needs.backends else server.backends
    arguments = [f"--model-repository={repository}", f"--backend-directory={backends}"]
    # Not only HTTP: gRPC and the metrics would listen on all interfaces.
    for service in ("http", "grpc", "metrics"):
        arguments += [f"--{service}-address={addresses.host}", f"--{service}-port={getattr(addresses, service)}"]
    arguments.append("--disable-auto-complete-config")  # the configuration is complete
    if not needs.on_gpu:
        arguments.append("--allow-gpu-metrics=false")
    if model_control:
        arguments += ["--model-control-mode=explicit", "--load-model=*"]
        # The last version answers while the next one loads: a balancer that asks for readiness need not turn away.
        arguments.append("--strict-readiness=false")
    if needs.response_cache:
        arguments += [f"--cache-directory={server.caches}", f"--cache-config=local,size={_CACHE_BYTES}"]
    if supports(server, "http-max-input-size"):  # 64 MiB otherwise, less than one large photograph
        arguments.append(f"--http-max-input-size={needs.largest_request_bytes}")
    return arguments


def _tell(folders: Sequence[Path], needs: Needs, addresses: Addresses, running: Running) -> dict[str, Any]:
    return {
        "model": folders[0].name,
        "models": [folder.name for folder in folders],
        "backend": " ".join(sorted(needs.backends)),
        "http": f"{addresses.host}:{addresses.http}",
        "grpc": f"{addresses.host}:{addresses.grpc}",
        "metrics": f"{addresses.host}:{addresses.metrics}",
        "repository": str(folders[0].parent),
        "pid": running.pid,
    }


def _as_lines(told: dict[str, Any], model: ModelFile) -> list[str]:
    url = f"http://{told['http']}/v2/models/{told['model']}"
    names = told["models"]
    lines = [
        f"{', '.join(names)} {'is' if len(names) == 1 else 'are'} served at",
        f"  HTTP     {url}",
        f"  gRPC     {told['grpc']}",
        f"  metrics  http://{told['metrics']}/metrics",
        "",
        "Try it:",
    ]
    if "python" in told["backend"]:
        lines.append(f"  curl -s {url}/infer -d '{example_request(model)}'")
    repository = Path(told["repository"])
    alpha = "" if model.alpha is None else f" {format_alpha(_middle(model))}"
    if (repository / CLIENT).exists():
        lines.append(f"  python {repository / CLIENT} photo.jpg{alpha} result.png {told['http']}")
    return [*lines, "", f"The configuration is {repository / told['model'] / CONFIG}. Ctrl-C stops the server."]


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
