"""`enhance_images` with a network that takes and gives integers, beside the one of floats."""

import tracemalloc
from dataclasses import replace

import numpy as np
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx_models import METADATA, conv_stack, picture, unet

from dni_runtime import InputError, ModelError
from dni_runtime.cuda.integer_images import NAN_OUTPUT, with_integer_images
from dni_runtime.images.conversion import to_float, write_pixels
from dni_runtime.images.enhance import enhance_images

DTYPES = (np.uint8, np.uint16)
SIGNED = replace(METADATA, value_range=(-1.0, 1.0))
NETWORKS = {
    "rgb": (conv_stack(alpha=0.4), METADATA),
    "grey": (conv_stack(channels=1, alpha=0.4), METADATA),
    "double": (conv_stack(scale=2, alpha=0.4), replace(METADATA, scale=2.0)),
    "half": (conv_stack(scale=0.5, alpha=0.4), replace(METADATA, scale=0.5, overlap=4)),
    "signed": (conv_stack(alpha=0.4, metadata=SIGNED), SIGNED),
    "unet": (unet(alpha=0.4), replace(METADATA, size_multiple=4, size_minimum=8, overlap=16)),
}


class Network:
    """Both ways through one network; counts how often each is taken."""

    def __init__(self, model, metadata):
        self.metadata = metadata
        self.channels = model.graph.input[0].type.tensor_type.shape.dim[1].dim_value
        self.calls = {"floats": 0, "integers": 0}
        self._floats = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
        self._integers = {
            np.dtype(dtype): onnxruntime.InferenceSession(
                with_integer_images(model, "input", "output", metadata.value_range, dtype).SerializeToString(),
                providers=["CPUExecutionProvider"],
            )
            for dtype in DTYPES
        }

    def run(self, x):
        self.calls["floats"] += 1
        return self._floats.run(["output"], {"input": x})[0]

    def run_integers(self, x):
        self.calls["integers"] += 1
        assert x.flags.c_contiguous
        y, nan = self._integers[x.dtype].run(["output", NAN_OUTPUT], {"input": x})
        assert nan == 0
        return y

    def enhance(self, images, way, *, batch=None, **options):
        run_integers = self.run_integers if way == "integers" else None
        shape = (batch, self.channels, None, None)
        return enhance_images(self.run, images, self.metadata, shape, run_integers=run_integers, **options)

    def ways(self, images, **options):
        """The results of both ways, which were the ways taken."""
        self.calls = {"floats": 0, "integers": 0}
        integers = self.enhance(images, "integers", **options)
        assert self.calls["floats"] == 0
        assert self.calls["integers"] > 0
        return integers, self.enhance(images, "floats", **options)


@pytest.fixture(scope="module")
def networks():
    return {name: Network(*parts) for name, parts in NETWORKS.items()}


def image_of(name, height, width, *, opaque=True, dtype=np.uint8, seed=1):
    """An image that the network takes as it is; read-only, as nothing may be written into it."""
    if name == "grey":
        image = picture(height, width, dtype=dtype, seed=seed)
    elif opaque:
        image = picture(height, width, 3, dtype=dtype, seed=seed)
    else:
        image = picture(height, width, 4, dtype=dtype, seed=seed)
        if name in ("double", "half"):
            image[:, :, 3] = 77
    image.flags.writeable = False
    return image


def assert_alike(integers, floats):
    """Of one shape and dtype, and equal but for 1 here and there."""
    for a, b in zip(integers, floats, strict=True):
        assert a.shape == b.shape
        assert a.dtype == b.dtype
        assert a.flags.c_contiguous
        assert abs(a.astype(int) - b.astype(int)).max() <= 1


@given(
    name=st.sampled_from(list(NETWORKS)),
    dtype=st.sampled_from(DTYPES),
    height=st.integers(1, 90),
    width=st.integers(1, 90),
    opaque=st.booleans(),
    count=st.integers(1, 3),
)
@settings(max_examples=60)
def test_untiled_both_ways_are_equal(networks, name, dtype, height, width, opaque, count):
    images = [image_of(name, height, width, opaque=opaque, dtype=dtype, seed=seed) for seed in range(count)]
    for a, b in zip(*networks[name].ways(images, tile=0), strict=True):
        np.testing.assert_array_equal(a, b)


@given(
    name=st.sampled_from(list(NETWORKS)),
    dtype=st.sampled_from(DTYPES),
    height=st.integers(1, 120),
    width=st.integers(1, 120),
    opaque=st.booleans(),
    count=st.integers(1, 2),
    batch=st.sampled_from([None, 1]),
    kept=st.integers(8, 60),
    spare=st.integers(0, 8),
)
@settings(max_examples=60)
def test_tiled_both_ways_differ_by_1_at_most(networks, name, dtype, height, width, opaque, count, batch, kept, spare):
    network = networks[name]
    overlap = network.metadata.overlap + spare
    images = [image_of(name, height, width, opaque=opaque, dtype=dtype, seed=seed) for seed in range(count)]
    integers, floats = network.ways(images, tile=kept + 2 * overlap, overlap=overlap, batch=batch)
    assert_alike(integers, floats)


@pytest.mark.parametrize("dtype", DTYPES)
def test_where_tiles_disagree_only_fades_differ_and_by_1_at_most(dtype):
    def run(x):  # a network of unlimited reach, whose output stays in range
        return (x + x[:, :, ::-1, ::-1]) / 2

    def run_integers(x):
        y = run(to_float(x.transpose(0, 3, 1, 2), METADATA.value_range))
        out = np.empty(x.shape, dtype)
        write_pixels(y[0].transpose(1, 2, 0), out[0], METADATA.value_range)
        return out

    image = picture(96, 96, 3, dtype=dtype)
    floats, integers = (
        enhance_images(run, [image], METADATA, (1, 3, None, None), run_integers=way, tile=64, overlap=0)[0].astype(int)
        for way in (None, run_integers)
    )
    # Two tiles along each axis, of 64 pixels from 0 and 32, fade from 40 to 56.
    alone = np.ix_(np.r_[0:40, 56:96], np.r_[0:40, 56:96])
    np.testing.assert_array_equal(integers[alone], floats[alone])
    assert abs(integers - floats).max() == 1


