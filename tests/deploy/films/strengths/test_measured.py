"""The strength that fits a film's noise: found twice a second, smoothed, and the same for a part as for the whole."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from drawn_films import drawn
from films import film as example
from onnx_models import save
from sharp_or_blurred import JPEG, NOISE, saved, sharp_or_blurred

from dni_deploy.demo import PHOTOGRAPH
from dni_deploy.films.film import Film
from dni_deploy.films.source.probe import look_at
from dni_deploy.films.strengths import measured, read_keys, save_keys
from dni_deploy.films.strengths.cuts import find_cut
from dni_deploy.films.strengths.measured import averaged
from dni_deploy.image_files.read_write import read_image
from dni_runtime import AlphaError, Model, load, pin

RATE = 10
QUIET, LOUD = 10.0, 40.0


def noisy(sigmas: list[float], *, other: bool = False) -> Iterator[npt.NDArray[np.uint8]]:
    """A frame for each sigma of noise, of one part of a photograph, or of another."""
    rng = np.random.default_rng(0)
    left = 200 if other else 0
    clean = np.clip(read_image(PHOTOGRAPH)[:128, left : left + 160], 60, 195)  # noise of a clipped value is less
    for sigma in sigmas:
        yield np.clip(clean + rng.normal(0, sigma, clean.shape), 0, 255).round().astype(np.uint8)


@pytest.fixture(scope="module")
def two_scenes(tmp_path_factory: pytest.TempPathFactory) -> Film:
    """Four seconds of little noise, four of much."""
    sigmas = [QUIET] * 4 * RATE + [LOUD] * 4 * RATE
    return look_at(drawn(tmp_path_factory.mktemp("scenes") / "film.mkv", noisy(sigmas), rate=RATE))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Model]:
    with load(saved(tmp_path_factory.mktemp("model") / "model.onnx", NOISE), "cpu", threads=1) as loaded:
        yield loaded


def test_each_scene_has_what_fits_its_noise(two_scenes: Film, model: Model):
    curve = measured(two_scenes, model)
    at = lambda second: curve.at(second)[0]  # noqa: E731
    quiet, loud = NOISE.nearest(QUIET), NOISE.nearest(LOUD)
    assert [at(second) for second in (0, 1, 2, 3)] == pytest.approx([quiet] * 4, abs=0.04)
    assert [at(second) for second in (4.6, 5, 6, 7, 8)] == pytest.approx([loud] * 5, abs=0.04)
    assert loud < at(3.9) < quiet  # where the picture goes on, it takes a second
    assert at(3.8) > at(4) > at(4.2)


def test_a_part_has_the_strength_that_it_has_in_the_whole(two_scenes: Film, model: Model):
    whole, part = measured(two_scenes, model), measured(two_scenes, model, 3.3, 4.7)
    assert part.seconds[0] > 1
    assert part.seconds[-1] < 7
    for second in np.arange(3.3, 4.7, 0.01):
        assert part.at(second) == pytest.approx(whole.at(second), abs=1e-12)


def test_frames_unlike_their_neighbours_count_for_nothing(tmp_path: Path, model: Model):
    sigmas = [QUIET] * 6 * RATE
    for flash in (0, 15, 35, 55):  # each of which is looked at
        sigmas[flash] = 80
    found = measured(look_at(drawn(tmp_path / "film.mkv", noisy(sigmas), rate=RATE)), model)
    assert np.ravel(found.alphas) == pytest.approx(NOISE.nearest(QUIET), abs=0.04)


def test_what_was_found_is_told_and_can_be_edited(tmp_path: Path, two_scenes: Film, model: Model):
    told: list[str] = []
    shown: list[tuple[float, int]] = []
    curve = measured(
        two_scenes, model, tell=told.append, progress=lambda done, total, file: shown.append((done, total))
    )
    low, high = min(curve.alphas)[0], max(curve.alphas)[0]
    assert told[0].startswith(f"alpha {low:g} to {high:g}, for the noise in 16 frames (sigma ")
    assert shown == [(number, 16) for number in range(1, 17)]
    measured(two_scenes, model, 5, 7, tell=told.append)
    assert told[1].startswith("alpha 0.26")
    assert "for the noise in 4 frames (sigma 39.8 to 41.1 of 255)" in told[1]
    save_keys(tmp_path / "keys.csv", curve, model.metadata)
    assert read_keys(tmp_path / "keys.csv", model, two_scenes) == curve


@pytest.mark.parametrize("kind", ["vfr", "one_frame", "late_start", "transport", "open_gop", "h264_10bit", "h264_gray"])
def test_films_of_any_kind(kind: str, model: Model):
    looked = look_at(example(kind))
    curve = measured(looked, model)
    assert curve.seconds[0] == 0
    assert all(0 <= alpha <= 1 for (alpha,) in curve.alphas)


def test_a_film_without_noise_has_two_keys(tmp_path: Path, model: Model):
    even = [np.full((64, 64, 3), 99, np.uint8)] * 50
    curve = measured(look_at(drawn(tmp_path / "film.mkv", even, rate=RATE)), model)
    assert (curve.seconds, curve.alphas) == ((0, 4.5), ((1.0,), (1.0,)))


def test_averages():
    assert averaged(np.array([0.0] * 3 + [1.0] * 3)).tolist() == [0, 0, 0.25, 0.75, 1, 1]
    assert averaged(np.array([0.5])).tolist() == [0.5]
    assert averaged(np.array([0.2, 0.4])).tolist() == [0.3, 0.3]


@pytest.mark.parametrize("at", [35, 41, 44, 45])  # of which each fifth is looked at
def test_at_a_cut_it_jumps_with_the_picture(tmp_path: Path, model: Model, at: int):
    count = 8 * RATE
    scenes = [*noisy([QUIET] * at), *noisy([LOUD] * (count - at), other=True)]
    film = look_at(drawn(tmp_path / "film.mkv", scenes, rate=RATE))
    curve = measured(film, model)
    alphas = np.array([curve.at(film.seconds(int(pts)))[0] for pts in film.index.pts])
    assert alphas[:at] == pytest.approx([NOISE.nearest(QUIET)] * at, abs=0.04)
    assert alphas[at:] == pytest.approx([NOISE.nearest(LOUD)] * (count - at), abs=0.04)
    part = measured(film, model, 3.3, 4.8)
    for second in np.arange(3.3, 4.8, 0.02):
        assert part.at(second) == pytest.approx(curve.at(second), abs=1e-12)


def test_a_camera_that_moves_is_no_cut(tmp_path: Path):
    wide = read_image(PHOTOGRAPH)[:128]
    moving = [np.ascontiguousarray(wide[:, 4 * number : 4 * number + 160]) for number in range(30)]
    film = look_at(drawn(tmp_path / "film.mkv", moving, rate=RATE))
    first, *_, last = film.index.pts.tolist()
    assert find_cut(film, first, last) is None
    assert find_cut(film, first, first) is None


def test_a_dissolve_is_no_cut(tmp_path: Path):
    before, after = np.full((64, 64, 3), 40.0), np.full((64, 64, 3), 200.0)
    dissolve = [(before + (after - before) * share).astype(np.uint8) for share in np.linspace(0, 1, 8)]
    film = look_at(drawn(tmp_path / "film.mkv", [dissolve[0]] * 2 + dissolve + [dissolve[-1]] * 2, rate=RATE))
    assert find_cut(film, int(film.index.pts[0]), int(film.index.pts[-1])) is None


@pytest.mark.parametrize(("make", "message"), [
    (sharp_or_blurred, "is not calibrated, so nothing tells which alpha fits"),
    (lambda: sharp_or_blurred(JPEG), "is calibrated for the quality of JPEGs, which frames of a film do not have"),
    (lambda: pin(sharp_or_blurred(NOISE), alpha=0.5), "so there is no alpha to choose"),
])  # fmt: skip
def test_models_for_which_no_film_tells(tmp_path: Path, two_scenes: Film, make: Callable[[], object], message: str):
    path = save(make(), tmp_path / "model.onnx")
    with load(path, "cpu") as other, pytest.raises(AlphaError, match=message):
        measured(two_scenes, other)


def test_frames_that_are_too_small(model: Model):
    with pytest.raises(AlphaError, match="too small to tell its noise"):
        measured(look_at(example("ffv1_yuv444p")), model)
