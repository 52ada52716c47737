"""How a network that spandrel knows is run: as spandrel runs it, and what is told to it beside the image.

spandrel computes around some of its networks (`_call_fn`). Where that cannot be in a file, for random numbers, or where
a user may want to say something, there is a call here in its place.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from dni_runtime import ArchitectureError

from .patches import in_patches

Run: TypeAlias = Callable[[Any, Tensor], Tensor]

NOISE_LEVEL = "noise_level"
"""Among a network's weights: how much noise it is to remove, in units of 0..1, of shape (1,). It is ours alone, no file
of anybody's has it, and it is blended as the weights are."""
_SIGMA = 15.0  # of spandrel's, which cites the networks' own repository


@dataclass(frozen=True, slots=True)
class Call:
    """traced:  network and image (N, C, H, W) to image; what is exported. None where that is the network alone.
    judged:  the same for one image, (1, C, H, W), as spandrel computes it: what that is compared with.
    notes:   for the user.
    only:    the one shape of images that it takes, (N, C, H, W); None where there is no such.
    """

    traced: Run | None
    judged: Run
    notes: tuple[str, ...] = ()
    only: tuple[int, int, int, int] | None = None


def call_of(descriptor: Any, owner: str, noise: float | None) -> Call:
    """The call of what spandrel described, whose network gets the tensor NOISE_LEVEL where it takes one.

    noise: in 0..255, None where nobody said. Raises ArchitectureError where the network of `owner` takes none.
    """
    name, model, published = descriptor.architecture.id, descriptor.model, descriptor._call_fn
    if name == "DRUNet" or (name == "DnCNN" and model.mode == "FDnCNN"):
        model.register_buffer(NOISE_LEVEL, torch.tensor([(_SIGMA if noise is None else noise) / 255]))
        if noise is not None:
            return Call(_with_noise_map, _with_one_noise_map)
        note = (
            f"{owner} is a network that is told how much noise to remove: sigma {_SIGMA:g} of 255, as spandrel tells "
            "it; another is told by --arch-arg noise=SIGMA"
        )
        return Call(_with_noise_map, published, (note,))
    if noise is not None:
        raise ArchitectureError(
            f"{owner} is a {descriptor.architecture.name} network, which is told no noise level (DRUNet and FDnCNN "
            "are); leave --arch-arg noise out"
        )
    if name == "GFPGAN":
        note = (
            f"{owner} is a GFPGAN, which draws new noise at every call unless it is told not to; exported with the "
            "noise that is stored beside its weights (its randomize_noise=False)"
        )
        # Faces of 512x512 pixels: what the network looks at becomes one vector, and what it draws is of that size. Each
        # image has convolutions of its own, and their number is no size in ONNX.
        return Call(_with_stored_noise, _with_stored_noise, (note,), (1, 3, 512, 512))
    if name == "IPT":
        side = model.patch_size
        count = ((256 - side) // (side // 4) + 2) ** 2
        note = (
            f"an IPT works on patches of {side} pixels, and a file on all that an image or tile has at once ({count} "
            "of 256x256), which takes gigabytes where spandrel takes 64 at a time: --tile 128 takes less"
        )
        return Call(in_patches, published, (note,))
    if name == "RetinexFormer":
        # From 3000 pixels on spandrel runs even and odd columns apart, for less memory, which makes another picture.
        # A file is the network itself, and is run in tiles.
        return Call(None, lambda model, image: model(image))
    # What spandrel calls where an architecture says nothing is `lambda model, image: model(image)`.
    is_plain = published.__qualname__.startswith("ImageModelDescriptor.")
    return Call(None if is_plain else published, published)


def as_published(network: nn.Module, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of `network` as a file of its architecture holds them: without what is ours.

    A network given as code may have a tensor of that name for its own.
    """
    is_known = type(network).__module__.partition(".")[0] == "spandrel"
    return {name: tensor for name, tensor in state.items() if not (is_known and name == NOISE_LEVEL)}


def _with_noise_map(model: Any, image: Tensor) -> Tensor:
    """spandrel's own call, for any number of images, and with the network's own level in place of a number."""
    count, _, height, width = image.shape
    level = model.noise_level.to(image).reshape(1, 1, 1, 1).expand(count, 1, height, width)
    result: Tensor = model(torch.cat([image, level], dim=1))
    return result


def _with_one_noise_map(model: Any, image: Tensor) -> Tensor:
    """spandrel's own call (DRUNet and DnCNN), with another number than its 15 / 255."""
    noise_map = torch.zeros(1, 1, *image.shape[2:]).to(image) + float(model.noise_level)
    result: Tensor = model(torch.cat([image, noise_map], dim=1))
    return result


def _with_stored_noise(model: Any, image: Tensor) -> Tensor:
    result: Tensor = model(image, randomize_noise=False)[0]
    return result
