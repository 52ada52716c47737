"""Reading, the network and writing at the same time: in order, in bounded memory, and to a clean end."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import names
from onnx_models import conv_stack, picture, save
from photographs import save_image

from dni_deploy.image_files.read_write import read_image
from dni_deploy.photographs.enhance_files import make_planned
from dni_deploy.photographs.made_with import Making
from dni_deploy.photographs.making import overlapped, steps
from dni_deploy.photographs.making.overlapped import make_overlapped
from dni_deploy.photographs.making.steps import Made, Steps
from dni_deploy.photographs.planned import EnhancedFile, Planned
from dni_runtime import Model, load

COUNT = 6
PATIENCE_S = 20


@pytest.fixture
def model(tmp_path: Path) -> Iterator[Model]:
    with load(save(conv_stack(), tmp_path / "model.onnx"), "cpu", threads=1) as loaded:
        yield loaded


@pytest.fixture
def planned(tmp_path: Path) -> list[Planned]:
    """Two results of each input, of which the third is no image."""
    for index in range(COUNT):
        save_image(tmp_path / "in" / f"{index}.png", picture(20 + index, 30, 3, seed=index))
    (tmp_path / "in" / "2.png").write_text("no image")
    return [
        Planned(tmp_path / "in" / f"{index}.png", tmp_path / "out" / f"{index}_{alpha}.png", (alpha,))
        for index in range(COUNT)
        for alpha in (0.25, 0.75)
    ]


def run(model: Model, planned: list[Planned], tell: Callable[[EnhancedFile], None] | None = None) -> list[EnhancedFile]:
    given = Steps(model, Making())
    return make_planned(planned, lambda *arguments: make_overlapped(given, *arguments), tell=tell)


def wait_for(happened: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.002)


def test_results_are_those_of_one_after_another(model: Model, planned: list[Planned]):
    told: list[EnhancedFile] = []
    results = run(model, planned, told.append)
    assert told == results
    assert [(result.input, result.output, result.alpha) for result in results] == [
        (plan.input, plan.output, plan.alpha) for plan in planned
    ]
    for plan, result in zip(planned, results, strict=True):
        if plan.input.name == "2.png":
            assert result.error is not None and "2.png is not an image" in result.error
            assert not plan.output.exists()
        else:
            assert result.error is None
            np.testing.assert_array_equal(
                read_image(plan.output), model.enhance(read_image(plan.input), *(plan.alpha or ()))
            )


def test_the_next_is_read_and_the_last_is_written_while_the_network_runs(
    model: Model, planned: list[Planned], monkeypatch: pytest.MonkeyPatch
):
    read: list[str] = []
    read_file, enhance = steps.read_file, model.enhance

    def reading(file: Path, **options: Any) -> Any:
        read.append(file.name)
        return read_file(file, **options)

    def enhancing(image: Any, *arguments: Any, **options: Any) -> Any:
        index = len(image) - 20
        wait_for(lambda: index == COUNT - 1 or f"{index + 1}.png" in read)
        wait_for(lambda: index == 0 or (planned[0].output.exists() and planned[1].output.exists()))
        assert len(read) <= index + 2
        return enhance(image, *arguments, **options)

    monkeypatch.setattr(steps, "read_file", reading)
    monkeypatch.setattr(model, "enhance", enhancing)
    assert [result.error is None for result in run(model, planned)] == [index not in (4, 5) for index in range(12)]
    assert read == [f"{index}.png" for index in range(COUNT)]


@pytest.mark.parametrize("limit_bytes", [1, 20 * 30 * 3 * 2])
def test_memory_is_bounded(model: Model, planned: list[Planned], monkeypatch: pytest.MonkeyPatch, limit_bytes: int):
    """Of results that wait to be written, none or two."""
    monkeypatch.setattr(overlapped, "LIMIT_BYTES", limit_bytes)
    waiting: set[Path] = set()
    most = 0
    enhance, write = Steps.enhance, Steps.write

    def enhancing(self: Steps, plan: Planned, *arguments: Any) -> Made:
        nonlocal most
        most = max(most, len(waiting))
        made = enhance(self, plan, *arguments)
        if made.file is not None:
            waiting.add(plan.output)
        return made

    def writing(self: Steps, made: Made) -> EnhancedFile:
        time.sleep(0.02)
        result = write(self, made)
        waiting.discard(made.planned.output)
        return result

    monkeypatch.setattr(Steps, "enhance", enhancing)
    monkeypatch.setattr(Steps, "write", writing)
    run(model, planned)
    assert most == 0 if limit_bytes == 1 else 1 <= most <= 2


def test_a_slow_writer_holds_nobody_s_line_back_for_long(
    model: Model, planned: list[Planned], monkeypatch: pytest.MonkeyPatch
):
    """Several are written at once; the first is told of when it is there, and the others after it."""
    rest, write = threading.Event(), Steps.write

    def writing(self: Steps, made: Made) -> EnhancedFile:
        if made.planned == planned[0]:
            assert rest.wait(PATIENCE_S)
        result = write(self, made)
        if made.planned == planned[3]:
            rest.set()
        return result

    told: list[EnhancedFile] = []
    monkeypatch.setattr(Steps, "write", writing)
    assert run(model, planned, told.append) == told
    assert [result.output for result in told] == [plan.output for plan in planned]


def test_interrupted_it_finishes_what_is_being_written_and_begins_nothing(
    model: Model, planned: list[Planned], monkeypatch: pytest.MonkeyPatch
):
    begun = threading.Event()
    enhance, write = model.enhance, Steps.write

    def writing(self: Steps, made: Made) -> EnhancedFile:
        begun.set()
        time.sleep(0.1)
        return write(self, made)

    def enhancing(image: Any, *arguments: Any, **options: Any) -> Any:
        if len(image) == 21:
            assert begun.wait(PATIENCE_S)
            raise KeyboardInterrupt
        return enhance(image, *arguments, **options)

    monkeypatch.setattr(Steps, "write", writing)
    monkeypatch.setattr(model, "enhance", enhancing)
    told: list[EnhancedFile] = []
    before = set(threading.enumerate())
    with pytest.raises(KeyboardInterrupt):
        run(model, planned, told.append)
    assert [result.output for result in told] == [plan.output for plan in planned[:2]]
    assert names(planned[0].output.parent) == sorted(result.output.name for result in told)
    assert not {thread.name for thread in set(threading.enumerate()) - before if "ThreadPool" in thread.name}


def test_who_hears_of_results_may_hang_up(model: Model, planned: list[Planned]):
    def tell(result: EnhancedFile) -> None:
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        run(model, planned, tell)


def test_what_another_wrote_in_the_meantime_is_kept(
    model: Model, planned: list[Planned], monkeypatch: pytest.MonkeyPatch
):
    """Before the network, and while a result is being written: it needs no run of ours to come first."""
    enhance, encode = model.enhance, steps.write_file

    def enhancing(image: Any, *arguments: Any, **options: Any) -> Any:
        if not planned[1].output.exists():
            planned[1].output.write_bytes(b"theirs")
        return enhance(image, *arguments, **options)

    def writing(path: Path, *arguments: Any, **options: Any) -> None:
        if path == planned[-1].output:
            path.write_bytes(b"theirs")
        encode(path, *arguments, **options)

    monkeypatch.setattr(model, "enhance", enhancing)
    monkeypatch.setattr(steps, "write_file", writing)
    results = run(model, planned)
    for index in (1, len(planned) - 1):
        assert planned[index].output.read_bytes() == b"theirs"
        assert results[index].error == (
            f"{planned[index].output} was written by something else in the meantime, and is kept; choose another output"
        )
    assert sum(result.error is not None for result in results) == 4
