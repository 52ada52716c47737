import numpy as np
import pytest
from onnx_models import picture

from dni_deploy.photographs.contact_sheet import contact_sheet
from dni_runtime import InputError


def labels(count):
    return [f"alpha {index / 10:.1f}" for index in range(count)]


def cells(sheet, color):
    """The boxes (top, bottom, left, right) of pixels of one colour, as counts of rows and columns."""
    mask = (sheet == color).all(axis=2)
    return np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))


def test_images_stand_in_a_row_with_paper_around_them():
    image = np.full((120, 200, 3), (200, 30, 40), np.uint8)
    sheet = contact_sheet([image] * 3, labels(3))
    assert sheet.dtype == np.uint8
    assert sheet.shape[1] == 2 * 24 + 3 * 200 + 2 * 12
    rows, columns = cells(sheet, (200, 30, 40))
    assert (len(rows), len(columns)) == (120, 600)
    for edge in (sheet[:24], sheet[:, :24], sheet[:, -24:], sheet[-10:]):
        assert (edge == 255).all()


@pytest.mark.parametrize(("count", "columns", "rows"), [(1, 1, 1), (5, 5, 1), (6, 3, 2), (7, 4, 2), (11, 4, 3)])
def test_rows_are_as_equal_as_possible(count, columns, rows):
    sheet = contact_sheet([np.zeros((200, 200, 3), np.uint8)] * count, [" "] * count)
    assert sheet.shape[1] == 2 * 24 + columns * 200 + (columns - 1) * 12
    found, _ = cells(sheet, (0, 0, 0))
    assert len(found) == rows * 200


def test_columns_can_be_chosen():
    sheet = contact_sheet([picture(200, 200, 3)] * 4, labels(4), columns=2)
    assert sheet.shape[1] == 2 * 24 + 2 * 200 + 12


@pytest.mark.parametrize("width", [300, 1000, 2400])
def test_width_limit(width):
    sheet = contact_sheet([picture(500, 900, 3)] * 5, labels(5), title="A title", max_width_px=width)
    assert width - 5 <= sheet.shape[1] <= width


def test_small_images_grow_by_whole_factors():
    image = np.zeros((16, 30, 3), np.uint8)
    rows, columns = cells(contact_sheet([image], [" "]), (0, 0, 0))
    assert (len(rows), len(columns)) == (16 * 7, 30 * 7)


def test_labels_and_title_are_drawn():
    image = np.full((200, 200, 3), 255, np.uint8)
    empty = contact_sheet([image], [" "])
    labelled = contact_sheet([image], ["alpha 0.5"])
    titled = contact_sheet([image], ["alpha 0.5"], title="Denoising")
    assert (empty == 255).all()
    assert (labelled < 100).any()
    assert titled.shape[0] > labelled.shape[0]


def test_a_long_label_stays_in_its_cell():
    image = np.full((200, 200, 3), 255, np.uint8)
    sheet = contact_sheet([image] * 2, ["a label far too long for its cell, really", " "])
    assert (sheet[:, 24 + 200 + 1 :] == 255).all()


@pytest.mark.parametrize("label", ["x" * 255, "one\ntwo", "\x1b[31mred", "\udcff.png", "\u202egnp", "\0", "日本語"])
def test_any_label_is_one_line_in_its_cell(label):
    image = np.full((200, 200, 3), 255, np.uint8)
    sheet = contact_sheet([image] * 2, [label, " "])
    assert (sheet < 200).any()
    assert (sheet[:, 24 + 200 + 1 :] == 255).all()
    assert sheet.shape == contact_sheet([image] * 2, [" ", " "]).shape


@pytest.mark.parametrize("shape", [(200_000, 1), (1, 200_000), (100_000, 3)])
def test_images_that_are_nearly_lines(shape):
    sheet = contact_sheet([picture(*shape, 3), picture(20, 30, 3)], labels(2))
    assert sheet.shape[1] <= 2400
    assert sheet.shape[0] < 2400 + 100


def test_a_sheet_that_nobody_could_open():
    with pytest.raises(InputError, match=r"a sheet of 200 images would have 248x488830 pixels; give fewer images"):
        contact_sheet([np.zeros((1200, 100, 3), np.uint8)] * 200, labels(200), columns=1)


@pytest.mark.parametrize("shape", [(), (1,), (3,), (4,)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_every_kind_of_image(shape, dtype):
    assert contact_sheet([picture(20, 30, *shape, dtype=dtype)], ["x"]).shape[2] == 3


def test_opacity_is_shown_on_white():
    image = np.zeros((200, 200, 4), np.uint8)
    assert (contact_sheet([image], [" "]) == 255).all()


def test_images_of_several_sizes_share_a_grid():
    sheet = contact_sheet([picture(100, 200, 3), picture(300, 150, 3)], labels(2))
    assert sheet.shape[:2] == (24 + 300 + 6 + 20 + 24, 2 * 24 + 2 * 200 + 12)


def test_unfit_arguments():
    with pytest.raises(InputError, match="got 1 images and 2 labels"):
        contact_sheet([picture(4, 4, 3)], ["a", "b"])
    with pytest.raises(InputError, match="got 0 images"):
        contact_sheet([], [])
    with pytest.raises(InputError, match="columns is 0"):
        contact_sheet([picture(4, 4, 3)], ["a"], columns=0)
    with pytest.raises(InputError, match="5 columns do not fit in 90 pixels"):
        contact_sheet([picture(4, 4, 3)] * 5, labels(5), max_width_px=90)
    with pytest.raises(InputError, match="an image is float64"):
        contact_sheet([np.zeros((4, 4, 3), np.float64)], ["a"])
