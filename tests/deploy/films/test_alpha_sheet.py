"""A few frames of a film at several strengths, in one picture."""

from collections.abc import Iterator
from pathlib import Path

import ffmpeg
import numpy as np
import pytest
from drawn_films import drawn
from films import film as example
from sharp_or_blurred import NOISE, saved

from dni_deploy.films import alpha_sheet
from dni_deploy.films.alpha_sheet import as_shown, check_alpha_sheet, usual_alphas, write_alpha_sheet
from dni_deploy.films.colours.conversion import Conversion, values_of
from dni_deploy.films.film import Part
from dni_deploy.films.source.frames import Frames
from dni_deploy.films.source.probe import look_at
from dni_deploy.image_files.read_write import read_image
from dni_deploy.photographs.contact_sheet import contact_sheet, for_sheet
from dni_deploy.photographs.made_with import Making
from dni_runtime import AlphaError, Endpoint, InputError, Metadata, Model, OutputError, load
from dni_runtime.alpha import Knob


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Model]:
    with load(saved(tmp_path_factory.mktemp("model") / "model.onnx", NOISE, scale=2), "cpu", threads=1) as loaded:
        yield loaded


def frames(count: int = 40) -> list[np.ndarray]:
    """Each of another brightness, with a pattern that blurring changes."""
    pattern = np.indices((64, 80)).sum(axis=0)[..., None] % 2 * 100
    return [np.broadcast_to(pattern + 3 * number, (64, 80, 3)).astype(np.uint8) for number in range(count)]


def test_rows_are_frames_and_columns_are_strengths(tmp_path: Path, model: Model, monkeypatch: pytest.MonkeyPatch):
    shown = frames()
    film = look_at(drawn(tmp_path / "film.mkv", shown, rate=10))
    labels: list[str] = []

    def sheet(images: list[np.ndarray], given: list[str], **options: int) -> np.ndarray:
        labels.extend(given)
        return contact_sheet(images, given, **options)

    monkeypatch.setattr(alpha_sheet, "contact_sheet", sheet)
    done: list[tuple[float, int]] = []
    write_alpha_sheet(
        tmp_path / "sheets" / "sheet.png", film, model, Making(), [(1.0,), (0.25,)],
        progress=lambda made, total, file: done.append((made, total)),
    )  # fmt: skip
    images = [
        for_sheet(picture, 3)
        for number in (5, 15, 25, 35)
        for picture in (shown[number], model.enhance(shown[number], 1.0), model.enhance(shown[number], 0.25))
    ]
    expected = [
        text for second in ("0.5", "1.5", "2.5", "3.5") for text in (f"0:00:0{second}", "alpha 1", "alpha 0.25")
    ]
    assert labels == expected
    np.testing.assert_array_equal(
        read_image(tmp_path / "sheets" / "sheet.png"), contact_sheet(images, expected, columns=3)
    )
    assert done == [(number, 8) for number in range(1, 9)]


def test_of_a_part_and_of_what_fits(tmp_path: Path, model: Model, monkeypatch: pytest.MonkeyPatch):
    film = look_at(drawn(tmp_path / "film.mkv", frames(), rate=10))
    labels: list[str] = []
    monkeypatch.setattr(
        alpha_sheet, "contact_sheet", lambda images, given, **options: labels.extend(given) or images[0]
    )
    write_alpha_sheet(tmp_path / "sheet.png", film, model, Making(), ["auto"], begin_s=1, end_s=1.2)
    assert labels[::2] == ["0:00:01", "0:00:01.1"]
    chosen, sigma = model.choose_alpha(frames()[10])
    assert labels[1] == f"alpha {chosen:g} (noise {sigma:.3g})"
    with pytest.raises(InputError, match=r"film\.mkv has no frames from 0:00:09 on and before 0:00:10; give"):
        write_alpha_sheet(tmp_path / "none.png", film, model, Making(), [(1.0,)], begin_s=9, end_s=10)
    assert not (tmp_path / "none.png").exists()


@pytest.mark.parametrize("kind", ["rotated_90", "rotated_180", "rotated_270", "flipped"])
def test_frames_are_turned_as_players_do(kind: str):
    film = look_at(example(kind))
    conversion = Conversion(film.video, values_of(film.video))
    begin = int(film.index.pts[0])
    with Frames(film) as reading:
        (frame,) = reading.read(Part(0, begin, begin + 1))
        shown = as_shown(conversion.to_picture(frame), film.video)
    expected = ffmpeg.pictures(example(kind), turned=True)[0]
    assert shown.shape == expected.shape
    # FFmpeg interpolates colours in another way; turned wrongly it is 60 off or more.
    assert np.abs(shown.astype(int) - expected).mean() < 8


@pytest.mark.parametrize("kind", ["wide_pixels", "wide_pixels_mkv"])
def test_pixels_that_are_wide_are_shown_so(kind: str):
    film = look_at(example(kind))
    assert as_shown(np.zeros((64, 96, 3), np.uint16), film.video).shape == (64, round(96 * 16 / 11), 3)


def test_strengths_where_none_are_given():
    assert usual_alphas(Metadata()) == [0, 0.25, 0.5, 0.75, 1]
    assert usual_alphas(Metadata(alpha_range=(-0.2, 1.2))) == [-0.2, 0.15, 0.5, 0.85, 1.2]
    assert usual_alphas(Metadata(alpha_knobs=(Knob("late", ("x",)),))) == [0, 0.25, 0.5, 0.75, 1]
    with pytest.raises(AlphaError, match="alpha has 2 numbers; give --alpha for each column of the sheet"):
        usual_alphas(Metadata(endpoints=(Endpoint("", ""),) * 3))


def test_what_can_be_refused_before_the_work(tmp_path: Path):
    film = tmp_path / "film.mkv"
    film.touch()
    check_alpha_sheet(tmp_path / "new" / "sheet.png", film, 5, force=False)
    (tmp_path / "sheet.png").touch()
    check_alpha_sheet(tmp_path / "sheet.png", film, 5, force=True)
    with pytest.raises(OutputError, match=r"sheet\.png exists already and is kept; replace it with --force"):
        check_alpha_sheet(tmp_path / "sheet.png", film, 5, force=False)
    with pytest.raises(OutputError, match=r"film\.mkv is the film and would be overwritten; choose another --alpha-s"):
        check_alpha_sheet(film, film, 5, force=True)
    with pytest.raises(OutputError, match=r"the sheet .*sheet\.mkv has an unknown suffix"):
        check_alpha_sheet(tmp_path / "sheet.mkv", film, 5, force=True)
    with pytest.raises(OutputError, match="4 frames at 50 strengths would show 204 pictures; expected at most 200"):
        check_alpha_sheet(tmp_path / "new.png", film, 50, force=False)
