"""What results are called, and which names are refused before anything runs."""

import os
import unicodedata
from pathlib import Path

import pytest

from dni_deploy.photographs.inputs import find_images
from dni_deploy.photographs.names import Naming
from dni_deploy.photographs.places import place_results
from dni_runtime import InputError, OutputError


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for name in ("photos/a.JPG", "photos/b.webp", "photos/day/a.JPG", "photos/day/old.bmp"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path / "photos"


def placed(folder: Path, naming: Naming, labels: tuple[str, ...] = ("",), recursive: bool = True) -> list[str]:
    found = find_images([folder], recursive=recursive)
    rows = place_results(found, folder.parent / "out", labels, naming)
    return [str(target.relative_to(folder.parent / "out")) for row in rows for target in row]


@pytest.mark.parametrize(
    ("naming", "expected"),
    [
        (Naming(), ["a.JPG", "b.webp", "day/a.JPG", "day/old.bmp"]),
        (Naming(suffix=".png"), ["a.png", "b.png", "day/a.png", "day/old.png"]),
        (Naming("{stem}_x4{suffix}"), ["a_x4.JPG", "b_x4.webp", "day/a_x4.JPG", "day/old_x4.bmp"]),
        (Naming("{name}{suffix}", ".tiff"), ["a.JPG.tiff", "b.webp.tiff", "day/a.JPG.tiff", "day/old.bmp.tiff"]),
        (Naming("{parent} {index:03}.tif", ".tiff"),
         ["photos 001.tif", "photos 002.tif", "day/day 003.tif", "day/day 004.tif"]),
        (Naming("{index}{{}}.webp"), ["1{}.webp", "2{}.webp", "day/3{}.webp", "day/4{}.webp"]),
    ],
)  # fmt: skip
def test_a_tree_of_results_has_the_names_of_the_pattern(photos: Path, naming: Naming, expected: list[str]):
    assert placed(photos, naming) == expected


def test_several_strengths_are_told_apart(photos: Path):
    labels = ("_alpha0.00", "_alpha1.00")
    assert placed(photos, Naming("x{alpha}_{stem}{suffix}"), labels, recursive=False) == [
        "x_alpha0.00_a.JPG",
        "x_alpha1.00_a.JPG",
        "x_alpha0.00_b.webp",
        "x_alpha1.00_b.webp",
    ]
    with pytest.raises(OutputError, match=r"calls the 2 results of .*a\.JPG the same; put \{alpha\} into it"):
        placed(photos, Naming("{stem}_x4{suffix}"), labels)


def test_results_of_one_name_are_refused_with_what_tells_them_apart(photos: Path):
    (photos / "b.png").touch()
    message = r"b\.png and .*b\.webp would both be .*b\.jpg; .*\{name\}, \{parent\} or \{index\} in --name"
    with pytest.raises(OutputError, match=message):
        placed(photos, Naming(suffix=".jpg"), recursive=False)
    assert placed(photos, Naming("{name}{suffix}", ".jpg"), recursive=False)[1:] == ["b.png.jpg", "b.webp.jpg"]


def test_names_that_differ_only_in_their_unicode_form_fall_together(tmp_path: Path):
    (tmp_path / "in").mkdir()
    for form in ("NFC", "NFD"):
        (tmp_path / "in" / unicodedata.normalize(form, "É.png")).touch()
    with pytest.raises(OutputError, match="would both be"):
        placed(tmp_path / "in", Naming())
    assert placed(tmp_path / "in", Naming("{index}{suffix}")) == ["1.png", "2.png"]


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("{stem}_{scale}{suffix}", r"names the field \{scale\}; expected a name with any of \{stem\}, \{suffix\}"),
        ("{}{suffix}", r"names the field \{\}"),
        ("{stem.parent}{suffix}", r"names the field \{stem\.parent\}"),
        ("{stem", "has braces that do not pair"),
        ("{stem!r}{suffix}", r"has a format for \{stem\} that it does not take"),
        ("{index:>999999999}{suffix}", r"has a format for \{index\}"),
        ("../{stem}{suffix}", "is more than a name; --recursive keeps folders"),
        ("{stem}\0{suffix}", "is more than a name"),
    ],
)
def test_a_pattern_that_names_nothing_is_refused(pattern: str, message: str):
    with pytest.raises(InputError, match=message):
        Naming(pattern)


@pytest.mark.parametrize(
    ("naming", "message"),
    [
        (Naming("{stem}"), r"'\{stem\}' calls a result 'a'; expected one that ends in \{suffix\} or \.avif"),
        (Naming("{stem}.txt"), r"calls a result 'a\.txt'; expected one"),
        (Naming("{alpha}{suffix}"), r"calls a result '\.JPG'; expected one"),
        (Naming("{stem}.jpg", ".png"), r"calls a result 'a\.jpg', but --format is png; leave one of them out"),
        (Naming("n" * 252 + "{suffix}"), "a name of 256 bytes; expected at most 255"),
        (Naming("é" * 126 + "{suffix}"), "a name of 256 bytes; expected at most 255"),
    ],
)
def test_names_that_no_image_can_have_are_refused(photos: Path, naming: Naming, message: str):
    with pytest.raises(OutputError, match=message):
        placed(photos, naming)


@pytest.mark.parametrize(
    ("output", "naming", "message"),
    [
        ("out.pgn", Naming(), r"out\.pgn has the suffix '\.pgn', which no image has; expected \.avif, .*a folder"),
        ("out.jpg", Naming(suffix=".png"), r"out\.jpg, but --format is png; leave one of them out"),
        ("out.jpg", Naming("{index}{suffix}"), r"--name is for results in a folder, but .*out\.jpg is the name of one"),
        ("photos/b.webp", Naming(), r"b\.webp is an input and would be overwritten"),
        ("again/b.webp", Naming(), r"b\.webp is an input and would be overwritten"),
    ],
)  # fmt: skip
def test_what_one_result_cannot_be_called(photos: Path, output: str, naming: Naming, message: str):
    (photos.parent / "again").symlink_to(photos)
    with pytest.raises((OutputError, InputError), match=message):
        place_results(find_images([photos / "b.webp"]), photos.parent / output, [""], naming)


def test_one_result_may_be_called_as_the_format_is_and_a_folder_as_it_likes(photos: Path):
    one = find_images([photos / "b.webp"])
    top = photos.parent
    assert place_results(one, top / "out.jpeg", [""], Naming(suffix=".jpg")) == [[top / "out.jpeg"]]
    (top / "made.v2").mkdir()
    assert place_results(one, top / "made.v2") == [[top / "made.v2" / "b.webp"]]
    assert place_results(one, top / "sweep.v2", ["_1", "_2"])[0][0] == top / "sweep.v2" / "b_1.webp"
    assert place_results(find_images([photos]), top / "2024.08")[0] == [top / "2024.08" / "a.JPG"]


def test_ten_thousand_names_take_no_time(tmp_path: Path):
    """Not a limit on the machine: comparing each with each takes minutes."""
    (tmp_path / "in").mkdir()
    for number in range(10_000):
        os.mknod(tmp_path / "in" / f"{number}.png")
    names = placed(tmp_path / "in", Naming("{index:05}_{stem}{suffix}"))
    assert (names[2], names[-1]) == ("00003_2.png", "10000_9999.png")
