"""Run models whose effect strength is an input, without PyTorch.

model = dni_runtime.load("denoise.onnx")
result = model.enhance(image, alpha=0.3)   # image uint8 (H, W, C)
"""

from .alpha import Alpha, check_alpha, format_alpha
from .calibration import Calibration
from .errors import (
    AlphaError,
    ArchitectureError,
    CheckpointError,
    DniError,
    EndpointError,
    ExportError,
    InputError,
    ModelError,
    OutputError,
    ParityError,
    ProviderError,
)
from .images.noise import estimate_noise
from .images.plans.plan import Plan
from .loading import load
from .metadata import Endpoint, Metadata, read_metadata, write_metadata
from .model import Model
from .opening.asked import ALPHA_POLICIES
from .pin import pin
from .providers.choosing import PROVIDERS

__all__ = [
    "ALPHA_POLICIES",
    "PROVIDERS",
    "Alpha",
    "AlphaError",
    "ArchitectureError",
    "Calibration",
    "CheckpointError",
    "DniError",
    "Endpoint",
    "EndpointError",
    "ExportError",
    "InputError",
    "Metadata",
    "Model",
    "ModelError",
    "OutputError",
    "ParityError",
    "Plan",
    "ProviderError",
    "check_alpha",
    "estimate_noise",
    "format_alpha",
    "load",
    "pin",
    "read_metadata",
    "write_metadata",
]
