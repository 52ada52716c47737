"""`dni serve`: a repository on a real tritonserver; that of one model lasts as long as the server."""

import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from dni_deploy import terminal
from dni_deploy.ship.triton.lint.lint import check_repository, model_folders
from dni_deploy.ship.triton.model_folder.config_file import read_config
from dni_deploy.ship.triton.model_folder.needs import Needs, read_needs
from dni_deploy.ship.triton.options import ShipOptions
from dni_deploy.ship.triton.repository import ship_triton
from dni_runtime import DniError
from dni_runtime.files.unfinished import unfinished_folder
from dni_runtime.onnx_files.required import require_file

from .running import Addresses, Running, choose_addresses
from .telling import as_data, as_lines
from .tritonserver import Tritonserver, find_tritonserver, python_backends, supports
from .watch import Watch

# A terminal that closes sends the third.
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# For what other models and instances work on; a model that has lost its process would keep the server from ending.
_PATIENCE_S = 3.0
# Between starts of a server that ends before it is ready, each time twice as long.
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 8.0
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

    A server that ends, or of which a model does not answer any more, is started again: there are requests that end
    Triton or the process of a model.

    Raises ModelError where `model` is no file, DniError where no server is found, or it does not become ready.
    """
    if not model.is_dir():
        require_file(model)
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

        def tell(running: Running) -> None:
            told = as_data(folders, needs, running)
            terminal.say_json(told) if as_json else terminal.say(*as_lines(told, shipped=not model.is_dir()))

        models = {folder.name: read_config(folder) for folder in folders}
        log = None if verbose else folder / "server.log"
        _keep_running(lambda: Running(installed, arguments, addresses, log), models, stop, tell)
        raise _StopError


def _keep_running(
    start: Callable[[], Running], models: Mapping[str, Any], stop: "_Stop", tell: Callable[[Running], None]
) -> None:
    """Until `stop`; `tell` where the server is once it is ready.

    Raises DniError where it ends before it was ready once. Later it may be a request that ends it in its start: it
    answers before it has said that it is ready.
    """
    pause_s = 0.0
    while not stop():
        with start() as running:
            try:
                _run(running, models, stop, tell)
                pause_s = 0.0
            except DniError as error:
                if tell is not _say_nothing:
                    raise
                pause_s = min(2 * pause_s or _FIRST_PAUSE_S, _LONGEST_PAUSE_S)
                terminal.remark([], [f"{' '.join(map(str, error.args))}; it is started again in {pause_s:g} s"])
        tell = _say_nothing
        stop.wait(pause_s)


def _run(running: Running, models: Mapping[str, Any], stop: "_Stop", tell: Callable[[Running], None]) -> None:
    """Until `stop`, or until the server has ended or one of its models does not answer any more."""
    with terminal.status("starting tritonserver, which loads the models"):
        ready = running.wait_until_ready(stop)
    if not ready:
        return
    tell(running)
    with Watch(running.addresses, models) as watch:
        running.wait(lambda: stop() or watch.lost is not None)
    if not stop():
        terminal.remark([], [f"{watch.lost or running.how_it_ended()}; the server is started again"])
        running.stop(_PATIENCE_S)


def _say_nothing(running: Running) -> None:
    """It is where it was."""


def _check(repository: Path) -> None:
    if problems := check_repository(repository).problems:
        listed = "; ".join(f"{problem.model}: {problem.message}" for problem in problems)
        raise DniError(f"{repository} cannot be served: {listed}")


class _StopError(Exception):
    """A signal asks the server to stop."""


class _Stop:
    """Whether a signal has come. `at_once`: it raises _StopError; not so when a process could be left behind."""

    def __init__(self) -> None:
        self.at_once = True
        self._asked = False

    def __call__(self) -> bool:
        return self._asked

    def wait(self, pause_s: float) -> None:
        """For `pause_s`, or until a signal comes."""
        end = time.monotonic() + pause_s
        while not self._asked and (left := end - time.monotonic()) > 0:
            time.sleep(min(left, 0.1))

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
