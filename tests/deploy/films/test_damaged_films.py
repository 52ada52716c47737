"""A damaged film is made as far as it goes, and the note says what was wrong."""

from pathlib import Path

import pytest
from commands import Result, dni
from ffmpeg import frames, pictures
from films import film
from onnx_models import save
from plain_to_see import returns_input


@pytest.fixture
def enhanced(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Result, Path]:
    save(returns_input(), tmp_path / "same.onnx")
    output = tmp_path / f"out{film(request.param).suffix.replace('.ts', '.mkv')}"
    return dni("film", tmp_path / "same.onnx", film(request.param), "-o", output).assert_ok(), output


@pytest.mark.parametrize("enhanced", ["damaged"], indirect=True)
def test_a_damaged_frame_is_a_note_and_its_time_is_kept(enhanced: tuple[Result, Path]):
    answer, output = enhanced
    assert "damaged" in answer.err
    before, after = frames(film("h264")), frames(output)
    assert after[0].second == before[0].second
    assert after[-1].second + after[-1].duration == before[-1].second + before[-1].duration
    assert {f.second for f in after} <= {f.second for f in before}
    assert len(after) > len(before) // 2


@pytest.mark.parametrize("enhanced", ["cut_off"], indirect=True)
def test_a_film_that_is_cut_off_ends_where_it_does(enhanced: tuple[Result, Path]):
    _, output = enhanced
    assert [f.second for f in frames(output)] == [f.second for f in frames(film("cut_off"))]


@pytest.mark.parametrize("enhanced", ["begun_late"], indirect=True)
def test_a_recording_that_begins_between_keyframes_begins_with_the_first_picture_that_is_whole(
    enhanced: tuple[Result, Path],
):
    _, output = enhanced
    assert len(frames(output)) == pytest.approx(len(frames(film("begun_late"))), abs=3)
    assert pictures(output).shape[1:] == (64, 96, 3)
