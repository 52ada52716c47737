"""Which files a run takes, in which order, and what it says about all others."""

import unicodedata
from pathlib import Path

import pytest

from dni_deploy.photographs.inputs import find_images, located, natural_order
from dni_runtime import InputError


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A camera's folder."""
    top = tmp_path / "photos"
    for name in (
        "a10.png",
        "a2.png",
        "A1.png",
        "clip.MOV",
        "clip2.mov",
        "raw.cr2",
        "README",
        ".DS_Store",
        "._a2.png",
        "day 2/b.jpg",
        "day 2/deep/c.webp",
        "day 2/notes.txt",
        "day 10/b.jpg",
        ".thumbs/a2.png",
        "empty/notes.txt",
    ):
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).touch()
    return top


def test_numbers_in_names_count(tree: Path):
    assert [file.name for file in find_images([tree]).files] == ["A1.png", "a2.png", "a10.png"]
    given = ["x10.png", "x9.png", "x009.png", "x.png", "10.png", "9.png", "ä1.png", "x٣.png", "\udcff.png", ""]
    assert sorted(given, key=natural_order) == sorted(reversed(given), key=natural_order)
    assert sorted(given, key=natural_order)[:7] == ["", "9.png", "10.png", "x.png", "x009.png", "x9.png", "x10.png"]


def test_what_is_left_out_of_folders_is_counted_by_kind(tree: Path):
    found = find_images([tree])
    assert found.remarks() == [
        "left out: 3 folders (--recursive takes the images inside), 2 .mov, 1 hidden, 1 .cr2, 1 of no suffix"
    ]
    assert find_images([tree / "day 10"]).remarks() == []
    assert find_images([tree / "a2.png"]).remarks() == []


def test_a_tree_is_taken_in_the_order_of_its_folders(tree: Path):
    (tree / "linked").symlink_to(tree / "day 2")
    found = find_images([tree], recursive=True)
    assert [(str(file.relative_to(tree)), str(folder)) for file, folder in found.files.items()] == [
        ("A1.png", "."),
        ("a2.png", "."),
        ("a10.png", "."),
        ("day 2/b.jpg", "day 2"),
        ("day 2/deep/c.webp", "day 2/deep"),
        ("day 10/b.jpg", "day 10"),
    ]
    assert found.left_out["link to a folder"] == 1
    assert found.left_out[".txt"] == 2


def test_results_in_the_tree_are_no_inputs(tree: Path):
    inside = tree / "day 2"
    assert inside / "b.jpg" not in find_images([tree], recursive=True, output=inside).files
    assert find_images([tree], output=inside).left_out["folder"] == 2


def test_a_folder_without_images_says_what_is_there(tree: Path):
    with pytest.raises(InputError, match=r"empty holds no image \(\.apng, .*\); there are 1 \.txt"):
        find_images([tree / "empty"])


def test_names_of_all_kinds_are_found(tmp_path: Path):
    names = ["new\nline.png", " .png", "é.png", unicodedata.normalize("NFD", "é.png"), "\udcff\udcfe.png"]
    names += ["n" * 251 + ".png", "-.png", "--alpha.png", "a b.PNG"]
    for name in names:
        (tmp_path / name).touch()
    assert {file.name for file in find_images([tmp_path]).files} == set(names)


def test_results_of_earlier_runs_beside_the_photographs_are_no_inputs(tree: Path):
    def noted(folder: Path) -> dict[str, str | None]:
        return {located(tree / name): None for name in ("a2.png", "day 2/b.jpg", "a.png")} if folder == tree else {}

    found = find_images([tree], recursive=True, output=tree, noted=noted)
    assert [str(file.relative_to(tree)) for file in found.files] == [
        "A1.png",
        "a10.png",
        "day 2/deep/c.webp",
        "day 10/b.jpg",
    ]
    assert found.left_out["of earlier runs"] == 2
    assert tree / "a2.png" in find_images([tree], output=tree / "elsewhere", noted=noted).files


def test_results_of_photographs_that_are_taken_are_no_inputs_wherever_they_lie(tree: Path):
    """A second run into another folder of the tree; a second network on results alone takes all of them."""
    of_day, of_lost = tree / "day 2" / "b.jpg", tree / "elsewhere" / "b.jpg"

    def noted(folder: Path) -> dict[str, str | None]:
        made = {tree / "day 10" / "b.jpg": of_day, tree / "day 2" / "deep" / "c.webp": of_lost}
        return {located(file): located(source) for file, source in made.items() if folder in file.parents}

    found = find_images([tree], recursive=True, output=tree / "out", noted=noted)
    assert [file.name for file in found.files] == ["A1.png", "a2.png", "a10.png", "b.jpg", "c.webp"]
    assert found.left_out["of earlier runs"] == 1
    assert list(find_images([tree / "day 10"], output=tree / "out", noted=noted).files) == [tree / "day 10" / "b.jpg"]
