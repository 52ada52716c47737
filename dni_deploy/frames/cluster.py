"""A Ray cluster, or a local one of our own: connected to quietly, and every node checked before work begins."""

import contextlib
import logging
import os
import pickle
import secrets
import socket
import sys
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any

import dni_runtime
from dni_deploy.enhance_files import Planned
from dni_deploy.extras import import_ray
from dni_runtime import DniError

from .finished import FOLDER, Job, model_digest

LOCAL = "local"

# CPUs of one worker where nobody says how many. Workers side by side use a node better than threads of one worker,
# but each holds the model and an image of its own.
_THREADS = 4
_CONNECT_TIMEOUT_S = 5.0
# Only numbers and short texts travel through Ray: images stay in files.
_LOCAL_STORE_BYTES = 100 * 2**20


@dataclass(frozen=True, slots=True)
class Workers:
    """What a cluster has room for: `count` workers of `threads` CPUs and `gpus` GPUs, on `nodes` (Ray's ids)."""

    nodes: tuple[str, ...]
    count: int
    threads: int
    gpus: int


def import_ray_for(address: str) -> ModuleType:
    """Ray, made ready for `address`, see `connected`; it keeps its remarks to its log files.

    Raises DniError where it is not installed.
    """
    # All of it is read when Ray is imported, and by the processes that it starts.
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    if address == LOCAL:
        # Without a "cluster" of several machines Ray stays on loopback addresses, on every system.
        os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
        # Other users of this machine are kept out by a token; Ray would write one into the home folder.
        os.environ.setdefault("RAY_AUTH_MODE", "token")
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ray = import_ray()
    for name in ("ray", "ray.data"):
        for handler in logging.getLogger(name).handlers:
            if isinstance(handler, logging.StreamHandler) and not isinstance(handler, logging.FileHandler):
                handler.setLevel(logging.CRITICAL + 1)
    return ray


@contextlib.contextmanager
def connected(ray: ModuleType, address: str) -> Iterator[None]:
    """Be connected to the cluster at `address`: local (started and stopped here, reachable from this machine only),
    auto or host:port, both from a machine of the cluster.

    Raises DniError where no cluster answers.
    """
    with warnings.catch_warnings(), _silent_natives():
        warnings.simplefilter("ignore")
        try:
            _connect(ray, address)
        except Exception as error:  # Ray's errors here are of many kinds
            ray.shutdown()
            hint = (
                ""
                if address == LOCAL or isinstance(error, ValueError)
                else "; one with tokens needs RAY_AUTH_MODE=token and the token here, too"
            )
            raise DniError(f"no Ray cluster could be used at {address!r}: {_first_line(error)}{hint}") from None
        try:
            yield
        finally:
            ray.shutdown()