@pytest.mark.parametrize(
    ("name", "image", "way"),
    [
        ("rgb", picture(9, 8, 3), "integers"),
        ("rgb", picture(9, 8, 4), "integers"),  # at scale 1 opacity is copied
        ("rgb", picture(9, 8), "floats"),  # the mean of three channels
        ("rgb", picture(9, 8, 1), "floats"),
        ("grey", picture(9, 8), "integers"),
        ("grey", picture(9, 8, 1), "integers"),
        ("grey", picture(9, 8, 3), "floats"),  # three grey images
        ("double", picture(9, 8, 3, dtype=np.uint16), "integers"),
        ("double", picture(9, 8, 4), "floats"),  # opacity runs
        ("double", np.dstack([picture(9, 8, 3), np.full((9, 8), 5, np.uint8)]), "integers"),
    ],
)
def test_the_way_that_an_image_takes(networks, name, image, way):
    network = networks[name]
    network.calls = {"floats": 0, "integers": 0}
    (result,) = network.enhance([image], "integers")
    assert network.calls == {"floats": 0, "integers": 0, way: 1}
    np.testing.assert_array_equal(result, network.enhance([image], "floats")[0])


@pytest.mark.parametrize(
    "other", [picture(9, 8, 3, dtype=np.uint16), picture(9, 8)], ids=["another dtype", "other channels"]
)
def test_a_mixed_batch_goes_the_float_way(networks, other):
    network = networks["rgb"]
    network.calls = {"floats": 0, "integers": 0}
    results = network.enhance([picture(9, 8, 3), other], "integers")
    assert network.calls == {"floats": 1, "integers": 0}
    for image, result in zip([picture(9, 8, 3), other], results, strict=True):
        np.testing.assert_array_equal(result, network.enhance([image], "floats")[0])


def run_with(run_integers, image, *, scale=1.0, shape=(None, 3, None, None), **options):
    def run(x):
        raise AssertionError("the float way was taken")

    metadata = replace(METADATA, scale=scale, overlap=0)
    return enhance_images(run, [image], metadata, shape, run_integers=run_integers, **options)[0]


def test_small_tiles_run_as_batches():
    shapes = []

    def run_integers(x):
        shapes.append(x.shape)
        return x.copy()

    image = picture(600, 600, 3)
    calls = []
    result = run_with(run_integers, image, tile=64, overlap=0, progress=lambda *args: calls.append(args))
    np.testing.assert_array_equal(result, image)
    assert max(shapes) == (16, 64, 64, 3)
    assert len(calls) == calls[-1][1] == sum(shape[0] for shape in shapes)


def test_padding_is_the_float_ways(networks):
    image = image_of("unet", 5, 9)
    ((integers,), (floats,)) = networks["unet"].ways([image])
    np.testing.assert_array_equal(integers, floats)


@pytest.mark.parametrize(("shape", "made"), [((6, 7, 3), 1), ((6, 7, 4), 1), ((6, 7, 1), 3), ((6, 7), 3)])
def test_networks_that_change_the_colours(shape, made):
    image = picture(*shape)
    channels = 1 if len(shape) == 2 else min(3, shape[2])
    result = run_with(lambda x: np.repeat(x[..., :1], made, axis=3), image, shape=(None, channels, None, None))
    first = image.reshape(6, 7, -1)[:, :, :1]
    if shape[2:] == (4,):
        np.testing.assert_array_equal(result, np.dstack([first, first, first, image[:, :, 3]]))
    else:
        np.testing.assert_array_equal(result, np.repeat(first, made, axis=2))


def test_networks_that_make_no_image():
    with pytest.raises(InputError, match="turns 3 channels into 2"):
        run_with(lambda x: x[..., :2].copy(), picture(8, 8, 3))
    with pytest.raises(InputError, match="made 8x9 pixels of 8x9; expected 16x18"):
        run_with(lambda x: x.copy(), picture(8, 9, 3), scale=2.0)


def test_nan_ends_the_run():
    ran = []

    def run_integers(x):
        ran.append(len(ran))
        if len(ran) == 3:
            raise ModelError("the network's output holds NaN")
        return x.copy()

    with pytest.raises(ModelError, match="holds NaN"):
        run_with(run_integers, picture(700, 700, 3), tile=100, overlap=0)
    assert len(ran) == 3


@pytest.mark.parametrize(("tile", "size"), [(32, (700, 700)), (300, (2800, 700)), (300, (700, 2800))])
def test_memory_is_less_than_that_of_floats(tile, size):
    image = np.full((*size, 3), 7, np.uint8)
    tracemalloc.start()
    try:
        result = run_with(lambda x: x.repeat(2, axis=1).repeat(2, axis=2), image, scale=2.0, tile=tile)
        peak = tracemalloc.get_traced_memory()[1] - result.nbytes
    finally:
        tracemalloc.stop()
    batch = 3 * max(tile, 256) ** 2
    # Bytes where test_enhance_in_flight has floats, and the same seams; as float32, one border of a tile of at most
    # 2 * 16 pixels, its weights and the sums in the making.
    border = 3 * 4 * 3 * (2 * 16) * (2 * tile)
    assert peak < 3 * batch + 3 * 4 * batch + 4 * 3 * (2 * 16) * (2 * 2800) + border + 4000 * 150
