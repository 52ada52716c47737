"""Enhance (DNI): images through a model, at an alpha."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import torch
from comfy.model_management import throw_exception_if_processing_interrupted
from comfy.utils import ProgressBar
from comfy_api.v0_0_2 import io

from . import alpha as alphas
from .load import CATEGORY, DniModel
from .tensors import arrays, opposite_of_opacity

if TYPE_CHECKING:
    from dni_runtime import Model


class Enhance(io.ComfyNode):
    """The node. Its pixels are those of `Model.enhance`, floats and not rounded."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """What it looks like."""
        return io.Schema(
            node_id="DNIEnhance",
            display_name="Enhance (DNI)",
            category=CATEGORY,
            description="Runs a DNI model on images of any size, at a strength that may move freely: another alpha "
            "costs no more than another image.",
            inputs=[
                DniModel.Input("model"),
                io.Image.Input("image"),
                alphas.slider(),
                io.Int.Input(
                    "tile",
                    default=0,
                    min=0,
                    max=16384,
                    step=16,
                    tooltip="Height and width of the tiles that the network runs on, in pixels of the image: less "
                    "takes less memory, and is interrupted sooner. 0 tiles large images alone.",
                ),
                io.Mask.Input(
                    "mask",
                    optional=True,
                    tooltip="The image's opacity as Load Image gives it: 1 where nothing is to be seen. It is enlarged "
                    "with the image, and colours that nobody sees do not leak into those that are seen.",
                ),
                alphas.text(),
            ],
            outputs=[io.Image.Output(display_name="image"), io.Mask.Output(display_name="mask")],
        )

    @classmethod
    def execute(
        cls,
        model: Model,
        image: torch.Tensor,
        alpha: float,
        tile: int,
        mask: torch.Tensor | None = None,
        alpha_text: str = "",
    ) -> io.NodeOutput:
        """Run it on one image after the other, so that memory is that of a tile whatever the batch.

        Raises what `Model.enhance` does, and between two tiles ComfyUI's InterruptProcessingException.
        """
        chosen = alphas.chosen(alpha, alpha_text)
        pictures = arrays(image, mask)
        if note := model.plan(*pictures[0].shape[:2], tile=tile or None).note:
            logging.warning("%s", note)
        bar = ProgressBar(len(pictures))
        bar.update_absolute(0)
        result = torch.empty(0)
        for number, picture in enumerate(pictures):

            def progress(done: int, tiles: int, before: int = number) -> None:
                throw_exception_if_processing_interrupted()  # newer bars look ten times a second at most
                bar.update_absolute(before * tiles + done, len(pictures) * tiles)

            enhanced = torch.from_numpy(model.enhance(picture, chosen, tile=tile or None, progress=progress))
            if number == 0:
                result = enhanced.new_empty((len(pictures), *enhanced.shape))
            result[number] = enhanced
        return io.NodeOutput(result[..., : image.shape[-1]], opposite_of_opacity(result))
