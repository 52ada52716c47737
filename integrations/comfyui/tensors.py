"""ComfyUI's tensors as the arrays that `enhance` takes.

An IMAGE is float (N, H, W, C), 0..1, of 3 channels or, with opacity, 4. A MASK is float (N, H, W), and where it comes
from an image's opacity 1 - opacity (ComfyUI, nodes.py, LoadImage).
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray


def arrays(image: torch.Tensor, mask: torch.Tensor | None) -> list[NDArray[np.float32]]:
    """The images of a batch, float32 (H, W, C), with `mask` as the opacity of RGB; views where nothing has to change.

    Raises ValueError for what is no image, and for a mask that does not fit.
    """
    if not image.is_floating_point() or image.ndim != 4 or not len(image):
        raise ValueError(
            f"the image is a tensor of {image.dtype} {tuple(image.shape)}; expected an IMAGE: floats in 0..1 of shape "
            "(images, height, width, channels), one image or more"
        )
    pictures = [picture.numpy() for picture in image.detach().to("cpu", torch.float32)]
    if mask is None or not mask.any():  # LoadImage gives 64 x 64 zeros beside an image without opacity
        return pictures
    count, height, width, channels = image.shape
    if channels != 3:
        raise ValueError(
            f"the image has {channels} channels and there is a mask for its opacity; expected an RGB image beside a "
            "mask, or an image that carries its opacity alone: disconnect the mask"
        )
    masks = mask.detach().to("cpu", torch.float32)
    masks = masks[None] if masks.ndim == 2 else masks
    if masks.shape[1:] != (height, width) or masks.shape[0] not in (1, count):
        raise ValueError(
            f"the mask is {tuple(masks.shape)} and the images are {(count, height, width)}; expected one mask of their "
            "height and width, for all of them or for each"
        )
    return [
        np.dstack([picture, 1.0 - opposite.numpy()])
        for picture, opposite in zip(pictures, masks.expand(count, -1, -1), strict=True)
    ]


def opposite_of_opacity(result: torch.Tensor) -> torch.Tensor:
    """The MASK of a batch (N, H, W, C): 1 - opacity, zeros where all is opaque."""
    return 1.0 - result[..., 3] if result.shape[-1] == 4 else torch.zeros(result.shape[:3])
