"""Weights are recognised by their codes whatever is done to them as a whole, and by nothing that looks alike."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dni_runtime.prepared.codes import LIMIT, Coded, Key

SHAPES = {"a": (3, 4), "b": (3, 4), "c": (5,), "two": (2,), "other two": (1, 2)}
_RANDOM = np.random.default_rng(0)
WEIGHTS = {name: Coded.make(name, shape, _RANDOM) for name, shape in SHAPES.items()}
KEY = Key(WEIGHTS.values())
SCALES = st.one_of(st.sampled_from([1.0, 0.2, -0.2, 1 / 3, -1.0, 7.5, 1e-4]), st.floats(1e-6, 1e6))


@given(
    st.sampled_from(sorted(WEIGHTS)),
    SCALES,
    st.integers(0, 9),
    st.sampled_from([0.0, 1.0]),
    st.randoms(use_true_random=False),
)
def test_any_order_any_scale_any_padding(name: str, scale: float, padding: int, fill: float, random):
    weight = WEIGHTS[name].values.ravel()
    order = [*range(weight.size), *[-1] * padding]
    random.shuffle(order)
    index = np.array(order)
    values = np.where(index < 0, np.float32(fill), weight[index] * np.float32(scale))
    found = KEY.find(values)
    assert found is not None and found.weight == name
    np.testing.assert_array_equal(found.index, index)
    assert found.scale == pytest.approx(scale, rel=2e-7)
    assert found.fill == (fill if padding else 0)


A, B = WEIGHTS["a"].values.ravel(), WEIGHTS["b"].values.ravel()


@pytest.mark.parametrize(
    "change",
    [
        lambda values: values[:-1],
        lambda values: np.append(values, values[:1]),
        lambda values: np.append(values, [0, 1]),
        lambda values: np.append(values, 2.0),
        lambda values: values + 0.4488,
        lambda values: values + 1e-5 * values.max(),
        lambda values: values * values,
        lambda values: values * 0,
        lambda values: values[:0],
        lambda values: -np.abs(values) * np.where(np.arange(12) == 3, -1, 1),
        lambda values: values * np.where(np.arange(12) == 3, 1 + 1e-6, 1),
        lambda values: np.where(np.arange(12) == 3, values[4], values),
        lambda values: values * np.repeat([0.229, 0.224, 0.225], 4),
        lambda values: values * B,
        lambda values: values / B,
        lambda values: values + B,
        lambda values: 0.5 * (values + B),
        lambda values: values + B[::-1],
        lambda values: np.cumsum(values),
        lambda values: np.where(np.arange(12) == 3, np.nan, values),
        lambda values: np.where(np.arange(12) == 3, np.inf, values),
        lambda values: np.arange(2, 14),
        lambda values: np.linspace(values.min(), values.max(), 12),
        lambda values: np.geomspace(values.min(), values.max(), 12),
    ],
)
def test_what_is_no_weight_is_not_taken_for_one(change: Callable[[np.ndarray], np.ndarray]):
    assert KEY.find(change(A).astype(np.float32)) is None


def test_two_weights_of_one_shape_and_scale_are_told_apart():
    random = np.random.default_rng(1)
    weights = [Coded.make(str(number), (16,), random) for number in range(500)]
    key = Key(weights)
    for weight in weights:
        found = key.find(weight.values[::-1] * np.float32(0.1))
        assert found is not None and found.weight == weight.name


def test_the_largest_weight():
    """Neighbouring codes stay apart where there are as many as there can be."""
    weight = Coded.make("large", (LIMIT,), np.random.default_rng(2))
    found = Key([weight]).find(weight.values[::-1] * np.float32(0.2))
    assert found is not None
    np.testing.assert_array_equal(found.index, np.arange(LIMIT)[::-1])
    assert found.scale == pytest.approx(0.2, rel=2e-7)
