"""Metadata that is allowed and not true: images come out right or not at all, in memory that they justify."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from onnx_models import METADATA, picture, save

from dni_runtime import DniError, InputError, Metadata, ModelError, load
from dni_runtime.images.enhance import enhance_images

Run = Callable[[Any], Any]
ANY = ("N", 3, "H", "W")


def graph(
    *nodes: onnx.NodeProto, shape: tuple[Any, ...] = ANY, constants: dict[str, Any] | None = None
) -> onnx.ModelProto:
    """A model input -> output of these nodes, opset 18."""
    value = helper.make_tensor_value_info
    inputs, outputs = [value("input", TensorProto.FLOAT, shape)], [value("output", TensorProto.FLOAT, None)]
    stored = [numpy_helper.from_array(np.array(v), name) for name, v in (constants or {}).items()]
    made = helper.make_graph(nodes, "network", inputs, outputs, stored)
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def said(model: onnx.ModelProto, metadata: Metadata) -> onnx.ModelProto:
    del model.metadata_props[:]
    model.metadata_props.add(key="dni", value=metadata.to_json())
    return model


def identity(shape: tuple[Any, ...] = ANY) -> onnx.ModelProto:
    return graph(helper.make_node("Identity", ["input"], ["output"]), shape=shape)


def every_second(shape: tuple[Any, ...] = ANY) -> onnx.ModelProto:
    """Pixels 0, 2, 4, ... of both axes: a scale of 1/2, rounded up."""
    sliced = helper.make_node("Slice", ["input", "start", "end", "axes", "steps"], ["output"])
    constants = {"start": [0, 0], "end": [2**31, 2**31], "axes": [2, 3], "steps": [2, 2]}
    return graph(sliced, shape=shape, constants=constants)


def session(model: onnx.ModelProto) -> Run:
    opened = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return lambda x: opened.run(None, {"input": x})[0]


def dirty_memory(*sizes: int) -> None:
    """Leave freed memory behind that is full of 205, for whoever does not write what they ask for."""
    blocks = [np.full(size, 205, np.uint8) for size in sizes for _ in range(50)]
    del blocks


# What no tile covers.


@pytest.mark.parametrize(("side", "scale"), [(101, 51 / 101), (5, 3 / 5)])
def test_an_odd_size_of_a_fixed_network_at_half_the_scale(side: int, scale: float, tmp_path: Path):
    """As it is exported: the last row and column of the result were not written."""
    path = save(said(every_second((1, 3, side, side)), replace(METADATA, scale=scale)), tmp_path / "half.onnx")
    image = picture(side, side, 3)
    dirty_memory(side * side * 3, (side // 2 + 2) ** 2 * 3)
    with load(path) as model:
        np.testing.assert_array_equal(model.enhance(image), image[::2, ::2])


def test_a_fixed_size_of_which_the_scale_makes_no_pixels(tmp_path: Path):
    path = save(said(every_second((1, 3, 5, 5)), replace(METADATA, scale=0.5)), tmp_path / "half.onnx")
    with load(path) as model, pytest.raises(InputError, match=r"takes 5 pixels only, of which .* scale, 1/2, makes no"):
        model.enhance(picture(5, 5, 3))


@pytest.mark.parametrize(
    ("model", "scale"), [(identity(), 2), (identity(), 0.5), (every_second(), 1), (identity(), 64)]
)
@pytest.mark.parametrize("tile", [None, 16])
def test_an_output_of_another_size_than_the_scale_says(model: Any, scale: float, tile: int | None, tmp_path: Path):
    path = save(said(model, replace(METADATA, scale=scale)), tmp_path / "liar.onnx")
    with load(path) as opened, pytest.raises(InputError, match=r"the network made \d+x\d+ pixels of .*; expected"):
        opened.enhance(picture(24, 32, 3), tile=tile, overlap=2)


def test_a_scale_that_is_no_fraction(tmp_path: Path):
    path = save(said(identity(), replace(METADATA, scale=0.61803399)), tmp_path / "odd.onnx")
    with (
        load(path) as model,
        pytest.raises(InputError, match=r"is 0.61803399, no fraction of small numbers, .*model\(x\)"),
    ):
        model.enhance(picture(8, 8, 3))


def test_fewer_images_than_went_in(tmp_path: Path):
    """Small tiles run as one batch, of which this network gives the first one only."""
    first = graph(helper.make_node("Gather", ["input", "which"], ["output"], axis=0), constants={"which": [0]})
    path = save(said(first, METADATA), tmp_path / "first.onnx")
    with (
        load(path) as model,
        pytest.raises(DniError, match=r"shape \(1, 3, 16, 16\) (of|from one of) \(\d+, 3, 16, 16\)"),
    ):
        model.enhance(picture(32, 32, 3), tile=16)


def test_channels_that_change_from_tile_to_tile():
    tall, count = picture(40, 16, 3), iter([3, 1, 3])
    with pytest.raises(InputError, match="made 1 and 3 channels of tiles of one shape; expected one number"):
        enhance_images(lambda x: x[:, : next(count)], [tall], METADATA, (1, 3, 16, 16), overlap=2)


METADATAS = st.builds(
    lambda scale, multiple, minimum, overlap: replace(
        METADATA, scale=scale, size_multiple=multiple, size_minimum=minimum, overlap=overlap
    ),
    st.sampled_from([1, 1, 1, 0.5, 2, 1 / 3, 2 / 3, 51 / 101, 64, 1 / 64]),
    st.sampled_from([1, 2, 7, 64]),
    st.sampled_from([1, 5, 64]),
    st.none() | st.integers(0, 70),
)
SIZES = st.tuples(st.integers(1, 40), st.integers(1, 40))


@settings(max_examples=80)
@given(METADATAS, SIZES, st.sampled_from([None, 0, 1, 9, 16]), st.none() | st.sampled_from([(5, 5), (16, 24), (1, 1)]))
def test_pixels_are_right_or_a_sentence(metadata: Metadata, size: Any, tile: int | None, fixed: Any):
    """Whatever is said of a network that gives every image back, or every second pixel."""
    image = np.random.default_rng(0).integers(1, 255, (*size, 3), np.uint8)
    for network in (IDENTITY, SECOND):
        try:
            (result,) = enhance_images(network, [image], metadata, (None, 3, *(fixed or (None, None))), tile=tile)
        except InputError:
            continue
        assert result.min() > 0  # every pixel was made of pixels of the image, none of which is black
        if network is IDENTITY:
            np.testing.assert_array_equal(result, image)


IDENTITY, SECOND = session(identity()), session(every_second())


# What no image justifies.

PEAK = """
import resource, sys
import numpy as np
from dni_runtime import DniError, load
with load(sys.argv[1], threads=1) as model:
    small = np.full((1, int(sys.argv[2]), 3), 9, np.uint8)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        result = model.enhance(small)
        print((result == 9).all() and result.shape == small.shape)
    except DniError as error:
        print(error)
    print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


