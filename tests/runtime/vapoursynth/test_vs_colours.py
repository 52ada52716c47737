"""Colours of films on their way through the filter, by the formulas of ITU-R BT.601 and BT.709: what the network sees,
and what the film that is made of it holds."""

from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import pytest
from colour_frames import FULL, LIMITED, shown, stored
from ffmpeg import ffmpeg
from in_vapoursynth import in_vapoursynth
from onnx import TensorProto, helper
from onnx_models import METADATA

from dni_runtime import write_metadata

SCRIPT = Path(__file__).parents[2] / "support" / "vapoursynth" / "colours_there_and_back.py"
MATRICES = {6: "smpte170m", 1: "bt709"}
RANGES = {LIMITED: "tv", FULL: "pc"}
UNMARKED = "unmarked"
KINDS = [*product(MATRICES, RANGES, (8, 10))]
# Float32 of the film's values, of which each has an error of 6e-8 and is multiplied by at most 2.
TOLERANCE = 1e-6


def name_of(matrix: int, range_: int, bits: int) -> str:
    return f"{MATRICES[matrix]}-{RANGES[range_]}-{bits}"


def chart(bits: int) -> npt.NDArray[np.int64]:
    """Every 15th value of each plane beside every other's, (H, W, 3): beyond the range, too, and what no RGB has."""
    values = np.arange(0, 256, 15) << (bits - 8)
    every = np.stack(np.meshgrid(values, values, values), axis=-1).reshape(-1, 3)
    return np.random.default_rng(0).permutation(every).reshape(54, 108, 3)


def film(place: Path, planes: npt.NDArray[np.int64], marks: tuple[object, ...]) -> Path:
    """One frame, 4:4:4 of 8 or 10 bits, exactly."""
    bits = 10 if planes.max() > 255 else 8
    raw = place.with_suffix(".raw")
    raw.write_bytes(planes.transpose(2, 0, 1).astype("<u2" if bits == 10 else "u1").tobytes())
    pixels = "yuv444p10le" if bits == 10 else "yuv444p"
    source = ("-f", "rawvideo", "-pix_fmt", pixels, "-s", f"{planes.shape[1]}x{planes.shape[0]}", "-i", raw)
    ffmpeg(*source, *marks, "-c:v", "ffv1", "-level", 3, place)
    return place


def returning(place: Path) -> Path:
    """A network that returns its input times alpha."""
    shape = ["N", 3, "H", "W"]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in ("input", "output")]
    alpha = helper.make_tensor_value_info("alpha", TensorProto.FLOAT, [1])
    node = helper.make_node("Mul", ["input", "alpha"], ["output"])
    graph = helper.make_graph([node], "network", [ends[0], alpha], [ends[1]])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    write_metadata(model, METADATA)
    onnx.save(model, place)
    return place


@pytest.fixture(scope="module")
def through(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """What VapourSynth made of a film of every kind, and of one that says nothing of its colours."""
    folder = tmp_path_factory.mktemp("colours")
    for matrix, range_, bits in KINDS:
        name, limits = MATRICES[matrix], RANGES[range_]
        marks = f"setparams=colorspace={name}:range={limits}:color_primaries={name}:color_trc={name}"
        film(folder / f"{name_of(matrix, range_, bits)}.mkv", chart(bits), ("-vf", marks, "-color_range", limits))
    film(folder / f"{UNMARKED}.mkv", chart(8), ())
    names = [path.stem for path in folder.glob("*.mkv")]
    result = in_vapoursynth("python", SCRIPT, returning(folder / "model.onnx"), folder, *names)
    assert result.code == 0, result.err
    yield {name: np.load(folder / f"{name}.npz") for name in names}


@pytest.mark.parametrize(("matrix", "range_", "bits"), KINDS)
def test_the_network_sees_what_the_standard_says(through: dict[str, Any], matrix: int, range_: int, bits: int):
    wanted = shown(chart(bits), matrix, range_, bits).clip(0, 1)
    np.testing.assert_allclose(through[name_of(matrix, range_, bits)]["seen"], wanted, rtol=0, atol=TOLERANCE)


def test_a_film_that_says_nothing_is_what_the_call_says(through: dict[str, Any]):
    found, bt709 = through[UNMARKED], through[name_of(1, LIMITED, 8)]
    for what in ("seen", "returned", "marks"):
        np.testing.assert_array_equal(found[what], bt709[what])


@pytest.mark.parametrize(("matrix", "range_", "bits"), KINDS)
def test_the_film_holds_what_the_standard_says(through: dict[str, Any], matrix: int, range_: int, bits: int):
    found = through[name_of(matrix, range_, bits)]
    assert tuple(found["marks"]) == (matrix, 0 if range_ == LIMITED else 1)
    colours = shown(chart(bits), matrix, range_, bits)
    apart = np.abs(stored(colours.clip(0, 1), matrix, range_, bits) - found["returned"])
    # A value just between two steps may be rounded to either of them.
    assert apart.max() <= 1 and np.count_nonzero(apart) <= 1e-3 * apart.size
    inside = ((colours > 0) & (colours < 1)).all(axis=-1)
    assert inside.sum() > 500
    np.testing.assert_array_equal(found["returned"][inside], chart(bits)[inside])
