"""Images that each have an alpha of their own: those of the same one run as one batch."""

from collections.abc import Callable, Sequence
from typing import Protocol

from .conversion import Image
from .enhance import check_common_size


class RunBatch(Protocol):
    """`Model.enhance_batch`, but for what is the same for all images."""

    def __call__(
        self, images: Sequence[Image], alpha: float, *, progress: Callable[[int, int], None]
    ) -> list[Image]: ...


def run_by_alpha(
    run: RunBatch,
    images: Sequence[Image],
    choose: Callable[[Image], float],
    progress: Callable[[int, int], None] | None,
) -> list[Image]:
    """The results of `run` in the order of `images`, each at the alpha that `choose` has for it.

    Raises InputError where their sizes differ, as if they ran as one, and whatever `choose` and `run` do.
    """
    check_common_size(images)
    groups: dict[float, list[int]] = {}
    for index, image in enumerate(images):
        groups.setdefault(choose(image), []).append(index)
    results: dict[int, Image] = {}
    for number, (alpha, members) in enumerate(groups.items()):

        def report(done: int, total: int, number: int = number) -> None:
            if progress is not None:
                progress(number * total + done, len(groups) * total)

        results |= zip(members, run([images[index] for index in members], alpha, progress=report), strict=True)
    return [results[index] for index in range(len(images))]
