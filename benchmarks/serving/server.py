"""A real tritonserver, started by `dni serve` in an environment of its own, and requests to it."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import tritonclient.grpc
import tritonclient.http
from numpy.typing import NDArray

ENVIRONMENT = Path(os.environ.get("DNI_TRITON_ENV") or Path(__file__).resolve().parents[2] / ".venv-triton")

HTTP, GRPC = "HTTP", "gRPC"
_TIMEOUT_S = 600
_TYPES = {"uint8": "UINT8", "float32": "FP32"}


@dataclass(frozen=True, slots=True)
class Server:
    """One model on a tritonserver of its own."""

    model: str
    http: str
    grpc: str
    pid: int

    def client(self, protocol: str) -> Any:
        """One for each thread."""
        if protocol == HTTP:
            return tritonclient.http.InferenceServerClient(self.http, network_timeout=_TIMEOUT_S)
        return tritonclient.grpc.InferenceServerClient(self.grpc)

    def version(self) -> str:
        with self.client(HTTP) as client:
            return str(client.get_server_metadata()["version"])

    def executions(self) -> tuple[int, int]:
        """Images that were answered so far, and runs of the model that it took."""
        with self.client(HTTP) as client:
            counts = client.get_inference_statistics(self.model)["model_stats"][0]
        return int(counts["inference_count"]), int(counts["execution_count"])

    def resident_bytes(self) -> int:
        """Of tritonserver and of the Python processes that it has started, together."""
        server = psutil.Process(self.pid)
        return sum(process.memory_info().rss for process in (server, *server.children(recursive=True)))


@contextmanager
def serving(model: Path, *options: object) -> Iterator[Server]:
    """Serve `model` with the options of `dni serve` while the block runs."""
    program = ENVIRONMENT / "bin" / "dni"
    if not program.exists():
        raise SystemExit(f"there is no tritonserver in {ENVIRONMENT}: make .venv-triton/.done")
    command = [str(program), "serve", str(model), "--port", "0", "--json", *map(str, options)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        told = process.stdout.readline()
        if not told:
            raise SystemExit(process.communicate()[1])
        server = json.loads(told)
        yield Server(server["model"], server["http"], server["grpc"], server["pid"])
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=120)


def make_inputs(protocol: str, tensors: Mapping[str, NDArray[Any]]) -> list[Any]:
    """The tensors as the client of `protocol` sends them."""
    module = tritonclient.http if protocol == HTTP else tritonclient.grpc
    inputs = []
    for name, array in tensors.items():
        inputs.append(module.InferInput(name, array.shape, _TYPES[array.dtype.name]))
        inputs[-1].set_data_from_numpy(array)
    return inputs


def one_alpha(alpha: float) -> NDArray[np.float32]:
    """As a request for one image holds it."""
    return np.array([[alpha]], np.float32)
