"""What lies where the parts of a film are to be, of whomever: nothing of it is lost, or it is made room."""

import errno
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dni_deploy import enhance_film
from dni_deploy.films.making.parts_folder import folder_of, remove
from dni_deploy.films.target.part_file import PartFile
from dni_runtime import OutputError


def _file(place: Path, others: Path) -> None:
    place.write_text("of somebody", encoding="utf-8")


def _link(place: Path, others: Path) -> None:
    place.symlink_to(others)


def _dead_link(place: Path, others: Path) -> None:
    place.symlink_to(others / "nowhere")


@pytest.mark.parametrize("put", [_file, _link, _dead_link])
def test_what_is_no_folder_is_kept_and_named(
    put: Callable[[Path, Path], None], darkens: Path, long_grey: Path, tmp_path: Path
):
    others, output = tmp_path / "others", tmp_path / "out.mkv"
    others.mkdir()
    (others / "precious.json").write_text("of somebody", encoding="utf-8")
    put(folder_of(output), others)
    with pytest.raises(OutputError, match=rf"{folder_of(output).name} has the name .* and is no folder; remove it"):
        enhance_film(darkens, long_grey, output, 0.5)
    assert [path.name for path in others.iterdir()] == ["precious.json"]
    assert folder_of(output).is_symlink() or folder_of(output).read_text(encoding="utf-8") == "of somebody"
    assert not output.exists()


def test_rubbish_in_it_makes_room(darkens: Path, equal_grey: Path, tmp_path: Path):
    others, output = tmp_path / "others", tmp_path / "out.mkv"
    others.mkdir()
    (others / "precious").touch()
    folder = folder_of(output)
    (folder / "within").mkdir(parents=True)
    (folder / "within" / "rubbish").touch()
    (folder / "link").symlink_to(others)
    assert enhance_film(darkens, equal_grey, output, 0.5).frames == 25
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["others", "out.mkv", "precious"]


def test_where_no_part_was_finished_none_is_said_to_stay(
    darkens: Path, long_grey: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(PartFile, "write", _full)
    with pytest.raises(OutputError, match=r"No space left on device; make room, or choose another output$"):
        enhance_film(darkens, long_grey, tmp_path / "out.mkv", 0.5)
    assert [*tmp_path.iterdir()] == []


def _full(*_: Any) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_killed_while_it_goes_it_has_its_name_no_longer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "000000.json").touch()
    seen: list[Path] = []
    monkeypatch.setattr("shutil.rmtree", lambda path, **_: seen.append(path))
    remove(folder)
    assert seen == [*tmp_path.iterdir()]
    assert not folder.exists()
    remove(folder)
