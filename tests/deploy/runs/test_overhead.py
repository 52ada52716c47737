"""What a run costs beside reading, the network and writing: little, however many small files there are."""

import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from onnx_models import conv_stack, picture, save
from photographs import save_image

from dni_deploy.image_files.reading import read_file
from dni_deploy.image_files.writing import write_file
from dni_deploy.runs import RunJob, run
from dni_deploy.terminal import Terminal

COUNT = 400
LIMIT_S = 0.005

pytestmark = pytest.mark.alone


def test_a_small_file_costs_less_than_five_milliseconds_more(tmp_path: Path):
    for index in range(COUNT):
        save_image(tmp_path / "in" / f"{index}.png", picture(24, 32, 3, seed=index))
    model = save(conv_stack(), tmp_path / "model.onnx")
    inputs, output = [tmp_path / "in"], tmp_path / "out"
    job = RunJob(model=model, inputs=inputs, output=output, alphas=[0.5], provider="cpu", threads=1)
    (tmp_path / "direct").mkdir()
    with job.load() as loaded:
        begin = time.process_time()
        for file in (tmp_path / "in").iterdir():
            content = read_file(file)
            made = replace(content, pictures=(loaded.enhance(content.pictures[0], 0.5),))
            write_file(tmp_path / "direct" / file.name, made)
        direct = time.process_time() - begin
    begin = time.process_time()
    results = run(job, Terminal(sys.stderr))
    whole = time.process_time() - begin
    assert [result.error for result in results] == [None] * COUNT
    # Of the processor: other processes only add to what passes. Loading the model is in it, too; about 1 ms is usual.
    assert (whole - direct) / COUNT < LIMIT_S
