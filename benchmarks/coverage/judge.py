"""The judge: both files loaded by spandrel, their weights blended in PyTorch, and called as its users call it."""

import copy
import warnings
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from calls import Call, by_spandrel, call_of, call_of_code
from numpy.typing import NDArray
from row import Row
from torch import Tensor
from weights import Weights

Images = NDArray[np.float32]


class Judge:
    """A row's network at any alpha, computed without anything of ours.

    multiple:   of image sizes, as spandrel says; 1 for code.
    channels:   of its input.
    descriptor: spandrel's of A; None for code.
    """

    def __init__(self, row: Row, files: tuple[Path, Path]) -> None:
        self.descriptor: Any = None
        self.multiple, self.channels = 1, row.options.get("channels", 3)
        if row.architecture is None:
            self._states = [torch.load(file, weights_only=True) for file in files]
            self._module = row.build()
            self._call = call_of_code(self._module, row.value_range)
            return
        self.descriptor, b = map(by_spandrel, files)
        self._states = [_copied(each.model.state_dict()) for each in (self.descriptor, b)]
        self._module, self._call = self.descriptor.model, call_of(self.descriptor)
        self.channels, self.multiple = self.descriptor.input_channels, self.descriptor.size_requirements.multiple_of

    def network(self, images: Images, alpha: float) -> Images:
        """What the network computes for images (N, C, H, W) in 0..1 of a size that it takes; not clamped."""
        return self._run(self._call, images, alpha)

    def user(self, images: Images, alpha: float, takes: tuple[int, int] = (1, 0)) -> Images:
        """What a user of spandrel gets for images of any size: padded for the network, cut back, clamped to 0..1.

        With `takes`, the network's true multiple and minimum, also of code, and of what spandrel pads too little for.
        """
        if self.descriptor is None or takes[0] > self.multiple:
            return self._run(partial(_like_spandrel, self._call, takes), images, alpha)
        descriptor = copy.copy(self.descriptor)
        descriptor._call_fn = lambda _, image: self._call(image)
        return self._run(descriptor, images, alpha)

    def _run(self, run: Call, images: Images, alpha: float) -> Images:
        """One by one, as its users call it: some of spandrel's calls take no more."""
        self._module.load_state_dict(_blended(self._states[0], self._states[1], alpha))
        with torch.inference_mode(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            result: Images = torch.cat([run(torch.tensor(image[None])) for image in images]).numpy()
        return result


def _like_spandrel(call: Call, takes: tuple[int, int], image: Tensor) -> Tensor:
    from spandrel.__helpers.size_req import SizeRequirements, pad_tensor

    _, padded = pad_tensor(image, SizeRequirements(multiple_of=takes[0], minimum=takes[1]))
    output = call(padded).clamp(0, 1)
    height, width = (size * output.shape[-1] // padded.shape[-1] for size in image.shape[2:])
    return output[..., :height, :width]


def _blended(a: Weights, b: Weights, alpha: float) -> Weights:
    """In float64, and rounded once."""
    return {
        name: (alpha * tensor.double() + (1 - alpha) * b[name].double()).to(tensor.dtype)
        if tensor.is_floating_point()
        else tensor
        for name, tensor in a.items()
    }


def _copied(state: Weights) -> Weights:
    return {name: tensor.clone() for name, tensor in state.items()}
