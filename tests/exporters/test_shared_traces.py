"""What the tests share does not show: networks that differ are told apart, and a copy is as good as a trace."""

from pathlib import Path

import onnx
import pytest
import torch
from networks import NETWORKS, conv, pair
from shared_traces import identity, sharing
from torch import nn

from dni_exporters.tracing.skeleton import trace

SHAPE = (1, 3, 16, 16)


def graph(skeleton: object, path: Path) -> bytes:
    import onnx_ir

    onnx_ir.save(skeleton.model, path)  # type: ignore[attr-defined]
    return onnx.load(path).SerializeToString()


@pytest.mark.parametrize("name", ["batch_norm", "non_persistent_buffer", "unet"])
def test_a_copy_is_what_a_trace_would_be_and_belongs_to_who_asked(tmp_path: Path, name: str):
    plain = trace(pair(name)[0], SHAPE)
    asked = []

    def ask(*arguments: object, **options: object) -> object:
        asked.append(1)
        return trace(*arguments, **options) if len(asked) == 1 else plain  # at what comes then nobody looks

    shared = sharing(ask, tmp_path)
    first = shared(pair(name)[0], SHAPE)
    first.model.graph.remove(first.model.graph[-1])  # what the exporter does to it is its own
    again = shared(pair(name)[0], SHAPE)
    assert len(asked) == 1
    assert graph(again, tmp_path / "again.onnx") == graph(plain, tmp_path / "plain.onnx")
    assert (again.layers, again.notes) == (plain.layers, plain.notes)
    shared(pair(name)[0], SHAPE, static=True)
    shared(pair(name)[0], (1, 3, 32, 16))
    assert len(asked) == 3


def test_networks_are_told_apart():
    known = [identity(pair(name)[0]) for name in NETWORKS]
    told = [one for one in known if one is not None]
    assert len(set(told)) == len(told) > 0.8 * len(NETWORKS)


class Scaled(nn.Module):
    def __init__(self, by: object) -> None:
        super().__init__()
        self.first, self.second, self.by = conv(3, 3), conv(3, 3), by


def test_by_all_but_the_values_of_weights():
    one = Scaled(2)
    assert identity(one) == identity(Scaled(2))
    assert identity(one) not in {identity(Scaled(3)), identity(Scaled(torch.ones(1)))}
    assert identity(Scaled(torch.ones(1))) != identity(Scaled(torch.zeros(1)))  # no weight: it stays in the graph
    tied = Scaled(2)
    tied.second.weight = tied.first.weight
    assert identity(tied) != identity(one)
    assert identity(one.half()) != identity(Scaled(2))
    assert identity(Scaled(2).train()) != identity(Scaled(2).eval())
    with_hook = Scaled(2)
    with_hook.register_forward_hook(lambda *_: None)
    assert identity(with_hook) is None
