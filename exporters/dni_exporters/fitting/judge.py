"""What blends make of crops that nothing is learnt from, beside the mix of both ends' pictures."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from dni_exporters.verdict import measures
from dni_exporters.verdict.beside import NoPictureError, end_picture, figures_of, shown
from dni_exporters.verdict.verdict import Figures

from .crops import HeldOut
from .points import Task

ALPHAS = (0.75, 0.5, 0.25)

Picture = NDArray[np.float32]


class Judge:
    """The held-out crops with what both ends make of them. Raises NoPictureError where an end makes no pictures."""

    def __init__(self, task: Task, crops: Sequence[HeldOut]) -> None:
        self._run, self._crops = task.network.run, crops
        self.names = [crop.name for crop in crops]
        self._images = [torch.from_numpy(crop.image).to(task.network.device) for crop in crops]
        self.ends = [
            [end_picture(letter, _picture(end)) for letter, end in zip("AB", task.ends(image), strict=True)]
            for image in self._images
        ]
        for number, letter in enumerate("AB"):
            if all(measures.contrast(ends[number]) < measures.FLAT for ends in self.ends):
                raise NoPictureError(f"endpoint {letter} alone makes one flat colour of every photograph")

    def look(self, put: Callable[[float], object]) -> list[Figures]:
        """Figures of every crop at every one of ALPHAS. `put`: makes the network the blend at an alpha."""
        found = []
        for alpha in ALPHAS:
            put(alpha)
            for name, image, ends in zip(self.names, self._images, self.ends, strict=True):
                raw = _picture(self._run(image))
                found.append(figures_of(raw, ends, (alpha, 1 - alpha), (alpha,), name))
        return found

    def pictures(self, put: Callable[[float], object]) -> list[list[Picture]]:
        """What the blends show: for every crop the pictures (H, W, C) at ALPHAS."""
        found: list[list[Picture]] = [[] for _ in self._images]
        for alpha in ALPHAS:
            put(alpha)
            for pictures, image in zip(found, self._images, strict=True):
                pictures.append(shown(_picture(self._run(image))))
        return found

    def nearer_to_clean_db(self, put: Callable[[float], object]) -> float:
        """How much nearer the blend at 0.5 comes to the photographs as they were than the mix of both ends' pictures.

        The mean over those that were degraded; 0 where there is none, or pictures are of another size.
        """
        put(0.5)
        gains = [0.0]
        for crop, image, (a, b) in zip(self._crops, self._images, self.ends, strict=True):
            clean = _picture(torch.from_numpy(crop.clean))
            if clean.shape == a.shape and not np.array_equal(crop.clean, crop.image):
                blend = measures.psnr_db(shown(_picture(self._run(image))), clean)
                gains.append(blend - measures.psnr_db(measures.mix((a, b), (0.5, 0.5)), clean))
        return float(np.sum(gains) / max(1, len(gains) - 1))

    def last_to_b_db(self, put: Callable[[float], object]) -> float:
        """PSNR of the pictures at alpha 0 to those of B, the mean over the crops."""
        put(0.0)
        pairs = zip(self._images, self.ends, strict=True)
        return float(np.mean([measures.psnr_db(shown(_picture(self._run(image))), b) for image, (_, b) in pairs]))


def _picture(output: torch.Tensor) -> Picture:
    return np.ascontiguousarray(output[0].float().cpu().numpy().transpose(1, 2, 0))