def peak(model: onnx.ModelProto, width: int, path: Path) -> tuple[str, int]:
    """What `enhance` of 1 x `width` pixels answers, and how many MiB it takes."""
    save(model, path)
    roots = [entry for entry in sys.path if entry]
    done = subprocess.run(
        [sys.executable, "-c", PEAK, str(path), str(width)],
        capture_output=True,
        text=True,
        env={"PYTHONPATH": ":".join(roots), "DNI_CACHE_DIR": "", "MALLOC_ARENA_MAX": "1"},
    )
    assert done.returncode == 0, done.stderr
    answer, mib = done.stdout.splitlines()
    return answer, int(mib)


@pytest.mark.parametrize(
    ("multiple", "minimum", "width"), [(1024, 1, 1), (1, 1024, 1), (64, 1, 300_000), (1024, 1, 20_000)]
)
def test_padding_of_a_small_image_takes_little(multiple: int, minimum: int, width: int, tmp_path: Path):
    """64 x 300,000 pixels, padded, are 230 MB as float32, and 1024 x 20,480 are 250: they are cut."""
    model = said(identity(), replace(METADATA, size_multiple=multiple, size_minimum=minimum))
    answer, mib = peak(model, width, tmp_path / "padded.onnx")
    assert answer == "True"
    assert mib < 180


def test_a_fixed_size_that_no_small_image_justifies(tmp_path: Path):
    answer, mib = peak(said(identity((1, 3, 8192, 8192)), METADATA), 9, tmp_path / "fixed.onnx")
    assert answer == (
        "an image of 1x9 pixels would be padded to 8192x8192, as the model takes no smaller or no other ones; "
        "expected 16,777,216 pixels at most: smaller tiles, or another model"
    )
    assert mib < 50


def test_a_fixed_size_that_makes_millions_of_tiles(tmp_path: Path):
    with load(save(said(identity((1, 3, 1, 1)), METADATA), tmp_path / "dots.onnx")) as model:
        image = picture(3, 5, 3)
        np.testing.assert_array_equal(model.enhance(image), image)
        with pytest.raises(InputError, match="would be cut into 1,102,500 tiles of 1x1; expected 1,048,576 at most"):
            model.enhance(np.zeros((1050, 1050, 3), np.uint8))
        with pytest.raises(InputError, match="2000000 pixels would be cut into 2,000,000 tiles of 1; use larger tiles"):
            model.enhance(np.zeros((1, 2_000_000, 3), np.uint8))


def test_a_graph_that_asks_for_more_memory_than_there_is(tmp_path: Path):
    huge = graph(helper.make_node("Expand", ["input", "shape"], ["output"]), constants={"shape": [1, 3, 2**22, 2**22]})
    path = save(said(huge, METADATA), tmp_path / "huge.onnx")
    with load(path) as model, pytest.raises(ModelError, match=r"huge\.onnx failed on cpu: .*allocate memory") as caught:
        model.enhance(picture(1, 1, 3))
    assert "\n" not in str(caught.value)


def test_a_result_that_does_not_fit_into_memory():
    """Numpy is refused the memory; the limit holds for a process of its own."""
    program = f"""
import resource
import numpy as np
from dni_runtime import InputError, Metadata
from dni_runtime.images.enhance import enhance_images
metadata = Metadata.from_json({json.dumps(replace(METADATA, scale=64).to_json())})
image = np.zeros((600, 600, 3), np.uint8)
resource.setrlimit(resource.RLIMIT_AS, (3 * 2**30, resource.RLIM_INFINITY))
try:
    enhance_images(lambda x: np.broadcast_to(np.float32(0), (1, 3, 1024, 1024)).copy(), [image], metadata,
                   (1, 3, 16, 16))
except InputError as error:
    print(error)
"""
    roots = ":".join(entry for entry in sys.path if entry)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env={"PYTHONPATH": roots})
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(
        "there is too little memory for 600x600 pixels at scale 64, in tiles of 16x16 (Unable"
    )
    assert done.stdout.endswith("; use smaller tiles, or a smaller image\n")
