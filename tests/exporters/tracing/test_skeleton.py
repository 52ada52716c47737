import onnx_ir as ir
import pytest
import torch
from exporting import small_network
from networks import conv, pair
from torch import Tensor, nn

from dni_exporters.tracing.skeleton import Skeleton, trace
from dni_runtime import ExportError

SHAPE = (2, 3, 16, 20)


def lifted(skeleton: Skeleton) -> list[str]:
    return [str(value.name) for value in skeleton.model.graph.inputs[1:]]


def operators(skeleton: Skeleton) -> list[str]:
    return [node.op_type for node in skeleton.model.graph]


def test_every_weight_becomes_an_input_of_its_name_and_shape():
    network = small_network()
    skeleton = trace(network, SHAPE)
    assert skeleton.model.graph.inputs[0].name == "input"
    assert sorted(lifted(skeleton)) == sorted(network.state_dict())
    for value in skeleton.model.graph.inputs[1:]:
        assert list(value.shape) == list(network.state_dict()[value.name].shape)
        assert value.dtype == ir.DataType.FLOAT


def test_nothing_of_the_first_endpoints_values_is_in_the_graph():
    """Zero biases, equal tensors and a BatchNorm tempt the optimizer; here it knows no weights."""
    network = nn.Sequential(conv(3, 8, bias=False), nn.BatchNorm2d(8), conv(8, 8), conv(8, 8), conv(8, 3))
    with torch.no_grad():
        for tensor in network.state_dict().values():
            tensor.zero_()
    skeleton = trace(network.eval(), SHAPE)
    counters = {"1.num_batches_tracked"}
    assert set(lifted(skeleton)) == set(network.state_dict()) - counters
    assert operators(skeleton) == ["Conv", "BatchNormalization", "Conv", "Conv", "Conv"]
    assert not any(name in network.state_dict() for name in skeleton.model.graph.initializers)


def test_integer_buffers_stay_inside():
    network, _, _ = pair("integer_buffer")
    skeleton = trace(network, SHAPE)
    assert "index" not in lifted(skeleton)
    assert "table" in lifted(skeleton)


def test_of_tied_weights_one_name_is_left():
    skeleton = trace(pair("tied")[0], SHAPE)
    assert len({"a.weight", "b.weight"} & set(lifted(skeleton))) == 1


def test_dynamic_dimensions_are_called_n_h_w():
    graph = trace(nn.Sequential(conv(3, 12), nn.PixelShuffle(2)), SHAPE).model.graph
    assert [getattr(d, "value", d) for d in graph.inputs[0].shape] == ["N", 3, "H", "W"]
    assert [getattr(d, "value", d) for d in graph.outputs[0].shape] == ["N", 3, "2*H", "2*W"]
    assert (graph.inputs[0].name, graph.outputs[0].name) == ("input", "output")


def test_one_image_stays_one_image():
    """Of two, code may make something else (their mean), and nothing that was traced tells."""
    skeleton = trace(small_network(), (1, *SHAPE[1:]))
    assert [getattr(d, "value", d) for d in skeleton.model.graph.inputs[0].shape] == [1, 3, "H", "W"]
    assert skeleton.notes == ()


class _Turning(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * 2 if x.mean() > 0.5 else x


@pytest.mark.parametrize("static", [False, True])
def test_code_that_turns_on_an_images_values_is_told_so(static: bool):
    with pytest.raises(ExportError, match=r"asks for values that it computes of the image") as refused:
        trace(_Turning(), SHAPE, static=static)
    assert "--static" not in str(refused.value)


def test_static_dimensions_are_numbers():
    skeleton = trace(small_network(), SHAPE, static=True)
    assert list(skeleton.model.graph.inputs[0].shape) == list(SHAPE)
    assert skeleton.notes == ()


@pytest.mark.parametrize("opset", [18, 19, 20])
def test_the_opset_is_the_one_asked_for(opset: int):
    assert trace(small_network(), SHAPE, opset=opset).model.opset_imports[""] == opset


def test_half_keeps_images_and_batch_norms_in_float32():
    network, _, _ = pair("batch_norm")
    graph = trace(network, SHAPE, half=True).model.graph
    assert (graph.inputs[0].dtype, graph.outputs[0].dtype) == (ir.DataType.FLOAT, ir.DataType.FLOAT)
    assert (graph.inputs[0].name, graph.outputs[0].name) == ("input", "output")
    for value in graph.inputs[1:]:
        norm = value.name.split(".")[0] in ("1", "4")
        assert value.dtype == (ir.DataType.FLOAT if norm else ir.DataType.FLOAT16)
    assert {tensor.dtype for tensor in network.state_dict().values()} == {torch.float32, torch.int64}


def test_layers_name_each_modules_output():
    network = nn.Sequential(conv(3, 8), nn.Sequential(nn.ReLU(), conv(8, 8)), conv(8, 3))
    skeleton = trace(network.eval(), SHAPE)
    produced = {value.name: node.op_type for node in skeleton.model.graph for value in node.outputs}
    assert {name: produced[value] for name, value in skeleton.layers.items()} == {
        "0": "Conv",
        "1": "Conv",
        "1.0": "Relu",
        "1.1": "Conv",
        "2": "Conv",
    }
    assert skeleton.layers["2"] == "output"


def test_no_trace_of_this_machine_is_left():
    model = trace(small_network(), SHAPE).model
    assert all(not node.metadata_props for node in model.graph.all_nodes())


class Branches(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = conv(3, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x) if x.mean() > 0.5 else x


def test_a_network_that_branches_on_its_input_is_refused_in_one_line():
    with pytest.raises(ExportError, match="PyTorch cannot export the network to ONNX: ") as caught:
        trace(Branches(), SHAPE)
    assert "\n" not in str(caught.value)
    assert "data-dependent" in str(caught.value)


@pytest.mark.parametrize(
    "network",
    [pytest.param(small_network(), id="success"), pytest.param(Branches(), id="failure")],
)
def test_tracing_is_silent(network: nn.Module, capfd: pytest.CaptureFixture[str]):
    try:
        trace(network, SHAPE)
    except ExportError:
        assert isinstance(network, Branches)
    assert capfd.readouterr() == ("", "")
