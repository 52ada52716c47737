"""What results are made with: the model, where it runs, and all options that change their pixels or their files."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dni_deploy.image_files.alpha_mask import alpha_map
from dni_deploy.image_files.image_file import Writing
from dni_deploy.image_files.reading import MAX_MEGAPIXELS
from dni_runtime import Metadata, Model, load
from dni_runtime.images.strengths.levels import MOST_LEVELS
from dni_runtime.providers.choosing import FASTEST


def sized(scale: float, height: int, width: int) -> tuple[int, int]:
    """Height and width times `scale`, rounded up."""
    # Rounded before, as 100 * 1.1 is a little more than 110.
    return math.ceil(round(height * scale, 6)), math.ceil(round(width * scale, 6))


@dataclass(frozen=True, slots=True, kw_only=True)
class Making:
    """What is done to every image, by whatever model. All of it is told apart by a run that goes on (see `given`).

    tile, overlap, wrap: as for `Model.enhance`.
    alpha_mask, levels:  a grey picture of how strong alpha is where, and at how many alphas the network runs for it.
    output_scale:        height and width of the results over those of their inputs; None for the network's own factor.
    writing:             how the results become files.
    max_megapixels:      of an input, for it not to be refused; None for as many as memory takes.
    """

    tile: int | None = None
    overlap: int | None = None
    wrap: bool = False
    alpha_mask: Path | None = None
    levels: int = MOST_LEVELS
    output_scale: float | None = None
    writing: Writing = field(default_factory=Writing)
    max_megapixels: float | None = MAX_MEGAPIXELS

    def enhance(
        self,
        model: Model,
        image: npt.NDArray[Any],
        alpha: tuple[float, ...] | None,
        progress: Callable[[int, int], None] | None = None,
    ) -> npt.NDArray[Any]:
        """One picture through the network, of the network's size: `model.enhance` tells what happens to it."""
        mask = self.alpha_mask
        strength = alpha if mask is None else alpha_map(mask, image.shape[:2], model.metadata.alpha_range)
        options: dict[str, Any] = {name: getattr(self, name) for name in ("tile", "overlap", "wrap", "levels")}
        return model.enhance(image, strength, **options, progress=progress)

    def notes(self, model: Model, images: Sequence[npt.NDArray[Any]]) -> tuple[str, ...]:
        """What is worth knowing of the results for the pictures of a file, in words."""
        height, width = images[0].shape[:2]
        note = model.plan(height, width, tile=self.tile, overlap=self.overlap, wrap=self.wrap).note
        return tuple(note for note in (_beyond_note(images), note) if note is not None)

    def size(self, stated: Metadata | None, height: int, width: int) -> tuple[int, int] | None:
        """Height and width of the result, rounded up; None where nobody knows the network's factor yet.

        stated: what the model's file says, None where it is silent.
        """
        scale = self.output_scale or (None if stated is None else stated.scale)
        return None if scale is None else sized(scale, height, width)

    def given(self) -> dict[str, Any]:
        """What is not as it is by default, by name, and makes results other ones."""
        default = Making()
        every = {each.name: getattr(self, each.name) for each in fields(Making) if each.name != "max_megapixels"}
        return {name: value for name, value in every.items() if value != getattr(default, name)}


def _beyond_note(images: Sequence[npt.NDArray[Any]]) -> str | None:
    """What of floats a network does not see."""
    beyond = sum(int(np.count_nonzero((image < 0) | (image > 1))) for image in images if image.dtype == np.float32)
    if not beyond:
        return None
    percent = 100 * beyond / sum(image.size for image in images)
    share = "less than 0.01" if percent < 0.01 else f"{percent:.2g}" if percent < 10 else f"{percent:.0f}"
    return f"{share} % of its values are beyond 0 and 1, black and white, and were clipped to them"


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeWith(Making):
    """All that results have in common.

    model, provider, provider_options, threads: as for `dni_runtime.load`.
    """

    model: Path
    provider: str = "auto"
    provider_options: Mapping[str, str] = field(default_factory=dict)
    threads: int | None = None

    def load(self) -> Model:
        """The model, opened as it is wanted. Raises as `dni_runtime.load` does."""
        return load(self.model, self.provider, threads=self.threads, provider_options=self.provider_options)

    def where(self, model: Model) -> str:
        """Where it runs, and why there; what a GPU lacks is a long story, for those who want one."""
        why = model.provider_note
        if self.provider == "auto" and model.provider == "cpu":
            why = "cuda cannot be used; --provider cuda tells why"
        return f"running on {model.provider} ({why})"

    def measured(self, model: Model) -> str | None:
        """Which engine was the fastest, known when the first image has run; None where nobody asked."""
        return model.alpha_note if model.provider == FASTEST else None
