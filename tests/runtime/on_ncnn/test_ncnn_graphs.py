"""Graphs and forms for ncnn as strangers may write them: refused before ncnn, which believes them, sees them."""

import json
import math
from pathlib import Path

import hypothesis
import hypothesis.strategies as st
import ncnn_forms
import pytest
from onnx_models import save

from dni_runtime import InputError, ModelError, load
from dni_runtime.ncnn.form import Form, Part
from dni_runtime.ncnn.layers import FormError, read_layers
from dni_runtime.ncnn.shapes import result_shape

IMAGE = (4, 12, 20)


def one(line: str, more: str = "") -> str:
    """A graph of one layer, `line`; lines in `more` come before it."""
    lines = [*filter(None, more.split("\n")), line]
    made = sum(int(each.split()[3]) for each in lines)
    return "\n".join(["7767517", f"{1 + len(lines)} {1 + made}", "Input in0 0 1 in0", *lines, ""])


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        ("Convolution c 1 1 in0 out0 0=6 1=3 6=216", (6, 10, 18)),
        ("Convolution c 1 1 in0 out0 0=6 1=3 11=1 4=1 14=0 6=72 3=2", (6, 6, 10)),
        ("Convolution c 1 1 in0 out0 0=6 1=3 2=2 6=216", (6, 8, 16)),
        ("ConvolutionDepthWise c 1 1 in0 out0 0=4 1=3 6=36 7=4", (4, 10, 18)),
        ("Deconvolution c 1 1 in0 out0 0=3 1=4 3=2 4=1 6=192", (3, 24, 40)),
        ("Deconvolution c 1 1 in0 out0 0=3 1=3 3=2 4=1 18=1 19=1 6=108", (3, 24, 40)),
        ("Padding p 1 1 in0 out0 0=1 1=2 2=3 3=4 4=2", (4, 15, 27)),
        ("Crop c 1 1 in0 out0 -23309=2,1,-5 -23310=2,-1,-2 -23311=2,1,2", (4, 10, 3)),
        ("Reduction r 1 1 in0 out0 0=3 1=0 -23303=2,1,2 4=1 5=1", (4, 1, 1)),
        ("PixelShuffle s 1 1 in0 out0 0=2", (1, 24, 40)),
        ("Reorg s 1 1 in0 out0 0=2", (16, 6, 10)),
        ("Interp i 1 1 in0 out0 0=2 1=2.0 2=1.5", (4, 24, 30)),
        ("Pooling p 1 1 in0 out0 0=0 1=2 2=2 5=1", (4, 6, 10)),
        ("Pooling p 1 1 in0 out0 0=1 4=1", (4,)),
        ("BinaryOp b 1 1 in0 out0 0=2 1=1 2=0.2", (4, 12, 20)),
        ("PReLU p 1 1 in0 out0 0=4", (4, 12, 20)),
    ],
)
def test_shapes(layer: str, shape: tuple[int, ...]):
    assert result_shape(read_layers(one(layer)), IMAGE) == shape


def test_shapes_of_layers_that_belong_together():
    more = "Split s 1 3 in0 a b c\nPooling p 1 1 a d 0=1 4=1\nConvolution v 1 1 d e 0=4 1=1 6=16\nConcat k 2 1 b c f"
    assert result_shape(read_layers(one("ReLU r 1 1 f out0", "Split s 1 2 in0 a b\nConcat k 2 1 a b f")), IMAGE) == (
        8,
        12,
        20,
    )
    text = one("BinaryOp m 2 1 g e out0 0=2", more + "\nSlice x 1 2 f g h -23300=2,4,-233\nReLU unread 1 1 h i")
    with pytest.raises(FormError, match="more than one result"):
        read_layers(text)
    joined = one("Concat k 2 1 y h out0", more + "\nSlice x 1 2 f g h -23300=2,4,-233\nBinaryOp m 2 1 g e y 0=2")
    assert result_shape(read_layers(joined), IMAGE) == (8, 12, 20)


def test_a_clip_without_an_upper_end():
    assert result_shape(read_layers(one("Clip c 1 1 in0 out0 0=1.0e-01 1=3.40282347e+38")), IMAGE) == IMAGE


@pytest.mark.parametrize("factors", ["", " -23301=2,1.3,0.3"])
def test_shapes_of_sums(factors: str):
    assert result_shape(read_layers(one(f"Eltwise e 2 1 a b out0 0=1{factors}", "Split s 1 2 in0 a b")), IMAGE) == IMAGE


@pytest.mark.parametrize(
    ("layer", "more"),
    [
        ("Eltwise e 2 1 a b out0 0=1 -23301=1,1.3", "Split s 1 2 in0 a b"),  # a factor is read that is not there
        ("Eltwise e 2 1 a b out0 0=9", "Split s 1 2 in0 a b"),
        ("Eltwise e 2 1 a c out0 0=1", "Split s 1 2 in0 a b\nReorg r 1 1 b c 0=2"),
    ],
)
def test_sums_that_cannot_be(layer: str, more: str):
    with pytest.raises(FormError):
        result_shape(read_layers(one(layer, more)), IMAGE)


