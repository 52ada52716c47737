"""Work on CUDA is one call at a time, on two threads at most, however many threads ask."""

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from dni_runtime.providers.cuda_turns import in_turn


def run_program(program: str) -> "subprocess.CompletedProcess[str]":
    environment = {"PYTHONPATH": str(Path(__file__).parents[3] / "runtime")}
    return subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)


def run_in_threads(count: int, work) -> None:
    threads = [threading.Thread(target=work) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_calls_never_overlap_and_use_two_threads_at_most():
    inside, overlaps, used = [0], [], set()

    def call() -> int:
        inside[0] += 1
        overlaps.append(inside[0])
        used.add(threading.get_native_id())
        time.sleep(0.001)
        inside[0] -= 1
        return inside[0]

    for _ in range(10):
        in_turn(call)
        run_in_threads(4, lambda: in_turn(call))
    assert set(overlaps) == {1}
    assert len(overlaps) == 50
    assert len(used) <= 2


def test_a_call_may_make_others():
    assert in_turn(lambda: in_turn(lambda: in_turn(lambda: 3))) == 3
    results: list[int] = []
    run_in_threads(3, lambda: results.append(in_turn(lambda: in_turn(lambda: 4))))
    assert results == [4, 4, 4]


def test_errors_come_to_the_thread_that_asked():
    def fail() -> None:
        raise ValueError("of the call")

    with pytest.raises(ValueError, match="of the call"):
        in_turn(fail)
    caught: list[str] = []

    def work() -> None:
        try:
            in_turn(fail)
        except ValueError as error:
            caught.append(str(error))

    run_in_threads(2, work)
    assert caught == ["of the call"] * 2


def test_the_first_thread_works_itself_and_one_that_takes_its_number_does_not():
    """The system gives the number of a thread that ended to the next one, whose CUDA context is another."""
    program = """
import threading
from dni_runtime.providers.cuda_turns import in_turn

seen = []
def work():
    seen.append(in_turn(threading.current_thread) is threading.current_thread())
for _ in range(4):
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
print(seen)
"""
    run = run_program(program)
    assert run.stdout == "[True, False, False, False]\n", run.stderr


def test_a_thread_that_outlives_the_main_one_still_has_its_turns():
    program = """
import threading, time
from dni_runtime.providers.cuda_turns import in_turn

def work():
    while threading.main_thread().is_alive():
        time.sleep(0.01)
    print(in_turn(lambda: "in turn"))

in_turn(lambda: None)
threading.Thread(target=work).start()
"""
    run = run_program(program)
    assert (run.stdout, run.stderr) == ("in turn\n", "")
