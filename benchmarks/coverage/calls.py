"""A row's network as its users call it: by spandrel, or by its own code with pixels in its own range."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias
from unittest.mock import patch

import torch
from torch import Tensor, nn
from weights import Weights

Call: TypeAlias = Callable[[Tensor], Tensor]


def by_spandrel(weights: Path | Weights) -> Any:
    """spandrel's descriptor of the network that it finds in a file or a state dict."""
    from spandrel import ModelLoader

    loader = ModelLoader(device="cpu")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if isinstance(weights, Path):
            found = loader.load_from_file(weights)
        else:
            found = loader.load_from_state_dict(dict(weights))
    found.model.eval()
    return found


def call_of(descriptor: Any) -> Call:
    """spandrel's call, for an image of a size that the network takes; not clamped."""
    module: Any = descriptor.model
    if descriptor.architecture.id == "GFPGAN":
        # Its own option for one and the same answer: the noise that the checkpoint holds, none that is drawn.
        return lambda image: module(image, randomize_noise=False)[0]
    if descriptor.architecture.id == "ATD":
        # It sorts pixels by their category, and leaves the order of equal ones to the processor (`stable=False`).
        sort = torch.sort
        stable = patch.object(torch, "sort", lambda *args, **kwargs: sort(*args, **{**kwargs, "stable": True}))
        return stable(lambda image: descriptor._call_fn(module, image))
    return lambda image: descriptor._call_fn(module, image)


def call_of_code(module: nn.Module, value_range: tuple[float, float] | None) -> Call:
    """An image in 0..1 through a network whose images are in `value_range`."""
    low, high = value_range or (0.0, 1.0)
    return lambda image: (module(image * (high - low) + low) - low) / (high - low)