@pytest.mark.parametrize(
    "layer",
    [
        "Convolution c 1 1 in0 out0 0=6 1=3 6=217",
        "Convolution c 1 1 in0 out0 0=6 1=3 6=1000000",
        "Convolution c 1 1 in0 out0 0=6 1=3 6=216 9=2",  # an activation whose number is not there
        "Convolution c 1 1 in0 out0 0=6 1=3 6=216 9=77",
        "Convolution c 1 1 in0 out0 0=6 1=3 6=216 3=0",
        "Convolution c 1 1 in0 out0 0=6 1=3 6=216 4=-1",
        "Convolution c 1 1 in0 out0 0=6 1=3 6=216 19=1",  # weights from another layer
        "Convolution c 1 1 in0 out0 0=6 1=3 6=216 8=1",  # of int8
        "Convolution c 1 1 in0 out0 0=6 1=13 6=4056",
        "Convolution c 1 1 in0 out0 0=6.5 1=3 6=216",
        "ConvolutionDepthWise c 1 1 in0 out0 0=4 1=3 6=36 7=3",
        "ConvolutionDepthWise c 1 1 in0 out0 0=4 1=3 6=36 7=0",
        "Deconvolution c 1 1 in0 out0 0=3 1=4 3=2 4=1 6=192 20=9",
        "Deconvolution c 1 1 in0 out0 0=3 1=4 4=40 6=192",
        "Padding p 1 1 in0 out0 0=12 1=0 2=0 3=0 4=2",
        "Padding p 1 1 in0 out0 0=1 1=0 2=0 3=0 4=7",
        "Padding p 1 1 in0 out0 0=1 1=0 2=0 3=0 6=4",
        "Padding p 1 1 in0 out0 0=2147483647 1=0 2=0 3=2147483647",
        "Crop c 1 1 in0 out0 -23309=1,30 -23310=1,40 -23311=1,1",
        "Crop c 1 1 in0 out0 -23309=2,1,1 -23310=1,4 -23311=1,1",
        "Crop c 1 1 in0 out0 -23309=1,1 -23310=1,4 -23311=1,7",
        "Crop c 1 1 in0 out0 0=1 1=1 3=99 4=99",
        "Reduction r 1 1 in0 out0 0=3 1=0 -23303=1,5 4=1 5=1",
        "PixelShuffle s 1 1 in0 out0 0=3",
        "PixelShuffle s 1 1 in0 out0 0=0",
        "Reorg s 1 1 in0 out0 0=7",
        "Interp i 1 1 in0 out0 0=2 1=1000000.0 2=1000000.0",
        "Interp i 1 1 in0 out0 0=2 3=99 4=99",
        "Interp i 1 1 in0 out0 0=2 1=0.0001 2=1.0",
        "Pooling p 1 1 in0 out0 0=0 1=50 2=1 5=1",
        "Pooling p 1 1 in0 out0 0=0 1=2 2=2 3=9 5=1",
        "PReLU p 1 1 in0 out0 0=5",
        "BinaryOp b 1 1 in0 out0 0=99 1=1 2=0.2",
        "BinaryOp b 1 1 in0 out0 0=0",
        "UnaryOp u 1 1 in0 out0 0=99",
        "Sigmoid s 1 1 in0 out0 7=1",
        "MemoryData m 0 1 out0 0=3 1=4 2=5",  # and the image is read by none
    ],
)
def test_layers_that_cannot_take_what_they_get(layer: str):
    with pytest.raises(FormError):
        result_shape(read_layers(one(layer)), IMAGE)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "7767517",
        "7767518\n1 1\nInput in0 0 1 in0\n",
        "7767517\n2 1\nInput in0 0 1 in0\n",
        "7767517\n1 2\nInput in0 0 1 in0\n",
        "7767517\n1 1\nInput in0 0 1\n",
        "7767517\n1 1\nInput in0 0 99999999999 in0\n",
        one("Custom x 1 1 in0 out0"),
        one("YoloDetectionOutput x 1 1 in0 out0"),
        one("ReLU r 1 1 nothing out0"),
        one("ReLU r 1 1 in0 in0"),
        one("ReLU r 1 1 out0 out0"),
        one("ReLU r 2 1 in0 in0 out0"),
        one("Input other 0 1 out0"),
        one("ReLU r 1 1 in0 out0 0=nan"),
        one("ReLU r 1 1 in0 out0 0=1e99"),
        one("ReLU r 1 1 in0 out0 0=99999999999"),
        one("ReLU r 1 1 in0 out0 0=0.1 0=0.2"),
        one("ReLU r 1 1 in0 out0 99999=1"),
        one("ReLU r 1 1 in0 out0 -1=1"),
        one("ReLU r 1 1 in0 out0 0x10=1"),
        one("ReLU r 1 1 in0 out0 -23300=3,1,2"),
        one("ReLU r 1 1 in0 out0 -23300=99999,1"),
        one("ReLU r\x00 1 1 in0 out0"),
        one("ReLU " + "r" * 300 + " 1 1 in0 out0"),
        one("ReLU r 1 1 in0 out0") * 100_000,
    ],
)
def test_texts_that_are_no_graph(text: str):
    with pytest.raises(FormError):
        read_layers(text)


