"""One step of learning after another; what comes out depends on the seed and the number of the step alone."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dni_exporters.networks.network_code import message
from dni_runtime import ArchitectureError

from .points import Task

_NEAREST = 0.05
# By each step, of the average of the last ones.
_RENEWED = 0.1


@dataclass(frozen=True, slots=True)
class Recipe:
    """How is learnt, found in a race on published pairs (benchmarks/real_pairs).

    rate:        of Adam, at the beginning; it falls with a cosine.
    crops, side_px: a step's images, and how large they are: several small ones beat a large one by far, also in
                 networks that look at all of an image.
    pool, reuse: so many batches are used so many times before there are new ones: their ends' pictures need computing
                 once.
    judge_every: steps from one look at the held-out crops to the next.
    """

    rate: float = 1e-3
    warm_up: float = 0.02
    crops: int = 3
    side_px: int = 56
    pool: int = 32
    reuse: int = 4
    judge_every: int = 25

    def rate_at(self, done: float) -> float:
        """Of Adam, when the share `done` of all is done."""
        return self.rate * min(1.0, (done + 0.002) / self.warm_up) * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))


LOOKS_AT_ALL = Recipe(rate=5e-4)
"""For networks that look at all of an image. Larger crops, fewer of them, come to the same in the same time."""


class Learner:
    """The points that `task` learns, and Adam's state.

    smooth: the points averaged over the last steps, which is what is judged and kept: while the rate is high, each step
            alone is 3 to 6 dB further from the mix.
    images: makes the images (N, C, H, W) of a batch, by its number.
    """

    def __init__(self, task: Task, images: Callable[[int], Tensor], recipe: Recipe, seed: int) -> None:
        self.task, self._images, self._recipe, self._seed = task, images, recipe, seed
        self.learnt = torch.nn.Parameter(task.learnt.clone())
        self.learnt.grad = torch.zeros_like(self.learnt)
        self.smooth = task.learnt.clone()
        self._adam = torch.optim.Adam([self.learnt], recipe.rate)
        self._pool: dict[int, tuple[Tensor, Tensor, Tensor]] = {}

    def step(self, number: int, rate: float) -> float:
        """Learn from one batch at this rate of Adam; returns how far its pictures are from what is wanted."""
        for group in self._adam.param_groups:
            group["lr"] = rate
        images, a, b = self._of_batch(self._batch_at(number))
        alpha = self._alpha(number)
        shares = self.task.put(alpha, self.learnt.data)
        self.task.network.gradient.zero_()
        loss = self._backward(images, a * alpha + b * (1 - alpha))
        assert self.learnt.grad is not None  # it was made at the beginning
        for slope, share in zip(self.learnt.grad, shares, strict=True):
            torch.mul(self.task.network.gradient, share, out=slope)
        self._adam.step()
        self.smooth.lerp_(self.learnt.data, _RENEWED)
        return loss

    def _backward(self, images: Tensor, wanted: Tensor) -> float:
        try:
            loss = (self.task.network.network(images) - wanted).abs().mean()
            loss.backward()
        except RuntimeError as error:  # a network's code may be for inference alone
            said = message(error)
            remedy = "give a version of it that can be trained: --arch CODE"
            if "memory" in said:
                remedy = "it needs a few GB: end other programs, or hide the GPU (CUDA_VISIBLE_DEVICES=)"
            raise ArchitectureError(f"the network cannot learn ({said}); {remedy}") from None
        return float(loss)

    def _batch_at(self, number: int) -> int:
        """The number of a step's batch: those of a pool in order, then again and again in other orders."""
        size, reuse = self._recipe.pool, self._recipe.reuse
        pool, within = divmod(number, size * reuse)
        turn, place = divmod(within, size)
        if turn:
            place = int(np.random.default_rng((self._seed, 3, pool, turn)).permutation(size)[place])
        return pool * size + place

    def _of_batch(self, number: int) -> tuple[Tensor, Tensor, Tensor]:
        """Images, and what both ends make of them."""
        if number not in self._pool:
            if self._pool and next(iter(self._pool)) // self._recipe.pool != number // self._recipe.pool:
                self._pool.clear()
            images = self._images(number)
            self._pool[number] = images, *self.task.ends(images)
        return self._pool[number]

    def _alpha(self, number: int) -> float:
        """Evenly drawn, and every second one mirrored: what is asked for lies on both sides of the middle."""
        alpha = float(np.random.default_rng((self._seed, 2, number // 2)).uniform(_NEAREST, 1 - _NEAREST))
        return 1 - alpha if number % 2 else alpha

    def retreat(self, learnt: Tensor) -> None:
        """Begin again from `learnt`."""
        self.learnt.data.copy_(learnt)
        self.smooth.copy_(learnt)
        for moment in self._adam.state[self.learnt].values():
            moment.zero_()

    def state(self) -> dict[str, Tensor]:
        """All that the next step depends on, beside its number."""
        own = self._adam.state[self.learnt]
        return {"learnt": self.learnt.data, "smooth": self.smooth, **{f"adam.{key}": own[key] for key in own}}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Go on from what `state` gave."""
        self.learnt.data.copy_(state["learnt"])
        self.smooth.copy_(state["smooth"])
        own: dict[str, Any] = self._adam.state[self.learnt]
        for name in state:
            kind, _, key = name.partition(".")
            if kind == "adam":
                own[key] = state[name].clone() if key == "step" else state[name].to(self.learnt.device, copy=True)
