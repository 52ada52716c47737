"""DNI Model as Upscale Model: for ComfyUI's own Upscale Image (using Model), and other nodes that take one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from comfy_api.v0_0_2 import io

from . import alpha as alphas
from .load import CATEGORY, DniModel

if TYPE_CHECKING:
    from dni_runtime import Model


class AsUpscaleModel(io.ComfyNode):
    """The node."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """What it looks like."""
        return io.Schema(
            node_id="DNIAsUpscaleModel",
            display_name="DNI Model as Upscale Model",
            category=CATEGORY,
            description="A DNI model at an alpha, for nodes that take an upscale model. They cut the image into tiles "
            "in their own way; Enhance (DNI) knows the network's.",
            inputs=[DniModel.Input("model"), alphas.slider(), alphas.text()],
            outputs=[io.UpscaleModel.Output(display_name="upscale_model")],
        )

    @classmethod
    def execute(cls, model: Model, alpha: float, alpha_text: str = "") -> io.NodeOutput:
        """Raises what `describe` does."""
        from .described import describe

        return io.NodeOutput(describe(model, alphas.chosen(alpha, alpha_text)))
