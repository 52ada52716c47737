"""The project's runtime, through its public functions alone."""

from pathlib import Path
from typing import Any

import names
import numpy as np
import torch
from way import Device, FloatArray, Way

import dni_runtime


def load(path: Path, device: Device, options: dict[str, str] | None = None) -> dni_runtime.Model:
    return dni_runtime.load(path, device.kind, provider_options=options)


def bound(model: dni_runtime.Model, x: FloatArray, scale: int, device: Device, name: str = names.OURS) -> Way:
    """Image and result stay where they are, as those of all captured graphs here do."""
    n, c, h, w = x.shape
    image, out = torch.from_numpy(x.copy()).to(device.kind), torch.empty(n, c, h * scale, w * scale, device=device.kind)
    call = model.bind(image, out)

    def run(alpha: float) -> Any:
        call(alpha)
        return out

    return Way(name, run, _read)


def unbound(model: dni_runtime.Model, x: FloatArray, device: Device) -> list[Way]:
    """From any tensor to a new one on the device, and from NumPy to NumPy."""
    on_device = torch.from_numpy(x).to(device.kind)
    return [
        Way(names.OURS_TENSOR, lambda alpha: model.run_on_device(on_device, alpha), _read),
        Way(names.OURS_NUMPY, lambda alpha: model(x, alpha), np.array),
    ]


def _read(result: Any) -> FloatArray:
    # A copy: on a CPU the next call may write into the same memory.
    return np.array(torch.from_dlpack(result).float().cpu().numpy())
