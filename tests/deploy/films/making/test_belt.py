"""Between threads: order, bounded memory, and errors that stop both ends."""

import time

import pytest

from dni_deploy.films.making.belt import Belt, run_beside


def test_things_come_in_their_order_and_no_more_wait_than_there_is_room_for():
    belt: Belt[int] = Belt(3)
    put: list[int] = []

    def fill() -> None:
        for number in range(20):
            belt.put(number)
            put.append(number)
        belt.end()

    (thread,) = run_beside((belt,), fill)
    taken, ahead = [], []
    for number in belt:
        time.sleep(0.002)
        taken.append(number)
        ahead.append(len(put) - len(taken))
    thread.join()
    assert taken == [*range(20)]
    assert max(ahead) <= 3


def test_an_error_of_a_thread_is_raised_where_others_put_and_take():
    first: Belt[int] = Belt(1)
    second: Belt[int] = Belt(1)

    def fail() -> None:
        first.put(1)
        raise ValueError("broken")

    def wait() -> None:
        for _ in second:
            pass

    threads = run_beside((first, second), fail, wait)
    with pytest.raises(ValueError, match="broken"):
        for _ in first:
            pass
    for thread in threads:
        thread.join(5)
    assert not any(thread.is_alive() for thread in threads)
    with pytest.raises(ValueError, match="broken"):
        second.put(1)


def test_whoever_waits_for_room_is_stopped():
    belt: Belt[int] = Belt(1)
    belt.put(1)
    (thread,) = run_beside((belt,), lambda: belt.put(2))
    assert thread.is_alive()
    belt.stop(KeyboardInterrupt())
    thread.join(5)
    assert not thread.is_alive()
