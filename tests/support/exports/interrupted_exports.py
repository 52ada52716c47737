"""What the processes of test_interruption run, and what they are forked from."""

import gc
import resource
import signal
import tempfile
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import shared_traces
from networks import Weights
from torch import nn

from dni_exporters import export
from dni_runtime import DniError

# About 2 MB in an alpha-input model, 1 MB in a baked one.
WEIGHT_BYTES = 4 * 250 * 100 * 9


def endpoints() -> tuple[nn.Module, list[Weights]]:
    network = nn.Sequential(nn.Conv2d(3, 250, 3, padding=1), nn.Conv2d(250, 100, 3, padding=1), nn.Conv2d(100, 3, 1))
    a = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    return network, [a, {name: 1.01 * tensor for name, tensor in a.items()}]


def work(pipe: Connection, output: Path, limit_bytes: int, repeat: int, traced: bool, options: dict[str, Any]) -> None:
    """Export `repeat` times; send the name of each step and the text of an error. Unless `traced`, trace anew."""
    network, weights = endpoints()
    if not traced:
        network = nn.Sequential(network)
        weights = [{f"0.{name}": tensor for name, tensor in each.items()} for each in weights]
    if limit_bytes:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, limit_bytes))
    try:
        for _ in range(repeat):
            # The verdict writes nothing, and takes longer than all else of such an export.
            export(weights, output, arch=network, force=True, verdict=False, progress=pipe.send, **options)
    except DniError as error:
        pipe.send(f"{type(error).__name__}: {error}")
    except KeyboardInterrupt:
        pipe.send("interrupted")


def warm_up() -> None:
    """The forks find the network traced: what is killed is what writes."""
    shared_traces.share()
    network, weights = endpoints()
    with tempfile.TemporaryDirectory() as folder:
        export(weights, Path(folder, "model.onnx"), alphas=[0.5], arch=network, verify=False, verdict=False)
    gc.collect()
    gc.freeze()  # an export searches for garbage: not among all that PyTorch has loaded
