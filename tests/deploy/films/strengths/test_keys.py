"""Strengths that move: what a table of keys says, at every frame of a film."""

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from onnx_models import METADATA, save
from sharp_or_blurred import saved, sharp_or_blurred

from dni_deploy.films.film import Film, Index, Video
from dni_deploy.films.strengths import Curve, Held, check_keys_place, read_keys, save_keys
from dni_runtime import AlphaError, Endpoint, InputError, Metadata, OutputError, load, pin
from dni_runtime.alpha import Knob

FRAMES = 50
MODEL = replace(METADATA, alpha_range=(0.0, 1.0))


def film(pts: Sequence[int] = range(100, 100 + 40 * FRAMES, 40), *, rate: int = 25) -> Film:
    """Two seconds in milliseconds that begin at 0.1 s."""
    moments = np.array(pts, np.int64)
    index = Index(moments, np.full(len(moments), 40), moments[:1])
    video = Video(0, "h264", 64, 64, "yuv420p", Fraction(1, 1000), Fraction(rate))
    return Film(Path("film.mkv"), video, index)


def read(tmp_path: Path, content: str, model: Metadata = MODEL, *, held: bool = False, of: Film | None = None) -> Curve:
    path = tmp_path / "keys.csv"
    path.write_text(content, encoding="utf-8")
    return read_keys(path, model, of or film(), held=held)


@pytest.mark.parametrize("content", [
    "time,alpha\n0,0.2\n0.4,0.6\n1.2,0.4\n",
    "time,alpha\n0:00:00,0.2\n0:00.4,0.6\n0:00:01:05,0.4\n",
    "frame,alpha\n0,0.2\n10,0.6\n30,0.4\n",
    "note\tALPHA\tTime\nwide; dark\t0,2\t0\nclose\t0,6\t0,4\n\nend\t0,4\t1,2\n",
    "time;alpha\n0;0,2\n0,4;0,6\n0:01,2;0,4\n",
])  # fmt: skip
def test_the_same_keys_in_many_hands(tmp_path: Path, content: str):
    assert read(tmp_path, content) == Curve((0, 0.4, 1.2), ((0.2,), (0.6,), (0.4,)))


def test_between_keys_alpha_moves_evenly_and_beyond_them_it_stays(tmp_path: Path):
    curve = read(tmp_path, "time,alpha\n0.4,0.2\n0.8,0.6\n1.2,0.6\n")
    at = [curve.at(second) for second in (0, 0.4, 0.5, 0.6, 0.8, 1, 1.2, 2, 9)]
    assert np.ravel(at) == pytest.approx([0.2, 0.2, 0.3, 0.4, 0.6, 0.6, 0.6, 0.6, 0.6])
    assert curve.at(0.9) == curve.at(1.1) == (0.6,)  # to the bit: equal frames are not computed again


def test_held_it_stays_until_the_next_key(tmp_path: Path):
    curve = read(tmp_path, "frame,alpha\n10,0.2\n20,0.6\n", held=True)
    moments = [film().seconds(int(pts)) for pts in film().index.pts]
    assert [curve.at(moment) for moment in moments] == [(0.2,)] * 20 + [(0.6,)] * 30


def test_a_key_is_at_its_frame_where_the_container_rounds(tmp_path: Path):
    """Of 23.976 frames a second .mkv keeps milliseconds: frame 2 is at 0.083 s, not at 0.0834."""
    of = replace(film([0, 42, 83, 125]), video=replace(film().video, rate=Fraction(24000, 1001)))
    for key in ("0:00:00:02", "0.0834", "0.083"):
        curve = read(tmp_path, f"time,alpha\n0,0.2\n{key},0.6\n", held=True, of=of)
        assert [curve.at(of.seconds(int(pts))) for pts in of.index.pts] == [(0.2,), (0.2,), (0.6,), (0.6,)]


def test_frames_are_at_their_moments_whatever_these_are(tmp_path: Path):
    of = film([100, 140, 300, 1100])
    assert read(tmp_path, "frame,alpha\n0,0\n2,0.5\n3,1\n", of=of).seconds == (0, 0.2, 1.0)


def test_alphas_of_several_numbers(tmp_path: Path):
    shares = Metadata(endpoints=(Endpoint("", ""),) * 3)
    curve = read(tmp_path, "alpha_2,time,alpha_1\n0,0,1\n1,1,0\n", shares)
    assert curve.at(0.25) == (0.75, 0.25)
    knobs = replace(METADATA, alpha_knobs=(Knob("late", ("x",)),))
    assert read(tmp_path, "time,alpha,alpha_late\n0,0,1\n2,1,1\n", knobs).at(1) == (0.5, 1)


def test_a_model_checks_them_as_a_call_does(tmp_path: Path):
    path = saved(tmp_path / "model.onnx")
    table = tmp_path / "keys.csv"
    table.write_text("time,alpha\n0,0.2\n1,0.6\n")
    with load(path, "cpu") as model:
        assert read_keys(table, model, film()) == Curve((0, 1), ((0.2,), (0.6,)))
    save(pin(sharp_or_blurred(), alpha=0.2), tmp_path / "baked.onnx")
    with load(tmp_path / "baked.onnx", "cpu") as model, pytest.raises(AlphaError, match=r"line 3: .* baked for 0\.2"):
        read_keys(table, model, film())


