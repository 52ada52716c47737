"""The nodes of a Ray cluster: how many workers they have room for, and what they lack, before work begins."""

import contextlib
import os
import pickle
import secrets
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from dni_deploy.photographs.made_with import MadeWith
from dni_runtime import DniError, ModelError

from .cluster import LOCAL, connected, first_line
from .finished import model_digest

M = TypeVar("M", bound=MadeWith)

# CPUs of one worker where nobody says how many. Workers side by side use a node better than threads of one worker,
# but each holds the model and an image of its own.
_THREADS = 4


@dataclass(frozen=True, slots=True)
class Workers:
    """What a cluster has room for: `count` workers of `threads` CPUs and `gpus` GPUs, on `nodes` (Ray's ids)."""

    nodes: tuple[str, ...]
    count: int
    threads: int
    gpus: int


@dataclass(frozen=True, slots=True)
class Shared:
    """What every node has to see: the model, some of the inputs, and the folder, inside that of the results, for notes.

    model_sha256: of the content of the model, see `model_digest`.
    packages:     by name, of which all have to have this machine's version, apart from dni-deploy itself.
    """

    made_with: MadeWith
    model_sha256: str
    inputs: tuple[Path, ...]
    notes: Path
    packages: tuple[str, ...] = ()


@contextlib.contextmanager
def with_workers(
    ray: ModuleType, address: str, shared: Shared, pieces: int, tell: Callable[[str], None]
) -> Iterator[Workers]:
    """Be connected to the cluster at `address`, see `connected`, once every node of it was found to be ready.

    pieces: of work; no more workers are used.

    Raises DniError where the cluster cannot be used.
    """
    tell("starting Ray" if address == LOCAL else f"connecting to Ray at {address}")
    with connected(ray, address):
        workers = plan_workers(ray, shared.made_with)
        tell(f"checking {len(workers.nodes)} Ray node(s)")
        check_nodes(ray, workers, replace(shared, made_with=everywhere(shared.made_with, workers)))
        count = min(workers.count, pieces)
        tell(f"running on {count} Ray worker(s) of {workers.threads} thread(s), {len(workers.nodes)} node(s)")
        yield workers


def plan_workers(ray: ModuleType, made_with: MadeWith) -> Workers:
    """How many workers fit. Raises DniError where not one does."""
    nodes = [(node["NodeID"], node["Resources"]) for node in ray.nodes() if node["Alive"]]
    provider, wanted = made_with.provider, made_with.threads
    wants_gpu = provider in ("cuda", "tensorrt")
    if wants_gpu or (provider == "auto" and any(resources.get("GPU") for _, resources in nodes)):
        gpus, threads = 1, wanted or 1
    else:
        cpus = [int(resources["CPU"]) for _, resources in nodes if resources.get("CPU", 0) >= 1]
        gpus, threads = 0, wanted or min([_THREADS, *cpus])
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


def check_nodes(ray: ModuleType, workers: Workers, shared: Shared) -> None:
    """Let every node load the model, and see the inputs and the folder of the results.

    Raises DniError, which names the node, for the first that cannot.
    """
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy as On

    token = shared.notes / f"{secrets.token_hex(8)}.token"
    try:
        token.touch()
        arguments = pickle.dumps((shared, token, {package: version(package) for package in shared.packages}))
        check = ray.remote(max_retries=0, num_cpus=0, num_gpus=0.01 * workers.gpus)(_by_value())
        found = {
            node: check.options(scheduling_strategy=On(node, soft=False)).remote(version("dni-deploy"), arguments)
            for node in workers.nodes
        }
        for node, answer in found.items():
            try:
                problem = ray.get(answer)
            except ray.exceptions.RayError as error:
                problem = f"failed ({first_line(error)})"
            if problem is not None:
                raise DniError(f"the Ray node {_name(ray, node)} {problem}")
    finally:
        token.unlink(missing_ok=True)


def check_here(shared: Shared, token: Path, versions: Mapping[str, str]) -> str | None:
    """What keeps this machine from working, as the end of a sentence; None where nothing does."""
    for package, expected in versions.items():
        try:
            found = version(package)
        except PackageNotFoundError:
            return f"has no {package}; install {expected} for {sys.executable} there"
        if found != expected:
            return f"has {package} {found}, and this machine {expected}; install the same version on both"
    same = "MODEL, the inputs and OUT have to lie at the same paths on all nodes, on a shared file system"
    model = shared.made_with.model
    for path in (model, *shared.inputs, token):
        if not os.path.lexists(path):  # what is no file there fails by itself, as here
            missing = path.parent.parent if path == token else path
            return f"does not see {missing}; {same}"
    if model_digest(model) != shared.model_sha256:
        return f"has another file at {model}; {same}"
    try:
        probe = token.with_suffix(f".{secrets.token_hex(4)}")
        probe.touch()
        probe.unlink()
    except OSError as error:
        return f"cannot write to {token.parent.parent} ({error.strerror or error})"
    try:
        shared.made_with.load().close()
    except DniError as error:
        return f"cannot run the model: {error}"
    return None


def check_model(model: Path, sha256: str) -> None:
    """Raise ModelError where a worker that begins later than the others finds another model."""
    if model_digest(model) != sha256:
        raise ModelError(f"{model} was changed while it was in use")


def everywhere(made_with: M, workers: Workers) -> M:
    """What results are made with on a worker: on all nodes alike, with as many threads as CPUs were reserved."""
    mask = made_with.alpha_mask
    return replace(
        made_with,
        model=made_with.model.absolute(),
        alpha_mask=None if mask is None else mask.absolute(),
        threads=workers.threads,
    )


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
        from .nodes import check_here

        return check_here(*pickle.loads(arguments))

    return check


def _name(ray: ModuleType, node_id: str) -> str:
    for node in ray.nodes():
        if node["NodeID"] == node_id:
            return f"{node['NodeManagerHostname']} ({node['NodeManagerAddress']})"
    return node_id
