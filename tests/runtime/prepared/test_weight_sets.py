"""Weight sets without models: a blend fills the array with alpha, so that everyone can see whose weights it has."""

import threading
from collections.abc import Callable

import numpy as np
import pytest
from alpha_policies import PATIENCE_S, in_thread

from dni_runtime.alpha import Key
from dni_runtime.prepared.flat_weights import Slice
from dni_runtime.prepared.weight_sets import WeightSet, WeightSets

SIZE = 48
SLICES = (Slice("first", (2, 8), 0, False), Slice("second", (5,), 16, False), Slice("fixed", (3,), 0, True))


class Blends:
    def __init__(self) -> None:
        self.done: list[Key] = []
        self.fail_once: Exception | None = None

    def __call__(self, alpha: Key, weights: WeightSet) -> None:
        if self.fail_once is not None:
            error, self.fail_once = self.fail_once, None
            raise error
        self.done.append(alpha)
        weights.flat[:] = alpha[0]


@pytest.fixture
def blends() -> Blends:
    return Blends()


def make(room_for: int) -> WeightSets:
    return WeightSets(SIZE, SLICES, limit_bytes=room_for * SIZE * 4)


def alpha_of(weights: WeightSet) -> float:
    """The one number that all weights are."""
    (alpha,) = np.unique(np.concatenate([value.numpy().ravel() for value in weights.values.values()]))
    return float(alpha)


def test_values_are_slices_of_the_blended_array(blends: Blends):
    with make(1).use((0.5,), blends) as weights:
        assert {name: tuple(value.shape()) for name, value in weights.values.items()} == {
            "first": (2, 8),
            "second": (5,),
        }
        assert alpha_of(weights) == 0.5
        assert all(value.data_ptr() % 64 == 0 for value in weights.values.values())


def test_an_alpha_that_comes_back_is_kept(blends: Blends):
    sets = make(2)
    for alpha in (0.5, 0.5, 0.25, 0.5, 0.25, 0.25, 0.5):
        with sets.use((alpha,), blends) as weights:
            assert alpha_of(weights) == alpha
    assert blends.done == [(0.5,), (0.25,), (0.5,)]


def test_alphas_that_do_not_come_back_share_one_memory(blends: Blends):
    sets = make(8)
    for alpha in (0.75, 0.5, 0.75):  # 0.75 comes back, and stays
        with sets.use((alpha,), blends):
            pass
    addresses = set()
    for number in range(20):
        with sets.use((number / 64,), blends) as weights:
            assert alpha_of(weights) == number / 64
            addresses.add(weights.flat.ctypes.data)
    assert len(addresses) == 1
    blends.done.clear()
    with sets.use((0.75,), blends) as weights:
        assert alpha_of(weights) == 0.75
    assert not blends.done


def test_the_longest_unused_makes_room(blends: Blends):
    sets = make(2)
    for alpha in (0.125, 0.25, 0.125, 0.5, 0.125, 0.25):
        with sets.use((alpha,), blends) as weights:
            assert alpha_of(weights) == alpha
    assert blends.done == [(0.125,), (0.25,), (0.125,), (0.5,), (0.25,)]


@pytest.mark.parametrize("room_for", [0, 1])
def test_the_last_one_is_always_kept(blends: Blends, room_for: int):
    sets = make(room_for)
    for alpha in (0.5, 0.5, 0.25, 0.25):
        with sets.use((alpha,), blends) as weights:
            assert alpha_of(weights) == alpha
    assert blends.done == [(0.5,), (0.25,)]


def test_weights_in_use_are_not_overwritten(blends: Blends):
    sets = make(1)
    with sets.use((0.5,), blends) as first, sets.use((0.25,), blends) as second, sets.use((0.5,), blends) as again:
        assert [alpha_of(weights) for weights in (first, second, again)] == [0.5, 0.25, 0.5]
    with sets.use((0.75,), blends) as weights:
        assert alpha_of(weights) == 0.75
    assert blends.done == [(0.5,), (0.25,), (0.75,)]


def test_memory_goes_back_to_the_limit(blends: Blends):
    sets = make(1)
    with sets.use((0.5,), blends), sets.use((0.25,), blends), sets.use((0.75,), blends):
        assert len(sets._sets) == 3
    assert len(sets._sets) == 1


def ask(sets: WeightSets, alpha: float, blend: Callable[[Key, WeightSet], None]) -> float:
    with sets.use((alpha,), blend) as weights:
        return alpha_of(weights)


def test_whoever_comes_second_waits_for_the_blend():
    started, go_on = threading.Event(), threading.Event()
    count = []

    def blend(alpha: Key, weights: WeightSet) -> None:
        count.append(alpha)
        started.set()
        assert go_on.wait(PATIENCE_S)
        weights.flat[:] = alpha[0]

    sets = WeightSets(SIZE, SLICES, limit_bytes=0)
    answers = [in_thread(lambda: ask(sets, 0.5, blend)) for _ in range(3)]
    assert started.wait(PATIENCE_S)
    go_on.set()
    assert [answer.get(timeout=PATIENCE_S) for answer in answers] == [0.5] * 3
    assert count == [(0.5,)]


def test_a_blend_does_not_hold_up_other_alphas():
    started, go_on = threading.Event(), threading.Event()

    def blend(alpha: Key, weights: WeightSet) -> None:
        if alpha == (0.5,):
            started.set()
            assert go_on.wait(PATIENCE_S)
        weights.flat[:] = alpha[0]

    sets = WeightSets(SIZE, SLICES, limit_bytes=0)
    answer = in_thread(lambda: ask(sets, 0.5, blend))
    assert started.wait(PATIENCE_S)
    assert ask(sets, 0.25, blend) == 0.25
    go_on.set()
    assert answer.get(timeout=PATIENCE_S) == 0.5


def test_a_failed_blend_leaves_nothing_behind(blends: Blends):
    sets = make(2)
    blends.fail_once = MemoryError("no room")
    with pytest.raises(MemoryError, match="no room"), sets.use((0.5,), blends):
        pass
    with sets.use((0.5,), blends) as weights:
        assert alpha_of(weights) == 0.5
    assert blends.done == [(0.5,)]


def test_a_call_that_fails_keeps_its_weights(blends: Blends):
    sets = make(1)
    with pytest.raises(ValueError, match="the network"), sets.use((0.5,), blends):
        raise ValueError("the network")
    with sets.use((0.5,), blends) as weights:
        assert alpha_of(weights) == 0.5
    assert blends.done == [(0.5,)]
