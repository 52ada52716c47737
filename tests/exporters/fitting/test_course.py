"""When a fit is over: after its steps or minutes, or sooner where it no longer gains."""

from dataclasses import replace

import pytest

from dni_exporters.fitting.course import Bounds, Course, Look

BOUNDS = Bounds(steps=1000, minutes=None)


def at(step: int, *decibels: float, seconds: float = 0.0) -> Course:
    return Course(step, seconds, looks=[Look(25 * n, 0.0, db, db, 1.0) for n, db in enumerate(decibels)])


def test_steps_count_where_they_are_bounded_and_minutes_end_it_all_the_same():
    assert at(250).done(BOUNDS) == 0.25
    assert at(250, seconds=60).done(Bounds(1000, 10)) == 0.25
    assert at(250, seconds=600).done(Bounds(1000, 10)) == 1
    assert at(250, seconds=60).done(Bounds(None, 10)) == pytest.approx(0.1)


def test_where_looks_gain_nothing_the_rest_of_the_schedule_becomes_shorter():
    course = at(225, 20, 30, 35, *[34.0] * 7)
    course.hurry(BOUNDS)
    assert course.done(BOUNDS) == pytest.approx(0.5)
    assert replace(course, step=450).done(BOUNDS) == pytest.approx(1)
    course.hurry(BOUNDS)  # once
    assert course.done(BOUNDS) == pytest.approx(0.5)


def test_a_long_fit_may_stand_still_for_a_sixth_of_its_time():
    patient = at(210, 20, 30, 35, *[34.0] * 6)
    patient.hurry(Bounds(2000, None))  # whose sixth are 13 looks
    assert patient.ends_at == 1
    late = at(375, 20, 30, *[29.0] * 14)
    late.hurry(Bounds(2000, None))
    assert late.ends_at == pytest.approx(2 * 375 / 2000)


@pytest.mark.parametrize(
    "decibels",
    [[20, 30, 35, 34, 34, 34, 34, 34], [20, 30, 35, 34, 34, 34, 34, 34, 35.2], [*range(20, 40)]],
    ids=["too few", "a gain at last", "gains"],
)
def test_gains_go_on(decibels: list[float]):
    course = at(210, *decibels)
    course.hurry(BOUNDS)
    assert course.done(BOUNDS) == pytest.approx(0.21)


def test_a_fit_is_lost_whose_looks_are_all_worse_than_what_it_began_with():
    assert not at(75, 20, 10, 12, 15).is_lost
    assert at(100, 20, 10, 12, 15, 19).is_lost
    assert not at(100, 20, 10, 12, 15, 21).is_lost
    retreated = replace(at(100, 20, 10, 12, 15, 19, 18, 17), began=4)
    assert not retreated.is_lost
    assert replace(at(200, 20, 10, 12, 15, 19, 18, 17, 16, 15), began=4).is_lost
    retreated.hurry(BOUNDS)  # six looks are seen of the new rate first
    assert retreated.ends_at == 1


def test_the_best_is_the_first_of_equals_and_a_course_survives_json():
    course = at(100, 20, 30, 30, 25)
    assert course.best.step == 25
    assert Course.from_dict(course.to_dict()) == course
