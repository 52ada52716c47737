"""What blends a flat array: the same one again and again, and neighbouring layers scaled as one."""

from dataclasses import replace

import numpy as np
import pytest
from exporting import nasty_model

from dni_runtime import load
from dni_runtime.prepared.blending import joined
from dni_runtime.prepared.flat_weights import Scaling


def scaled(scalings: list[Scaling], flat: np.ndarray, factors: np.ndarray) -> np.ndarray:
    """As the docstring of Scaling says, element by element."""
    result = flat.copy()
    for s in scalings:
        middle = s.count // s.outer // s.inner
        for position in range(s.count):
            outer, inner = position // (middle * s.inner), position % s.inner
            factor = factors[s.factor_start + outer * s.inner + inner]
            result[s.start + position] = (
                flat[s.start + position] / factor if s.divides else flat[s.start + position] * factor
            )
    return result


def test_neighbours_of_one_form_are_scaled_as_one():
    one = Scaling(start=0, count=96, outer=2, inner=4, repeats=3, factor_start=0, divides=False)
    layers = [
        one,
        replace(one, start=96, factor_start=8),
        replace(one, start=192, count=48, outer=1, factor_start=16),
        replace(one, start=240, factor_start=20, divides=True),
        replace(one, start=352, factor_start=28, divides=True),  # behind a gap
        replace(one, start=448, factor_start=48, divides=True),  # factors from elsewhere
        replace(one, start=544, factor_start=56, repeats=1, divides=True),
        replace(one, start=640, count=48, factor_start=64, divides=True),
    ]
    rng = np.random.default_rng(0)
    flat, factors = rng.random(700, np.float32), rng.random(72, np.float32) + 1
    found = joined(layers)
    assert [s.outer for s in found] == [5, 2, 2, 2, 2, 2]
    np.testing.assert_array_equal(scaled(found, flat, factors), scaled(layers, flat, factors))


@pytest.mark.parametrize("kind", ["batch_norm", "prelu"])
def test_the_same_array_is_filled_again_and_again(kind: str, tmp_path_factory: pytest.TempPathFactory):
    with load(nasty_model(tmp_path_factory.getbasetemp(), kind), "cpu", threads=1) as model:
        runner = model._runner
        with runner._sets.use((0.5,), runner._blend) as weights:
            first = weights.flat.copy()
        for alpha in (0.0, 0.25, 1.0, 0.5):
            runner._blend((alpha,), weights)
            alone = np.empty_like(first)
            runner._blending.fill((alpha,), alone)
            used = np.concatenate([np.arange(s.start, s.start + np.prod(s.shape, dtype=int)) for s in slices(runner)])
            np.testing.assert_array_equal(weights.flat[used], alone[used])
        np.testing.assert_array_equal(weights.flat[used], first[used])


def slices(runner: object) -> list:
    return [s for s in runner._blending._prepared.slices if not s.fixed]
