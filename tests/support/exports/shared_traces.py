"""Each network is traced once: what PyTorch makes of a network, three quarters of an export, depends on no weight.

The tests export the same small networks again and again, with other endpoints and options. Of two networks that
cannot be told apart the second is given a copy of the first one's graph. The processes that tests start share nothing.
"""

import functools
import gc
import importlib
import io
import pickle
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from torch import Tensor, nn

KEPT = 100


def share() -> None:
    module = importlib.import_module("dni_exporters.making.steps")
    module.trace = sharing(module.trace)  # type: ignore[attr-defined]
    # An export asks whether its host has frozen objects, as these tests have; to count them takes 30 ms.
    gc.get_freeze_count = lambda: 1


def sharing(trace: Callable[..., Any]) -> Callable[..., Any]:
    """`trace`, which gives a copy of its answer where it has been asked the same before."""
    known: dict[Any, Any] = {}

    @functools.wraps(trace)
    def shared(network: nn.Module, input_shape: tuple[int, ...], **options: Any) -> Any:
        key = identity(network), tuple(input_shape), *sorted(options.items())
        if key[0] is None:
            return trace(network, input_shape, **options)
        if key not in known:
            known[key] = trace(network, input_shape, **options)
            forget_pytorchs_graph(known[key].model.graph)
            # The graph is kept, and with it what PyTorch has loaded for it: as in exporting.py.
            gc.collect()
            gc.freeze()
            if len(known) > KEPT:
                del known[next(iter(known))]
        # The exporter writes into the model.
        return replace(known[key], model=known[key].model.clone())

    return shared


def forget_pytorchs_graph(graph: Any) -> None:
    for node in graph.all_nodes():
        for one in (node, *node.inputs, *node.outputs):
            if one is not None:
                one.meta.clear()


def identity(network: nn.Module) -> bytes | None:
    """All that a network is but the values of its weights; None where that cannot be said, as with local classes."""
    weights = [tensor for tensor in network.state_dict(keep_vars=True).values() if tensor.is_floating_point()]
    numbers = {id(tensor): number for number, tensor in reversed([*enumerate(weights)])}

    class WithoutWeights(pickle.Pickler):
        def persistent_id(self, value: object) -> object:
            if not isinstance(value, Tensor):
                return None
            if (number := numbers.get(id(value))) is None:  # it stays in the graph
                number = value.detach().contiguous().numpy().tobytes()
            return number, value.dtype, tuple(value.shape), value.requires_grad

    written = io.BytesIO()
    try:
        WithoutWeights(written).dump(network)
    except (pickle.PicklingError, AttributeError, TypeError, RuntimeError):  # the last of parametrized modules
        return None
    return written.getvalue()