@hypothesis.given(data=st.data())
@hypothesis.settings(max_examples=200)
def test_whatever_becomes_of_a_graph_it_is_understood_or_refused(data: st.DataObject):
    """Words of the text changed for others."""
    words = ncnn_forms.stack().replace("\n", " \n ").split(" ")
    values = st.sampled_from(
        ["0", "-1", "1", "8", "0=8", "6=216", "in0", "Split", "\n", "-23310=1,2", "9=2", "7767517"]
    )
    for _ in range(data.draw(st.integers(1, 3))):
        words[data.draw(st.integers(0, len(words) - 1))] = data.draw(values)
    try:
        layers = read_layers(" ".join(words))
        shape = result_shape(layers, (3, 9, 11))
    except FormError:
        return
    assert 0 < math.prod(shape) < 2**31


def text(**changes: object) -> str:
    values = json.loads(ncnn_forms.form().to_json())
    return json.dumps({**values, **changes})


GRAPH = {"height": 0, "width": 0, "param": ncnn_forms.stack()}
WEIGHTS = json.loads(ncnn_forms.form().to_json())["weights"]


@pytest.mark.parametrize(
    "given",
    [
        "",
        "[]",
        text(format=2),
        text(period=0),
        text(period=10**9),
        text(graphs=[]),
        text(graphs=[GRAPH] * 17),
        text(graphs=[{**GRAPH, "height": 1}]),
        text(graphs=[{**GRAPH, "param": "7767517"}]),
        text(graphs=[{**GRAPH, "param": ncnn_forms.stack(second=ncnn_forms.SECOND.replace("6=216", "6=8"))}]),
        text(period=2, graphs=[GRAPH, {**GRAPH, "width": 1, "param": one("ReLU r 1 1 in0 out0")}]),
        text(weights=WEIGHTS[:3]),
        text(weights=[{**WEIGHTS[0], "steps": [216]}, *WEIGHTS[1:]]),
        text(weights=[{**WEIGHTS[0], "steps": [216, -1]}, *WEIGHTS[1:]]),
        text(weights=[{**WEIGHTS[0], "steps": [216, 2**31]}, *WEIGHTS[1:]]),
        text(weights=[{**WEIGHTS[0], "steps": [2, 1] * 30}, *WEIGHTS[1:]]),
        text(weights=[{**WEIGHTS[0], "steps": [2.5, 1]}, *WEIGHTS[1:]]),
        text(weights=[{**WEIGHTS[0], "start": -1}, *WEIGHTS[1:]]),
        text(weights=[{**WEIGHTS[0], "value": 5}, *WEIGHTS[1:]]),
    ],
)
def test_texts_that_are_no_form(given: str, tmp_path: Path):
    path = save(ncnn_forms.with_form(given=given), tmp_path / "model.onnx")
    with pytest.raises(ModelError, match=r"form for ncnn.* cannot be read: .*; export the model again, or run it with"):
        load(path, "ncnn")


def test_two_forms(tmp_path: Path):
    path = save(ncnn_forms.with_form(ncnn_forms.with_form()), tmp_path / "model.onnx")
    with pytest.raises(ModelError, match="2 metadata entries"):
        load(path, "ncnn")


def test_a_form_is_read_as_it_was_written():
    graphs = {(0, 0): ncnn_forms.stack(), (0, 1): ncnn_forms.stack(), (1, 0): ncnn_forms.stack()}
    given = ncnn_forms.form(graphs, period=2)
    assert Form.from_json(given.to_json()) == given
    assert not given.is_for_all
    assert str(given) == "heights and widths that leave 0 and 0, 0 and 1, 1 and 0 when they are divided by 2"


def test_the_elements_of_a_part():
    assert Part("w", 5, ((2, 100), (3, 10))).index().tolist() == [5, 15, 25, 105, 115, 125]
    assert Part("w", 5, ((2, 100), (3, 10))).last == 125


def test_an_image_that_does_not_go_through(tmp_path: Path):
    """A graph that reads other channels than there are is refused, however well its weights fit each other."""
    other = ncnn_forms.stack().replace("Convolution  convrelu", "Convolution convrelu")
    wide = other.replace("0=8 1=3 11=3", "0=12 1=3 11=1").replace("0=3 1=3 11=3", "0=3 1=3 11=3")
    path = save(ncnn_forms.with_form(given=text(graphs=[{**GRAPH, "param": wide}])), tmp_path / "model.onnx")
    with pytest.raises((ModelError, InputError)):
        load(path, "ncnn")