@contextlib.contextmanager
def _silent_natives() -> Iterator[None]:
    """Keep what Ray's C++ parts write to file descriptor 2, past Python's logging, off the terminal."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def plan_workers(ray: ModuleType, job: Job) -> Workers:
    """How many workers fit. Raises DniError where not one does."""
    nodes = [(node["NodeID"], node["Resources"]) for node in ray.nodes() if node["Alive"]]
    wants_gpu = job.provider in ("cuda", "tensorrt")
    if wants_gpu or (job.provider == "auto" and any(resources.get("GPU") for _, resources in nodes)):
        gpus, threads = 1, job.threads or 1
    else:
        cpus = [int(resources["CPU"]) for _, resources in nodes if resources.get("CPU", 0) >= 1]
        gpus, threads = 0, job.threads or min([_THREADS, *cpus])
    room = {node: int(resources.get("CPU", 0) // threads) for node, resources in nodes}
    if gpus:
        room = {node: min(room[node], int(resources.get("GPU", 0))) for node, resources in nodes}
    if not any(room.values()):
        largest = max((int(resources.get("CPU", 0)) for _, resources in nodes), default=0)
        raise DniError(
            f"no node of the cluster has {threads} CPUs{' and a GPU' if gpus else ''} for a worker (the largest of "
            f"{len(nodes)} has {largest} CPUs); expected one at least: choose --threads and --provider accordingly"
        )
    fitting = tuple(node for node, count in room.items() if count)
    return Workers(fitting, sum(room.values()), threads, gpus)


def check_nodes(ray: ModuleType, workers: Workers, job: Job, frames: Sequence[Planned]) -> None:
    """Let every node load the model, and see the frames and the folder of the results.

    Raises DniError, which names the node, for the first that cannot.
    """
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy as On

    token = frames[0].output.parent / FOLDER / f"{secrets.token_hex(8)}.token"
    try:
        token.touch()
        arguments = pickle.dumps((job, [frames[0].input, frames[-1].input], token))
        check = ray.remote(max_retries=0, num_cpus=0, num_gpus=0.01 * workers.gpus)(_by_value())
        found = {
            node: check.options(scheduling_strategy=On(node, soft=False)).remote(version("dni-deploy"), arguments)
            for node in workers.nodes
        }
        for node, answer in found.items():
            try:
                problem = ray.get(answer)
            except ray.exceptions.RayError as error:
                problem = f"failed ({_first_line(error)})"
            if problem is not None:
                raise DniError(f"the Ray node {_name(ray, node)} {problem}")
    finally:
        token.unlink(missing_ok=True)


def check_here(job: Job, inputs: Sequence[Path], token: Path) -> str | None:
    """What keeps this machine from working on `job`, as the end of a sentence; None where nothing does."""
    shared = "MODEL, the inputs and OUT have to lie at the same paths on all nodes, on a shared file system"
    for path in (job.model, *inputs, token):
        if not path.is_file():
            missing = path.parent.parent if path == token else path
            return f"does not see {missing}; {shared}"
    if model_digest(job.model) != job.model_sha256:
        return f"has another file at {job.model}; {shared}"
    try:
        probe = token.with_suffix(f".{secrets.token_hex(4)}")
        probe.touch()
        probe.unlink()
    except OSError as error:
        return f"cannot write to {token.parent.parent} ({error.strerror or error})"
    try:
        dni_runtime.load(job.model, job.provider, threads=job.threads).close()
    except DniError as error:
        return f"cannot run the model: {error}"
    return None


def with_threads(job: Job, workers: Workers) -> Job:
    """The job as a worker runs it: everywhere alike, with as many threads as CPUs were reserved."""
    return replace(job, model=job.model.absolute(), threads=workers.threads)


def _connect(ray: ModuleType, address: str) -> None:
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.CRITICAL}
    if address == LOCAL:
        ray.init(
            LOCAL,
            include_dashboard=False,
            object_store_memory=_LOCAL_STORE_BYTES,
            **quiet,
        )
        return
    if address != "auto":
        _check_answer(ray, address)
    ray.init(address, **quiet)


def _check_answer(ray: ModuleType, address: str) -> None:
    """Raise OSError where nobody answers at once: Ray itself tries for a minute."""
    if address.startswith("ray://"):
        raise ValueError("Ray Data does not work over ray://; start dni on a machine of the cluster, with auto")
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal():
        raise ValueError("expected local, auto or HOST:PORT")
    if host in ("localhost", "127.0.0.1"):
        host = ray.util.get_node_ip_address()  # as Ray reads it
    socket.create_connection((host, int(port)), _CONNECT_TIMEOUT_S).close()


def _by_value() -> Any:
    """A function that Ray sends as code, so that it runs where dni-deploy is missing, or is another version."""

    def check(expected: str, arguments: bytes) -> str | None:
        import importlib.metadata
        import pickle
        import sys

        try:
            found = importlib.metadata.version("dni-deploy")
        except importlib.metadata.PackageNotFoundError:
            return f"has no dni-deploy; install {expected} for {sys.executable} there"
        if found != expected:
            return f"has dni-deploy {found}, and this machine {expected}; install the same version on both"
        from dni_deploy.frames.cluster import check_here

        return check_here(*pickle.loads(arguments))

    return check


def _name(ray: ModuleType, node_id: str) -> str:
    for node in ray.nodes():
        if node["NodeID"] == node_id:
            return f"{node['NodeManagerHostname']} ({node['NodeManagerAddress']})"
    return node_id


def _first_line(error: BaseException) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
