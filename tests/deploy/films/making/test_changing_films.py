"""Films to which something happens while they are read: an error that says so, and no film of two."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from dni_deploy import enhance_film
from dni_runtime import InputError


def _overwritten(film: Path) -> None:
    content = bytearray(film.read_bytes())
    content[-20] ^= 1
    film.write_bytes(content)


def _replaced(film: Path) -> None:
    other = film.with_name("other.mkv")
    shutil.copy(film, other)
    _overwritten(other)
    other.replace(film)


def _longer(film: Path) -> None:
    with film.open("ab") as file:
        file.write(bytes(1000))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (_overwritten, "was changed while it was read"),
        (_replaced, "was changed while it was read"),
        (_longer, "was changed while it was read"),
        (Path.unlink, "does not exist; expected a film"),
    ],
)
def test_nothing_is_made_of_two_films(
    change: Callable[[Path], None], told: str, darkens: Path, long_grey: Path, tmp_path: Path
):
    film, output = tmp_path / "in.mkv", tmp_path / "out.mkv"
    shutil.copy(long_grey, film)

    def progress(done: float, total: int, file: Path) -> None:
        if done == 70:
            change(film)

    with pytest.raises(InputError, match=f"in.mkv {told}"):
        enhance_film(darkens, film, output, 0.5, progress=progress)
    assert [path.name for path in tmp_path.iterdir() if not path.name.startswith(".dni-film-")] == (
        ["in.mkv"] if film.exists() else []
    )


def test_a_film_of_which_only_the_time_changes_is_made(darkens: Path, long_grey: Path, tmp_path: Path):
    film, output = tmp_path / "in.mkv", tmp_path / "out.mkv"
    shutil.copy(long_grey, film)
    report = enhance_film(darkens, film, output, 0.5, progress=lambda done, total, file: os.utime(film))
    assert report.frames == 100
