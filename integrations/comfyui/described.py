"""A DNI model as spandrel describes networks, which is what ComfyUI means by an upscale model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from spandrel import Architecture, ImageModelDescriptor

from .alpha import Chosen

if TYPE_CHECKING:
    from dni_runtime import Model

_SMALL = 64


class AtAlpha(torch.nn.Module):
    """A model at an alpha, called with float (N, C, H, W), 0..1, of any size."""

    def __init__(self, model: Model, alpha: Chosen) -> None:
        super().__init__()
        self.model = model
        self.alpha = alpha
        # Where callers have moved it, and what they ask for its dtype: the network itself stays where it was loaded.
        self.place = torch.nn.Parameter(torch.empty(0), requires_grad=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Raises ValueError for opacity, which callers of upscale models do not expect back."""
        if x.shape[1] not in (1, 3):
            raise ValueError(
                f"the image has {x.shape[1]} channels; expected 3. Use Enhance (DNI), which knows opacity, or split it "
                "off before (Split Image with Alpha)"
            )
        pictures = x.detach().movedim(1, -1).to("cpu", torch.float32).numpy()
        results = [torch.from_numpy(self.model.enhance(picture, self.alpha)) for picture in pictures]
        return torch.stack(results).movedim(-1, 1).to(x.device, x.dtype)


class _Dni(Architecture[AtAlpha]):
    """An architecture that no checkpoint is of."""

    def __init__(self) -> None:
        super().__init__(id="DNI", detect=lambda state: False)

    def load(self, state_dict: dict[str, Any]) -> ImageModelDescriptor[AtAlpha]:
        """Nothing is of this architecture."""
        raise NotImplementedError("a DNI model is made of an ONNX file, by Load DNI Model")


def describe(model: Model, alpha: Chosen) -> ImageModelDescriptor[AtAlpha]:
    """`model` at `alpha`.

    Raises AlphaError and InputError for what could not run later, and ValueError for a scale that is not whole and for
    "auto", which has to see the whole image.
    """
    if alpha == "auto":
        raise ValueError(
            "alpha_text is auto, which looks at the whole image, and nodes give upscale models one tile after the "
            "other; expected a number, or Enhance (DNI)"
        )
    model.check_alpha(alpha)
    model.plan(_SMALL, _SMALL)  # which tells the scale of another tool's file, too
    scale = model.metadata.scale
    if scale is None or scale < 1 or scale != int(scale):
        raise ValueError(f"the model's scale is {scale}; upscale models have a whole one: use Enhance (DNI)")
    module = AtAlpha(model, alpha)
    return ImageModelDescriptor(
        module,
        module.state_dict(),
        _Dni(),
        purpose="Restoration" if scale == 1 else "SR",
        tags=[],
        supports_half=False,
        supports_bfloat16=False,
        scale=int(scale),
        input_channels=3,
        output_channels=3,
    )
