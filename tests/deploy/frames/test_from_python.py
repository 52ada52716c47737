"""What `dni run` does with a folder, by the functions that it is made of."""

from pathlib import Path

from frames_with_alphas import Frames, assert_made

from dni_deploy.frames import Job, enhance_frames, find_finished, make_here, model_digest, plan_frames
from dni_deploy.photographs.made_with import MadeWith


def test_frames_are_made_once_and_found_again(tmp_path: Path):
    frames, output = Frames.make(tmp_path, 4), tmp_path / "out"
    made_with = MadeWith(model=frames.model, provider="cpu", threads=1)
    job = Job(made_with, model_digest(frames.model), output)
    with made_with.load() as model:
        planned = plan_frames(model, [tmp_path / "frames"], output, frames.table)
        told = []
        results = enhance_frames(planned, find_finished(planned, job), make_here(model, job), tell=told.append)
        assert told == results
        assert [(result.error, result.kept) for result in results] == [(None, False)] * 4
        assert_made(frames, output)
        (output / "0002.png").unlink()
        there = find_finished(planned, job)
        assert [plan.output.name for plan in there] == ["0000.png", "0001.png", "0003.png"]
        again = enhance_frames(planned, there, make_here(model, job))
    assert [result.kept for result in again] == [True, True, False, True]
