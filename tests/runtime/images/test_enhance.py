import math

import numpy as np
import pytest
from enhanced import ALPHA, assert_same_picture, reference
from onnx_models import METADATA, baked, picture, save

from dni_runtime import AlphaError, InputError, load
from dni_runtime.images.enhance import enhance_images


def test_equals_a_call_by_hand(models):
    image = picture(24, 32, 3)
    for name in ("rgb", "double", "half", "unet"):
        assert_same_picture(models[name].enhance(image, ALPHA), reference(models[name], image))


@pytest.mark.parametrize("name", ["rgb", "grey", "double", "grey double", "half", "unet", "fixed", "fixed grey"])
@pytest.mark.parametrize("shape", [(), (1,), (3,), (4,)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_every_kind_of_image_on_every_network(models, name, shape, dtype):
    model = models[name]
    result = model.enhance(picture(9, 13, *shape, dtype=dtype), ALPHA)
    scale = model.metadata.scale
    assert result.shape == (math.ceil(9 * scale), math.ceil(13 * scale), *shape)
    assert result.dtype == dtype
    assert result.flags.c_contiguous


@pytest.mark.parametrize("name", ["rgb", "double", "half", "unet", "fixed"])
@pytest.mark.parametrize("size", [(1, 1), (1, 40), (2, 3), (7, 1), (5, 6)])
def test_any_size_down_to_one_pixel(models, name, size):
    scale = models[name].metadata.scale
    result = models[name].enhance(picture(*size, 3), ALPHA)
    assert result.shape[:2] == tuple(math.ceil(side * scale) for side in size)


def test_padding_is_a_reflection(models):
    image = picture(10, 11, 3)
    padded = np.pad(image, ((0, 2), (0, 1), (0, 0)), mode="reflect")
    assert_same_picture(models["unet"].enhance(image, ALPHA), reference(models["unet"], padded)[:10, :11])


def test_alpha_takes_effect(models):
    image = picture(16, 16, 3)
    a, b = (models["rgb"].enhance(image, alpha) for alpha in (0.0, 1.0))
    assert abs(a.astype(int) - b.astype(int)).max() > 10


def test_unfit_alpha(models):
    with pytest.raises(AlphaError, match="needs alpha"):
        models["rgb"].enhance(picture(8, 8, 3))
    with pytest.raises(AlphaError, match="out of range"):
        models["rgb"].enhance(picture(8, 8, 3), 3)


def test_baked_models_need_no_alpha(tmp_path, models):
    image = picture(16, 16, 3)
    with load(save(baked(ALPHA), tmp_path / "baked.onnx"), "cpu") as model:
        assert_same_picture(model.enhance(image), models["rgb"].enhance(image, ALPHA))


# --- colours ---


def test_grey_on_rgb_is_the_mean(models):
    grey = picture(12, 14)
    result = models["rgb"].enhance(grey, ALPHA)
    x = np.broadcast_to((grey / 255).astype(np.float32), (1, 3, 12, 14)).copy()
    expected = np.clip(np.rint(models["rgb"](x, ALPHA)[0].mean(axis=0) * 255), 0, 255).astype(np.uint8)
    assert_same_picture(result, expected)


@pytest.mark.parametrize("name", ["grey", "fixed grey"])
def test_rgb_on_grey_is_three_images(models, name):
    image = picture(12, 14, 3)
    result = models[name].enhance(image, ALPHA)
    expected = np.stack([models[name].enhance(image[:, :, c], ALPHA) for c in range(3)], axis=2)
    assert_same_picture(result, expected)


def test_opacity_is_kept_at_scale_1(models):
    image = picture(12, 14, 4)
    result = models["rgb"].enhance(image, ALPHA)
    np.testing.assert_array_equal(result[:, :, 3], image[:, :, 3])
    assert_same_picture(result[:, :, :3], models["rgb"].enhance(image[:, :, :3], ALPHA))


@pytest.mark.parametrize("name", ["double", "grey double", "half"])
def test_opacity_is_scaled_as_grey(models, name):
    image = picture(12, 14, 4)
    result = models[name].enhance(image, ALPHA)
    assert_same_picture(result[:, :, :3], models[name].enhance(image[:, :, :3], ALPHA))
    assert_same_picture(result[:, :, 3], models[name].enhance(image[:, :, 3], ALPHA))


def test_constant_opacity_stays_constant(models):
    image = picture(12, 14, 4)
    image[:, :, 3] = 200
    result = models["double"].enhance(image, ALPHA)
    assert (result[:, :, 3] == 200).all()
    assert result.shape == (24, 28, 4)


def test_value_range_of_the_metadata(models):
    image = picture(12, 14, 3)
    x = (image / 255 * 2 - 1).astype(np.float32).transpose(2, 0, 1)[None].copy()
    y = models["signed"](x, ALPHA)[0].transpose(1, 2, 0)
    expected = np.clip(np.rint((y + 1) / 2 * 255), 0, 255).astype(np.uint8)
    assert_same_picture(models["signed"].enhance(image, ALPHA), expected)


def test_16_bits_are_finer_than_8(models):
    fine = picture(16, 16, 3, dtype=np.uint16)
    coarse = (fine // 257).astype(np.uint8)
    a, b = models["rgb"].enhance(fine, ALPHA), models["rgb"].enhance(coarse, ALPHA)
    assert len(np.unique(a)) > 256
    # 1/255 of input rounding, through two convolutions
    assert abs(a / 65535 - b / 255).max() < 0.05


def test_the_image_is_not_changed(models):
    image = picture(16, 16, 4)
    before = image.copy()
    models["double"].enhance(image, ALPHA)
    np.testing.assert_array_equal(image, before)


@pytest.mark.parametrize("tile", [None, 24])
@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_planes_stay_planes(models, dtype, channels, tile):
    """An image whose channels lie one after another, as a film's frames have them."""
    white = 1 if dtype == np.float32 else np.iinfo(dtype).max
    image = (picture(40, 50, channels) / 255 * white).astype(dtype)
    planes = np.ascontiguousarray(image.transpose(2, 0, 1)).transpose(1, 2, 0)
    made = models["double"].enhance(planes, ALPHA, tile=tile)
    np.testing.assert_array_equal(made, models["double"].enhance(image, ALPHA, tile=tile))
    assert made.transpose(2, 0, 1).flags.c_contiguous


# --- tiles ---


def test_unfit_networks(models):
    with pytest.raises(InputError, match=r"gives no scale .*use model\(x\)"):
        models["no scale"].enhance(picture(8, 8, 3), ALPHA)
    with pytest.raises(InputError, match="takes 5 channels"):
        models["many"].enhance(picture(8, 8, 3), ALPHA)
    with pytest.raises(InputError, match="batches of 2 only"):
        models["pairs"].enhance(picture(8, 8, 3), ALPHA)


def test_a_list_is_no_image(models):
    with pytest.raises(InputError, match="type list; expected a NumPy array"):
        models["rgb"].enhance([[1]], ALPHA)


@pytest.mark.parametrize("tile", [None, 72])
@pytest.mark.parametrize("name", ["rgb", "grey", "double", "half", "unet", "fixed", "silent"])
def test_a_batch_gives_what_its_images_give_alone(models, name, tile):
    images = [
        picture(50, 99, 3),
        picture(50, 99, 4, seed=2),
        picture(50, 99, dtype=np.uint16, seed=3),
        picture(50, 99, 3, seed=4),
    ]
    opaque = picture(50, 99, 4, seed=5)
    opaque[:, :, 3] = 255  # takes no part in the batch, where the other opacity does
    batch = models[name].enhance_batch([*images, opaque], ALPHA, tile=tile)
    for image, result in zip([*images, opaque], batch, strict=True):
        assert_same_picture(result, models[name].enhance(image, ALPHA, tile=tile))


def test_a_batch_is_one_run():
    lengths = []

    def run(x):
        lengths.append(len(x))
        return x

    enhance_images(run, [picture(40, 40, 3) for _ in range(5)], METADATA, (None, 3, None, None))
    assert lengths == [5]


@pytest.mark.parametrize(
    ("sizes", "found"), [([(4, 5), (5, 4), (4, 5)], "4x5 and 5x4"), ([], "no image")], ids=["unlike", "none"]
)
def test_a_batch_of_unlike_sizes(models, sizes, found):
    with pytest.raises(InputError, match=f"has {found}; expected images of one size"):
        models["rgb"].enhance_batch([picture(*size, 3) for size in sizes], ALPHA)
