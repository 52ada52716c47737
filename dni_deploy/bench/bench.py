"""`dni bench`: everything that can be measured from a model file alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dni_runtime import Alpha, load
from dni_runtime.files.unfinished import unfinished_folder

from .approaches.lineup import Lineup, Shape, line_up
from .case import Progress, plan, run_case
from .measuring.footprint import measure_footprint
from .measuring.hardware import hardware
from .report import ModelFacts, Report

_USUAL_PIXELS = 64


def bench_model(
    model: Path,
    *,
    sizes: Sequence[tuple[int, int]] = (),
    threads: Sequence[int | None] = (None,),
    alpha: Alpha | None = None,
    provider: str = "auto",
    seconds: float = 30.0,
    progress: Progress = lambda text: None,
) -> Report:
    """Compare the ways to run an alpha-input model, on random images.

    `sizes`: height and width of each image; none for about 64 x 64. `threads`: CPU threads, one case for each
    and each size. `alpha`: the one that is held. `seconds`: for each case, beside opening and comparing.

    Raises ModelError if `model` has no alpha input or the approaches do not compute the same; AlphaError,
    InputError and ProviderError as `dni_runtime.load` does.
    """
    with unfinished_folder() as folder:
        with load(model, provider) as loaded:  # what it refuses is refused here, with its words
            provider = loaded.provider
            held = None if alpha is None else loaded.check_alpha(alpha)
        progress("baking")
        lineup = line_up(model, folder, held, provider)
        shapes = [_shape(lineup, size) for size in sizes or [_usual_size(lineup)]]
        cases = tuple(
            run_case(model.name, lineup, lineup.approaches, shape, count, provider, plan(seconds), progress)
            for count in threads
            for shape in shapes
        )
        facts = model_facts(model.name, lineup, max(shapes), threads[-1], progress)
    return Report(hardware(), cases, (facts,))


def model_facts(name: str, lineup: Lineup, shape: Shape, threads: int | None, progress: Progress) -> ModelFacts:
    """Weights, and what each approach of the lineup takes of the machine."""
    footprints = []
    for approach in lineup.approaches:
        progress(f"load time and memory of {approach.name}")
        footprints.append(measure_footprint(approach, shape, lineup.alpha, threads))
    return ModelFacts(name, lineup.weights_bytes, lineup.one_weights_bytes, shape[2:], tuple(footprints))


def _usual_size(lineup: Lineup) -> tuple[int, int]:
    """Near 64 x 64, as the model allows."""
    side = lineup.metadata.sizes.side(_USUAL_PIXELS)
    _, _, height, width = lineup.signature.shape
    return height or side, width or side


def _shape(lineup: Lineup, size: tuple[int, int]) -> Shape:
    """The shape of a batch of one; raises InputError for a size that the model does not take."""
    batch, channels, _, _ = lineup.signature.shape
    shape = (batch or 1, channels or 3, *size)
    lineup.signature.check_tensor(np.empty(shape, np.float32), lineup.metadata)
    return shape
