"""Stored differences that are refused: options that make no sense together, files beyond the bound."""

from pathlib import Path

import pytest
from exporting import small_pair
from networks import pair

from dni_exporters import export
from dni_runtime import ExportError, ParityError


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"alphas": [0.5]}, "--delta is for --alpha-input: a baked model holds one set of weights, and no difference"),
        ({"alpha_input": True, "weights": "link"}, "the endpoints' own files hold no difference; use --weights embed"),
        ({"alpha_input": True, "delta": "int4"}, "delta is 'int4'; expected one of int8, float16"),
    ],
)
def test_what_makes_no_sense_is_refused(tmp_path: Path, options: dict, message: str):
    network, endpoints = small_pair()
    with pytest.raises(ExportError, match=message):
        export(endpoints, tmp_path / "model.onnx", arch=network, **{"delta": "int8", **options})
    assert list(tmp_path.iterdir()) == []


def test_a_file_beyond_the_bound_is_not_written(tmp_path: Path):
    """A pair that lies far apart: int8 is too coarse for it, and whoever asks for more is told."""
    network, a, b = pair("unet")
    with pytest.raises(ParityError, match=r"the ONNX model differs from PyTorch by .* nothing was written"):
        export([a, b], tmp_path / "model.onnx", alpha_input=True, arch=network, delta="int8")
    network, endpoints = small_pair()
    with pytest.raises(ParityError, match=r"expected at most 1e-05; nothing was written"):
        export(endpoints, tmp_path / "model.onnx", alpha_input=True, arch=network, delta="int8", atol=1e-5)
    assert list(tmp_path.iterdir()) == []
