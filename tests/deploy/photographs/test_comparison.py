import numpy as np
import pytest
from onnx_models import picture
from PIL import Image

from dni_deploy.photographs.comparison import comparison

LABELS = ["photo.png", "alpha 0.25", "alpha 0.75"]


def sheet(before, *after):
    return comparison(before, [lambda image=image: image for image in after], LABELS[: 1 + len(after)])


CELL_PX = 690
LEFT, RIGHT = slice(24, 24 + CELL_PX), slice(24 + CELL_PX + 12, 24 + 2 * CELL_PX + 12)


def test_a_small_picture_is_shown_whole_and_once():
    image = picture(200, 300, 3)
    found = sheet(image, 255 - image)
    assert found.shape[1] == 2 * 24 + 2 * 300 + 12
    assert found.shape[0] < 300
    assert (found[24 : 24 + 200, 24 : 24 + 300] == image).all()
    assert (found[24 : 24 + 200, 24 + 312 : 24 + 612] == 255 - image).all()


def test_details_are_where_most_changes_and_a_usual_part():
    before = np.full((900, 1800, 3), 100, np.uint8)
    after = np.full_like(before, (110, 100, 100))
    after[350:500, 700:800] = (250, 0, 0)
    right = sheet(before, after)[:, RIGHT]
    red = (right == (250, 0, 0)).all(axis=2)
    whole, most, usual = right[24 : 24 + 345], right[413 : 413 + 344], right[802 : 802 + 344]
    assert red[24:369].any()
    assert red[413:757].sum() == 300 * 200  # twice as large
    assert not red[757:].any()
    assert (whole[0, 0] == (110, 100, 100)).all()
    assert (most[0] == (110, 100, 100)).all()
    assert (usual == (110, 100, 100)).all()


def test_details_are_the_same_ones_of_a_larger_result():
    """The photograph is enlarged to what it is compared with: edges are at the same places in both."""
    before = np.zeros((500, 800, 3), np.uint8)
    before[:, np.arange(800) % 40 < 20] = 255
    after = np.array(Image.fromarray(before).resize((3200, 2000), Image.Resampling.LANCZOS))
    found = sheet(before, after)
    left, right = found[700, LEFT].astype(int), found[700, RIGHT].astype(int)
    assert (left.min(), left.max()) == (0, 255)
    assert np.abs(left - right).max() <= 1


@pytest.mark.parametrize("shape", [(4000, 30, 3), (30, 4000, 3), (900, 900), (900, 1500, 1), (2000, 800, 4)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_any_picture(shape, dtype):
    image = picture(*shape[:2], *shape[2:], dtype=dtype) if len(shape) > 2 else picture(*shape, 1, dtype=dtype)[:, :, 0]
    found = sheet(image, image, image)
    assert found.dtype == np.uint8
    assert found.shape[2] == 3
    assert found.shape[1] <= 2400


def test_of_many_results_few_are_in_memory():
    image = picture(900, 900, 3)
    alive = 0

    class Counted(np.ndarray):
        def __del__(self):
            nonlocal alive
            if self.base is image:
                alive -= 1

    most = 0

    def read():
        nonlocal alive, most
        alive += 1
        most = max(most, alive)
        return image.view(Counted)

    comparison(image, [read] * 9, ["photo.png"] + [f"alpha {n}" for n in range(9)])
    assert 0 < most <= 2
