"""What a served model has to answer: the runtime's own result for every alpha."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx_models import picture
from triton_server import alphas

import dni_runtime

SIZES = [(24, 32), (40, 40), (64, 48)]


def reference(model: dni_runtime.Model, tensors: dict[str, NDArray[Any]], values: Any = None) -> NDArray[Any]:
    values = tensors["alpha"][:, 0] if values is None else values
    if "image" in tensors:
        return np.stack([model.enhance(image, alpha) for image, alpha in zip(tensors["image"], values, strict=True)])
    return np.concatenate([model(x[None], alpha) for x, alpha in zip(tensors["input"], values, strict=True)])


def assert_right(model: dni_runtime.Model, tensors: dict[str, NDArray[Any]], result: Any, values: Any = None) -> None:
    """The answer equals the reference of the request's own alpha: to the bit, but for sums in another order."""
    name, other = ("output_image", "output") if "image" in tensors else ("output", "output_image")
    got, wanted = result.as_numpy(name), reference(model, tensors, values)
    assert result.as_numpy(other) is None
    assert (got.shape, got.dtype) == (wanted.shape, wanted.dtype)
    np.testing.assert_allclose(got.astype(np.float32), wanted.astype(np.float32), rtol=0, atol=1e-5)


GOOD = {"image": picture(1, 8, 8, 3), "alpha": alphas(0.5)}
