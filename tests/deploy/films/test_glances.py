"""Single frames of a film: those that FFmpeg has there."""

import ffmpeg
import numpy as np
import pytest
from films import film as example

from dni_deploy.films import glances
from dni_deploy.films.film import Film
from dni_deploy.films.glances import frames_between, pictures_at, seconds_of_frames
from dni_deploy.films.source.decoding import Decoding
from dni_deploy.films.source.probe import look_at

EVERY = 5


@pytest.mark.parametrize("kind", [
    "h264", "vp9", "ffv1", "mjpeg", "open_gop", "one_key", "vfr", "late_start", "transport", "raw_h264", "rotated_90",
])  # fmt: skip
def test_some_frames_are_those_of_the_film(kind: str):
    film = look_at(example(kind))
    expected = ffmpeg.pictures(example(kind))
    chosen = film.index.pts[::EVERY].tolist()
    found = dict(pictures_at(film, chosen))
    assert list(found) == chosen
    for number, moment in enumerate(chosen):
        # FFmpeg interpolates colours in another way, but no other frame of its is nearer.
        apart = np.abs(expected.astype(np.int16) - found[moment]).mean(axis=(1, 2, 3))
        assert apart.argmin() == number * EVERY


def test_what_lies_between_is_not_decoded_where_there_is_a_keyframe(monkeypatch: pytest.MonkeyPatch):
    film = look_at(example("long"))  # 100 frames, each tenth of which is a key
    begun: list[int | None] = []
    begin = Decoding.__init__

    def beginning(self: Decoding, film: Film, key: int | None) -> None:
        begun.append(key)
        begin(self, film, key)

    monkeypatch.setattr(Decoding, "__init__", beginning)
    pts = film.index.pts
    chosen = pts[[3, 5, 5 + 1, 47, 95]].tolist()
    assert [moment for moment, _ in pictures_at(film, chosen)] == chosen
    assert begun == pts[[0, 40, 90]].tolist()


def test_frames_that_cannot_be_decoded_are_left_out():
    film = look_at(example("damaged"))
    moments = [moment for moment, _ in pictures_at(film, film.index.pts.tolist())]
    assert set(moments) <= set(film.index.pts.tolist())
    assert len(moments) > len(film.index.pts) // 2


def test_frames_of_some_seconds():
    film = look_at(example("late_start"))
    seconds = seconds_of_frames(film)
    assert seconds.tolist() == [film.seconds(int(pts)) for pts in film.index.pts]
    np.testing.assert_array_equal(frames_between(film, seconds[3], seconds[7]), film.index.pts[3:7])
    assert glances.frames_between(film, 100, 200).size == 0
