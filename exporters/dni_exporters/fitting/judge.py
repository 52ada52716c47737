"""What blends make of crops that nothing is learnt from, beside the mix of both ends' pictures."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from dni_exporters.verdict import measures, words
from dni_exporters.verdict.beside import NoPictureError, end_picture, figures_of, shown
from dni_exporters.verdict.verdict import Figures, worst

from .points import Task
from .report import Outcome

ALPHAS = (0.75, 0.5, 0.25)

Picture = NDArray[np.float32]


class Judge:
    """The held-out crops with what both ends make of them. Raises NoPictureError where an end makes no pictures."""

    def __init__(self, task: Task, crops: Sequence[tuple[str, Picture]]) -> None:
        self._run = task.network.run
        self.names = [name for name, _ in crops]
        self._images = [torch.from_numpy(image).to(task.network.device) for _, image in crops]
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

    def outcome(self, put: Callable[[float], object]) -> Outcome:
        """What a report tells of such blends, and of what they are at alpha 0."""
        each = self.look(put)
        figures = worst(each)
        text, blends = words.sentence(figures, f"on {len(self.names)} held-out crops")
        put(0.0)
        pairs = zip(self._images, self.ends, strict=True)
        to_b = [measures.psnr_db(shown(_picture(self._run(image))), b) for image, (_, b) in pairs]
        return Outcome(text, blends, figures, tuple(each), float(np.mean(to_b)))


def _picture(output: torch.Tensor) -> Picture:
    return np.ascontiguousarray(output[0].float().cpu().numpy().transpose(1, 2, 0))
