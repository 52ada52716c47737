"""What cannot be asked of one export together, and what to leave out."""

from __future__ import annotations

import math
from collections.abc import Mapping
from numbers import Integral
from typing import Any, Protocol

from dni_runtime import ExportError

_SHAPE_LENGTH = 4
# Of the image to trace with: a gigabyte, before the network makes anything of it.
_MOST_NUMBERS = 2**28


class Asked(Protocol):
    """What is looked at of an `ExportJob`, which says what each means."""

    @property
    def alpha_input(self) -> bool: ...
    @property
    def alpha_default(self) -> Any: ...
    @property
    def baked(self) -> bool: ...
    @property
    def delta(self) -> str | None: ...
    @property
    def half(self) -> bool: ...
    @property
    def ir_version(self) -> int | None: ...
    @property
    def is_blended_again(self) -> bool: ...
    @property
    def is_for_ncnn(self) -> bool: ...
    @property
    def ncnn_form(self) -> bool: ...
    @property
    def opset(self) -> int | None: ...
    @property
    def single_input(self) -> str | None: ...
    @property
    def static(self) -> bool: ...
    @property
    def tool(self) -> str | None: ...
    @property
    def weights(self) -> str: ...


def check_together(asked: Asked) -> None:
    """Raise ExportError for arguments of which each may be asked for, but not all."""
    if asked.is_for_ncnn and asked.alpha_input:
        raise ExportError(
            "--format ncnn does not go with --alpha-input: the weights in ncnn's files are fixed; give --alpha X, or a "
            "list of them. For alpha at run time write an ONNX file with --ncnn-form, or blend two of ncnn's files in "
            "your program (docs/how-to/ncnn.md)"
        )
    if asked.alpha_input == asked.baked:
        raise ExportError(
            "say which model to make: one that takes alpha at run time (--alpha-input, alpha_input=True) or one for a "
            "fixed alpha (--alpha X, alphas=[X]), not both"
        )
    if asked.baked:
        _check_baked(asked)
    if asked.delta is not None and asked.weights == "link":
        raise ExportError(
            "--weights link does not go with --delta: the endpoints' own files hold no difference; "
            "use --weights embed or external"
        )
    if asked.single_input is not None:
        _check_single_input(asked, asked.single_input)
    if asked.ncnn_form:
        _check_ncnn_form(asked)
    if asked.is_for_ncnn:
        _check_ncnn_files(asked)


def check_shape(shape: tuple[int, int, int, int] | None) -> None:
    """Raise ExportError unless `shape` is N, C, H and W of an image to trace with, or None."""
    if shape is None:
        return
    sides = [side for side in shape if isinstance(side, Integral) and side > 0]
    if not len(shape) == len(sides) == _SHAPE_LENGTH or math.prod(sides) > _MOST_NUMBERS:
        raise ExportError(
            f"input_shape is {shape!r:.100}; expected N, C, H and W, whole numbers from 1 on, of an image of "
            f"{_MOST_NUMBERS:,} numbers at most, such as (1, 3, 64, 64)"
        )


def _check_baked(asked: Asked) -> None:
    if asked.alpha_default is not None:
        raise ExportError("--alpha-default is for --alpha-input: a baked model has no alpha to leave out")
    if asked.weights == "link":
        raise ExportError("--weights link is for --alpha-input: a baked model holds weights that no endpoint has")
    if asked.delta is not None:
        raise ExportError("--delta is for --alpha-input: a baked model holds one set of weights, and no difference")


def _check_single_input(asked: Asked, kind: str) -> None:
    if (kind == "baked") != asked.baked:
        other, option = ("plane", "--alpha X") if kind == "baked" else ("baked", "--alpha-input")
        raise ExportError(
            f"--single-input {kind} is for {option}; give that, or --single-input {other} for what you have"
        )
    if asked.weights != "embed":
        raise ExportError(
            f"--single-input does not go with --weights {asked.weights}: tools that take one input read one file; "
            "use --weights embed"
        )
    if asked.alpha_default is not None:
        raise ExportError("--alpha-default is of no use with --single-input: there is no input to leave out")


def _check_ncnn_form(asked: Asked) -> None:
    others = {
        "--dtype float16": asked.half,
        "--single-input plane": asked.single_input == "plane",
        "--static": asked.static,
        f"--for {asked.tool}": asked.is_blended_again,
    }
    _refuse_beside(
        "--ncnn-form",
        others,
        "in ncnn a model computes in float32, has an alpha of its own, takes images of all sizes, and keeps its "
        "weights in no special place",
    )


def _check_ncnn_files(asked: Asked) -> None:
    others = {
        f"--weights {asked.weights}": asked.weights != "embed",
        f"--single-input {asked.single_input}": asked.single_input is not None,
        "--opset": asked.opset is not None,
        "--ir-version": asked.ir_version is not None,
        "--ncnn-form": asked.ncnn_form,
        "--static": asked.static,
    }
    _refuse_beside(
        "--format ncnn",
        others,
        "what is written is no ONNX file, but a .param file for images of all sizes, with its weights in a .bin file",
    )


def _refuse_beside(option: str, others: Mapping[str, bool], reason: str) -> None:
    """Raise ExportError for the first of `others` that is asked for beside `option`."""
    for other, is_asked in others.items():
        if is_asked:
            raise ExportError(f"{option} does not go with {other}: {reason}; leave one of the two out")
