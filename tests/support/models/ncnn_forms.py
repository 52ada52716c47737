"""Models with a form for ncnn that is written by hand, as pnnx writes it, so that no test needs pnnx."""

from collections.abc import Mapping

import onnx
from onnx_models import FEATURES, conv_stack

from dni_runtime.ncnn.form import KEY, Form, Part, Remainders

FIRST = f"0={FEATURES} 1=3 11=3 4=1 14=1 15=1 16=1 5=1 6={FEATURES * 27} 9=1"
SECOND = f"0=3 1=3 11=3 4=1 14=1 15=1 16=1 5=1 6={FEATURES * 27}"


def stack(first: str = FIRST, second: str = SECOND) -> str:
    """ncnn's graph of `conv_stack`; parameters of its two convolutions may be others."""
    return (
        "7767517\n3 3\n"
        "Input        in0      0 1 in0\n"
        f"Convolution  convrelu 1 1 in0 1 {first}\n"
        f"Convolution  conv     1 1 1 out0 {second}\n"
    )


PARTS = (
    Part("first.weight", 0, ((FEATURES * 27, 1),)),
    Part("first.bias", 0, ((FEATURES, 1),)),
    Part("second.weight", 0, ((FEATURES * 27, 1),)),
    Part("second.bias", 0, ((3, 1),)),
)


def form(graphs: Mapping[Remainders, str] | None = None, parts: tuple[Part, ...] = PARTS, period: int = 1) -> Form:
    return Form(period, graphs or {(0, 0): stack()}, parts, "20261020")


def with_form(model: onnx.ModelProto | None = None, given: Form | str | None = None) -> onnx.ModelProto:
    """`model` (conv_stack) with a form, or with a text in its place."""
    made = conv_stack() if model is None else model
    text = given if isinstance(given, str) else (given or form()).to_json()
    made.metadata_props.add(key=KEY, value=text)
    return made
