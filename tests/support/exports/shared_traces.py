"""Each network is traced once: what PyTorch makes of a network, three quarters of an export, depends on no weight.

The tests export the same small networks again and again, with other endpoints and options. Of two networks that
cannot be told apart the second is given a copy of the first one's graph, and endpoints that have been judged are not
tried on the photographs again. The processes of a run share a folder of what is known.
"""

import functools
import gc
import hashlib
import importlib
import io
import os
import pickle
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import onnx
import onnx_ir as ir
from exporting import make_exports_faster
from torch import Tensor, nn, uint8

from dni_exporters.tracing.skeleton import Skeleton


def share() -> None:
    make_exports_faster()
    folder = Path(os.environ["DNI_TESTS_TRACES"])
    folder.mkdir(parents=True, exist_ok=True)
    module = importlib.import_module("dni_exporters.making.traced")
    module.trace = sharing(module.trace, folder)  # type: ignore[attr-defined]
    trials = importlib.import_module("dni_exporters.verdict.judge").Trials
    trials.judge = sharing_verdicts(trials.judge, folder)
    # An export asks whether its host has frozen objects, as these tests have; to count them takes 30 ms.
    gc.get_freeze_count = lambda: 1


def sharing(trace: Callable[..., Skeleton], folder: Path) -> Callable[..., Skeleton]:
    """`trace`, which gives a copy of its answer where it has been asked the same before."""

    @functools.wraps(trace)
    def shared(network: nn.Module, input_shape: tuple[int, ...], **options: Any) -> Skeleton:
        def make() -> tuple[bytes, *tuple[Any, ...]]:
            made = trace(network, input_shape, **options)
            return ir.to_proto(made.model).SerializeToString(), made.layers, made.notes, made.turns

        if (known := identity(network)) is None:
            return trace(network, input_shape, **options)
        graph, *others = remembered(folder, (known, tuple(input_shape), sorted(options.items())), make)
        return Skeleton(ir.from_proto(onnx.load_model_from_string(graph)), *others)

    return shared


def sharing_verdicts(judge: Callable[..., Any], folder: Path) -> Callable[..., Any]:
    """`judge` of Trials, which knows what it said of the same endpoints where nobody looks at the pictures."""

    @functools.wraps(judge)
    def shared(trials: Any, network: nn.Module, endpoints: Any, contract: Any, **options: Any) -> Any:
        def make() -> tuple[Any, list[str]]:
            steps: list[str] = []
            return judge(replace(trials, progress=steps.append), network, endpoints, contract, **options), steps

        known = identity(network)
        if known is None or trials.photographs is not None or trials.seen is not None:
            return judge(trials, network, endpoints, contract, **options)
        key = known, digest(*endpoints), contract, sorted(options.items())
        verdict, steps = remembered(folder, key, make)
        network.load_state_dict(endpoints[0])
        for step in steps if trials.progress is not None else ():
            trials.progress(step)
        return verdict

    return shared


def remembered(folder: Path, key: object, make: Callable[[], Any]) -> Any:
    path = folder / hashlib.sha256(repr(key).encode()).hexdigest()
    if not path.exists():
        value = make()
        with tempfile.NamedTemporaryFile(dir=folder, delete=False) as file:
            file.write(pickle.dumps(value))
        os.replace(file.name, path)
    return pickle.loads(path.read_bytes())


def digest(*endpoints: dict[str, Tensor]) -> str:
    found = hashlib.sha256()
    for endpoint in endpoints:
        for name, tensor in endpoint.items():
            found.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
            found.update(tensor.detach().contiguous().view(-1).view(uint8).numpy())
    return found.hexdigest()


def identity(network: nn.Module) -> bytes | None:
    """All that a network is but the values of its weights; None where that cannot be said, as with local classes."""
    weights = [tensor for tensor in network.state_dict(keep_vars=True).values() if tensor.is_floating_point()]
    numbers = {id(tensor): number for number, tensor in reversed([*enumerate(weights)])}
    sources: list[str | None] = []

    class WithoutWeights(pickle.Pickler):
        def persistent_id(self, value: object) -> object:
            if not isinstance(value, Tensor):
                return None
            if (number := numbers.get(id(value))) is None:  # it stays in the graph
                number = value.detach().contiguous().numpy().tobytes()
            return number, value.dtype, tuple(value.shape), value.requires_grad

        def reducer_override(self, value: object) -> Any:
            """Files of a user's network may have one name and other code."""
            if isinstance(value, type):
                sources.append(getattr(sys.modules.get(value.__module__), "__file__", None))
            return NotImplemented

    written = io.BytesIO()
    try:
        WithoutWeights(written).dump(network)
    except (pickle.PicklingError, AttributeError, TypeError, RuntimeError):  # the last of parametrized modules
        return None
    return written.getvalue() + repr(sources).encode()
