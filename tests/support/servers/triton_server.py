"""A real tritonserver for tests, started by `dni serve` in an environment without PyTorch, and its clients."""

import json
import os
import select
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import tritonclient.grpc
import tritonclient.http
from numpy.typing import NDArray

ENVIRONMENT = Path(os.environ.get("DNI_TRITON_ENV") or Path(__file__).parents[3] / ".venv-triton")
PROTOCOLS = ("http", "grpc")

_START_S = 60
_TYPES = {"uint8": "UINT8", "float32": "FP32", "float64": "FP64", "bool": "BOOL"}


@dataclass(frozen=True)
class Served:
    """What `dni serve --json` told, and its process."""

    told: dict[str, Any]
    process: subprocess.Popen[str]

    @property
    def model(self) -> str:
        return self.told["model"]

    def client(self, protocol: str) -> Any:
        """One for each thread: HTTP clients cannot be shared."""
        if protocol == "http":
            return tritonclient.http.InferenceServerClient(self.told["http"], network_timeout=120)
        return tritonclient.grpc.InferenceServerClient(self.told["grpc"])

    def statistics(self, counted: int = 0) -> Any:
        """Of the model; with `counted`, as soon as so many inferences are: each counts after its answer was sent."""
        deadline = time.monotonic() + 30
        with self.client("http") as client:
            while True:
                told = client.get_inference_statistics(self.model)["model_stats"][0]
                if int(told["inference_count"]) >= counted or time.monotonic() > deadline:
                    return told
                time.sleep(0.02)


def need_server() -> Path:
    """The environment that holds a tritonserver. Its absence fails continuous integration, see .ci/run."""
    if not (ENVIRONMENT / "bin" / "dni").exists():
        pytest.skip(f"there is no tritonserver in {ENVIRONMENT}: make .venv-triton/.done")
    return ENVIRONMENT


def start(model: Path, *options: object, program: Path | None = None, **environment: str) -> subprocess.Popen[str]:
    """`dni serve` on free ports; of another program than that of the server's environment if one is named."""
    dni = program or need_server() / "bin" / "dni"
    arguments = [str(dni), "serve", str(model), "--port", "0", *map(str, options)]
    return subprocess.Popen(
        arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ | environment
    )


def first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    readable, _, _ = select.select([process.stdout], [], [], _START_S)
    assert readable, f"nothing was said in {_START_S} s"
    return process.stdout.readline()


@contextmanager
def serving(model: Path, *options: object, **environment: str) -> Iterator[Served]:
    """A served model; afterwards the server is asked to stop, and has to leave nothing."""
    process = start(model, "--json", *options, **environment)
    try:
        line = first_line(process)
        assert line, process.communicate()[1]
        yield Served(json.loads(line), process)
    finally:
        family = descendants(process)
        process.send_signal(signal.SIGINT)
        try:
            process.communicate(timeout=60)
        finally:
            process.kill()
        assert_gone(family)


def descendants(process: subprocess.Popen[str]) -> list[psutil.Process]:
    try:
        return psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def assert_gone(processes: list[psutil.Process]) -> None:
    deadline = time.monotonic() + 10
    while alive := [p for p in processes if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]:
        assert time.monotonic() < deadline, alive
        time.sleep(0.05)


def infer(client: Any, model: str, tensors: dict[str, NDArray[Any]], **options: Any) -> Any:
    """The result of one request; raises InferenceServerException as the client does."""
    module = tritonclient.grpc if isinstance(client, tritonclient.grpc.InferenceServerClient) else tritonclient.http
    inputs = []
    for name, array in tensors.items():
        inputs.append(module.InferInput(name, array.shape, _TYPES[array.dtype.name]))
        inputs[-1].set_data_from_numpy(array)
    return client.infer(model, inputs, **options)


def alphas(*values: float) -> NDArray[np.float32]:
    """The alphas of a batch, [N, 1]."""
    return np.array(values, np.float32)[:, None]


def executed(before: Any, after: Any, count: str = "execution_count") -> int:
    """How often the model ran between two statistics; the warm-up counts too."""
    return int(after[count]) - int(before[count])


def make_server(root: Path, stub: bytes | None = None) -> Path:
    """The program of an installation that only says which options it knows; `stub`: of its Python backend."""
    program = root / "bin" / "tritonserver"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\necho '  --http-max-input-size <integer>'\n")
    program.chmod(0o755)
    (root / "backends" / "python").mkdir(parents=True)
    if stub is not None:
        (root / "backends" / "python" / "triton_python_backend_stub").write_bytes(stub)
    return program
