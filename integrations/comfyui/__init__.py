"""ComfyUI nodes for Deep Network Interpolation; copy this folder into ComfyUI's custom_nodes.

What runs ONNX files is dni-deploy, in ComfyUI's own Python. Without it the nodes are there too, and those that need it
say how to install it.
"""

from comfy_api.v0_0_2 import ComfyExtension, io

from .as_upscale_model import AsUpscaleModel
from .blend import BlendUpscaleModels
from .enhance import Enhance
from .load import LoadModel


class Extension(ComfyExtension):
    """What ComfyUI asks for the nodes."""

    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        """In the order in which they are met."""
        return [LoadModel, Enhance, AsUpscaleModel, BlendUpscaleModels]


async def comfy_entrypoint() -> Extension:
    """Called by ComfyUI."""
    return Extension()
