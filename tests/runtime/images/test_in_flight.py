import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from dni_runtime.images.in_flight import Background, run_in_flight

TIMEOUT_S = 20


@pytest.fixture(autouse=True)
def no_thread_is_left():
    before = threading.active_count()
    yield
    assert threading.active_count() == before


@pytest.mark.parametrize("count", [1, 2, 3, 10])
def test_every_step_goes_through_all_three_in_order(count):
    finished = []
    run_in_flight(count, lambda step: [step], lambda step, x: [*x, step], lambda step, y: finished.append((step, y)))
    assert finished == [(step, [step, step]) for step in range(count)]


def test_neighbouring_steps_are_worked_on_while_one_runs():
    prepared, finished = ([threading.Event() for _ in range(5)] for _ in "ab")

    def prepare(step):
        prepared[step].set()
        return step

    def run(step, x):
        # Would wait in vain if anything came one after the other.
        assert step == 0 or finished[step - 1].wait(TIMEOUT_S)
        assert step == 4 or prepared[step + 1].wait(TIMEOUT_S)
        return x

    run_in_flight(5, prepare, run, lambda step, y: finished[step].set())
    assert finished[4].is_set()


def test_run_is_called_in_the_calling_thread_and_the_rest_in_one_other():
    runs, others = [], []
    run_in_flight(
        6,
        lambda step: others.append(threading.current_thread()),
        lambda step, x: runs.append(threading.current_thread()),
        lambda step, y: others.append(threading.current_thread()),
    )
    main = threading.current_thread()
    assert set(runs) == {main}
    assert others[0] is others[-1] is main
    assert len(set(others[1:-1])) == 1
    assert others[1] is not main


def test_one_step_needs_no_thread():
    before = threading.active_count()
    counts = []
    run_in_flight(1, lambda step: step, lambda step, x: counts.append(threading.active_count()), lambda step, y: None)
    assert counts == [before]


class Counted:
    """Counts how many of its kind are alive."""

    alive = 0
    most = 0

    def __init__(self):
        type(self).alive += 1
        type(self).most = max(self.most, self.alive)

    def __del__(self):
        type(self).alive -= 1


def test_two_inputs_and_two_results_at_most():
    class X(Counted):
        pass

    class Y(Counted):
        pass

    def run(step, x):
        time.sleep(0.004 * (step % 2))  # now the one thread is the slower one, now the other
        return Y()

    run_in_flight(20, lambda step: X(), run, lambda step, y: time.sleep(0.002))
    assert (X.most, Y.most) == (2, 2)
    assert (X.alive, Y.alive) == (0, 0)


@pytest.mark.parametrize("error", [ValueError, MemoryError, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("stage", ["prepare", "run", "finish"])
@pytest.mark.parametrize("at", [0, 1, 3, 4])
def test_the_first_error_ends_everything(error, stage, at):
    ran = []

    def fail(name, step):
        if name == stage and step == at:
            raise error(f"{name} {step}")

    def run(step, x):
        ran.append(step)
        fail("run", step)

    with pytest.raises(error, match=f"{stage} {at}"):
        run_in_flight(5, lambda step: fail("prepare", step), run, lambda step, y: fail("finish", step))
    last = {"prepare": at - 1, "run": at, "finish": min(at + 1, 4)}[stage]
    assert ran == list(range(last + 1))


@pytest.mark.parametrize(
    ("in_run", "in_finish", "raised"),
    [
        (ValueError, OSError, OSError),
        (KeyboardInterrupt, OSError, KeyboardInterrupt),
        (KeyboardInterrupt, KeyboardInterrupt, KeyboardInterrupt),
    ],
)
def test_errors_of_both_threads(in_run, in_finish, raised):
    def run(step, x):
        if step == 2:
            raise in_run

    def finish(step, y):
        if step == 1:
            raise in_finish

    with pytest.raises(raised):
        run_in_flight(5, lambda step: step, run, finish)


def test_an_interrupted_wait_still_waits_for_the_thread():
    """Ctrl-C while the calling thread has nothing to do but wait."""
    done = []

    def work():
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.3)
        done.append(True)

    with pytest.raises(KeyboardInterrupt), Background() as background:
        background.start(work)
        background.wait()
    assert done


def test_works_in_a_thread_that_outlives_the_main_one():
    """As concurrent.futures would not."""
    code = """
import threading, time
from dni_runtime.images.in_flight import run_in_flight
def work():
    threading.main_thread().join()
    run_in_flight(3, lambda step: step, lambda step, x: x, lambda step, y: print(y))
threading.Thread(target=work).start()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == ["0", "1", "2"], done.stderr