COLUMNS = r"expected time or frame, alpha once each for this model, and no other alpha \(the first line"


@pytest.mark.parametrize(("content", "message"), [
    ("", r"keys\.csv is empty; expected a first line such as time,alpha$"),
    ("time,alpha\n", r"keys\.csv has no keys; expected a line such as 0,0\.5$"),
    ("0,0.5\n", f"line 1 names the columns '0', '0.5'; {COLUMNS}"),
    ("file,alpha\n", COLUMNS),
    ("time,frame,alpha\n", COLUMNS),
    ("time,time,alpha\n", COLUMNS),
    ("time,alpha,alpha_late\n", COLUMNS),
    ("time,alpha\n,0.5\n", "line 2 names no time"),
    ("frame,alpha\n,0.5\n", "line 2 names no frame"),
    ("time,alpha\n0,auto\n", "line 2: the alpha of 0 is 'auto'; expected a number such as 0.3$"),
    ("time,alpha\nsoon,1\n", "line 2: 'soon' is no moment of a film; expected seconds"),
    ("time,alpha\n-1,1\n", "line 2: '-1' is no moment"),
    ("time,alpha\n0:00:01:25,1\n", "line 2: '0:00:01:25' has the frame 25 of 25"),
    ("time,alpha\n2,1\n2.1,1\n", r"line 3: 2\.1 is beyond the end of film\.mkv, which is at 0:00:02; times are"),
    ("time,alpha\n1,1\n0:01,0\n", "line 3: the time 0:01 is at the same moment as 1 in line 2; expected keys in their"),
    ("time,alpha\n0,1\n1,1\n0.5,0\n", r"line 4: the time 0\.5 is before 1 in line 3; expected keys in their order"),
    ("frame,alpha\n5,1\n4,0\n", "line 3: the frame 4 is before 5 in line 2"),
    ("frame,alpha\n50,1\n", r"line 2: the frame 50 is beyond the film's end; film\.mkv has 50 frames, the last of"),
    (f"frame,alpha\n{'9' * 400},1\n", "is beyond the film's end"),
    ("frame,alpha\n1.5,1\n", "line 2: '1.5' is no frame; expected a whole number, 0 for the first frame"),
    ("frame,alpha\n-1,1\n", "line 2: '-1' is no frame"),
])  # fmt: skip
def test_what_does_not_fit_is_named_with_its_line(tmp_path: Path, content: str, message: str):
    with pytest.raises(InputError, match=message) as error:
        read(tmp_path, content)
    assert str(error.value).startswith(str(tmp_path / "keys.csv"))


@pytest.mark.parametrize("alpha", ["nan", "inf", "-0.5", "1.5"])
def test_alphas_out_of_range(tmp_path: Path, alpha: str):
    with pytest.raises(AlphaError, match=r"keys\.csv, line 3: alpha .* is out of range; expected a finite number in"):
        read(tmp_path, f"time,alpha\n0,0.5\n1,{alpha}\n")


def test_keys_are_saved_as_they_are_read(tmp_path: Path):
    path = tmp_path / "saved.csv"
    curve = Curve((0.0, 0.1 + 0.2, 1.5), ((0.2, 1.0), (1 / 3, 0.5), (1.0, 0.0)))
    knobs = replace(METADATA, alpha_knobs=(Knob("late", ("x",)),))
    save_keys(path, curve, knobs)
    assert path.read_text().startswith("time,alpha,alpha_late\n0.0,0.2,1.0\n")
    assert read_keys(path, knobs, film()) == curve
    with pytest.raises(OutputError, match=r"saved\.csv exists already; choose another output, or replace with --force"):
        save_keys(path, curve, knobs)
    save_keys(path, replace(curve, seconds=(0.0, 0.5, 1.0)), knobs, force=True)
    assert read_keys(path, knobs, film()).seconds == (0, 0.5, 1)
    save_keys(tmp_path / "new" / "keys.csv", curve, knobs)
    with pytest.raises(OutputError, match=r"saved\.csv is no folder"):
        save_keys(path / "keys.csv", curve, knobs)


def test_where_keys_cannot_be_saved(tmp_path: Path):
    of, path = tmp_path / "film.mkv", tmp_path / "keys.csv"
    of.touch()
    check_keys_place(path, [of])
    with pytest.raises(OutputError, match=r"film\.mkv is the film, its result or the model; choose"):
        check_keys_place(tmp_path / "." / "film.mkv", [of], force=True)
    path.touch()
    check_keys_place(path, [of], force=True)
    with pytest.raises(OutputError, match=r"keys\.csv exists already; choose another output, or replace with --force"):
        check_keys_place(path, [of])
    with pytest.raises(OutputError, match=r"is a folder"):
        check_keys_place(tmp_path, force=True)
    with pytest.raises(OutputError, match=r"keys\.csv is no folder"):
        check_keys_place(path / "more.csv")


def test_one_that_stays():
    assert Held((0.5,)).at(3) == (0.5,)
    assert Held(None).at(0) is None
