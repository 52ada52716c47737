"""What a session takes and gives: read once when a model is loaded, checked on every call."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from .alpha import Key, append_planes
from .errors import InputError, ModelError
from .metadata import KEY, LIMIT_ENDPOINTS, Metadata

DlpackTensor: TypeAlias = Any
"""A tensor of any library that speaks DLPack, such as PyTorch, CuPy, JAX or NumPy."""

_DTYPES: dict[str, np.dtype[Any]] = {
    "tensor(float)": np.dtype(np.float32),
    "tensor(float16)": np.dtype(np.float16),
}
_INTEGERS = [f"tensor({sign}int{bits})" for sign in ("", "u") for bits in (8, 16, 32, 64)]
# What is computed is taken for float32.
_OUTPUTS = frozenset({*_DTYPES, "tensor(double)", *_INTEGERS})
# For sizes that are free, to judge those that are not; and what a whole image may have: 1 GiB of float32.
_USUAL_SHAPE = (1, 3, 64, 64)
_LARGEST_INPUT = 2**28
_AXES = ("batch size", "channel count", "height", "width")


@dataclass(frozen=True, slots=True)
class Signature:
    """Names, types and sizes of a model's inputs and output.

    shape:        fixed sizes (N, C, H, W) of the image, None for each that may vary.
    dtype:        what ONNX Runtime takes, float32 or float16; a Model takes and gives float32 either way.
    alpha_name:   None where the model has no alpha input; the image input's where alpha is in its last channels.
    alpha_shape:  of alpha, (count,); () for models of other tools that take a scalar.
    alpha_inputs: the inputs that it is given to; several, of one number each, where the model has knobs.
    """

    input_name: str
    output_name: str
    shape: tuple[int | None, int | None, int | None, int | None]
    dtype: np.dtype[Any]
    alpha_name: str | None
    alpha_shape: tuple[int, ...]
    alpha_dtype: np.dtype[Any]
    alpha_inputs: tuple[str, ...] = ()

    def feed(self, x: npt.NDArray[Any], alpha: Key | None) -> dict[str, npt.NDArray[Any]]:
        """What a session is given for `x`, of the model's own dtype, and `alpha`, which is None where there is none."""
        if alpha is None or self.alpha_name is None:
            return {self.input_name: x}
        if self.alpha_name == self.input_name:
            return {self.input_name: append_planes(x, alpha)}
        values = np.array(alpha, self.alpha_dtype)
        parts = [values.reshape(self.alpha_shape)] if len(self.alpha_inputs) == 1 else np.split(values, len(alpha))
        return {self.input_name: x, **dict(zip(self.alpha_inputs, parts, strict=True))}

    def check_tensor(self, x: npt.NDArray[Any], metadata: Metadata) -> None:
        """Raise InputError unless `x` is a float32 (N, C, H, W) array of sizes that the model takes."""
        if not isinstance(x, np.ndarray):
            raise InputError(f"x is of type {type(x).__name__}; expected a NumPy array")
        if x.dtype != np.float32:
            raise InputError(f"x has dtype {x.dtype}; expected float32: pass x.astype(np.float32)")
        self.check_shape(x.shape, metadata)

    def check_type(self, kind: str, name: str = "x") -> None:
        """Raise InputError unless `kind`, ONNX Runtime's name of a tensor type, is the model's own; `name`: of what."""
        if _DTYPES.get(kind) != self.dtype:
            raise InputError(f"{name} is a {kind}; the model takes {self.dtype}")

    def check_result(self, x: tuple[int, ...], y: tuple[int, ...]) -> None:
        """Raise ModelError unless a model that made a result of shape `y` from one of `x` makes images of images."""
        if len(y) != 4 or y[0] != x[0] or 0 in y:
            raise ModelError(
                f"the model made a result of shape {y} from one of {x}; expected [N, C, H, W] for [N, C, H, W]"
            )

    def check_shape(self, shape: tuple[int, ...], metadata: Metadata) -> None:
        """Raise InputError unless the model takes tensors of `shape`."""
        if len(shape) != 4:
            raise InputError(f"x has shape {shape}; expected four axes, (N, C, H, W)")
        for axis, (got, fixed) in enumerate(zip(shape, self.shape, strict=True)):
            if fixed is not None and got != fixed:
                raise InputError(f"x has shape {shape}, {_AXES[axis]} {got}; the model takes {fixed} only")
            if got == 0:
                raise InputError(f"x has shape {shape}; expected at least 1 along every axis")
        sizes, (height, width) = metadata.sizes, shape[2:]
        if sizes.fit(height, width) != (height, width):
            raise InputError(
                f"x has height and width {height}x{width}; expected {sizes}. Pad x, or use enhance(), which does so by "
                "itself"
            )


def stated(session: Any) -> Metadata | None:
    """The metadata of what an ONNX Runtime session runs, None where it has none. Raises ModelError as `from_json`."""
    text = session.get_modelmeta().custom_metadata_map.get(KEY)
    return None if text is None else Metadata.from_json(text)


def read_signature(session: Any, metadata: Metadata) -> Signature:
    """The signature of an ONNX Runtime session, or Declared. Raises ModelError where it is no image model.

    The input called `input` is the image, else the only one that is not called `alpha`; likewise `output`,
    else the first output.
    """
    inputs = {i.name: i for i in session.get_inputs()}
    if len(inputs) != len(session.get_inputs()):
        raise ModelError(f"the model has several inputs of one name: {_names(session.get_inputs())}")
    # An alpha that has a default is an initializer too, and listed apart.
    optional = {i.name: i for i in session.get_overridable_initializers()}
    # Knobs are inputs of their own, but for a model in memory, see `join_knobs`.
    alphas = [a for name in metadata.alpha_inputs if (a := inputs.pop(name, None) or optional.get(name)) is not None]
    alpha = alphas[0] if alphas else None
    if len(inputs) != 1:
        raise ModelError(f"the model has the inputs {_names([*inputs.values()])}; expected one image input, and alpha")
    (image,) = inputs.values()
    if image.type not in _DTYPES or len(image.shape) != 4:
        raise ModelError(
            f"the model's input {image.name!r} is a {image.type} of shape {image.shape}; "
            "expected a float tensor of shape [N, C, H, W]"
        )
    sizes = [size if isinstance(size, int) and size > 0 else None for size in image.shape]
    if math.prod(size or usual for size, usual in zip(sizes, _USUAL_SHAPE, strict=True)) > _LARGEST_INPUT:
        raise ModelError(
            f"the model's input {image.name!r} has the shape {image.shape}, larger than any image; "
            f"expected at most {_LARGEST_INPUT} values in one"
        )
    output = _output(session.get_outputs())
    n, c, h, w = sizes
    if metadata.alpha_plane and alpha is None:
        alpha, c = image, None if c is None else c - metadata.alpha_count
        if c is not None and c < 1:
            raise ModelError(
                f"the model's input {image.name!r} has the shape {image.shape}; its metadata says that "
                f"{metadata.alpha_count} of the channels are alpha, and expected are more: export it again"
            )
    alpha_shape: tuple[int, ...] = (metadata.alpha_count,)
    if alpha is not None:
        if alpha.type not in _DTYPES:
            raise ModelError(f"the model's input 'alpha' is a {alpha.type}; expected a float tensor")
        if len(alphas) > 1:
            alpha_shape = (len(alphas),)
            if wrong := [each for each in alphas if each.type != "tensor(float)" or list(each.shape) != [1]]:
                raise ModelError(
                    f"the model's input {wrong[0].name!r} is a {wrong[0].type} of shape {list(wrong[0].shape)}; "
                    "expected a tensor(float) of shape [1] for each knob: export it again"
                )
        elif alpha is not image and all(isinstance(size, int) for size in alpha.shape):
            alpha_shape = tuple(alpha.shape)
            count = math.prod(alpha_shape)
            if not 1 <= count <= LIMIT_ENDPOINTS or count != (*alpha_shape, 1)[0]:
                raise ModelError(
                    f"the model's input 'alpha' has the shape {alpha.shape}; expected [1], or [n] for n + 1"
                )
    if metadata.alpha_knobs and alpha is not None and alpha_shape != (metadata.alpha_count,):
        raise ModelError(
            f"the model takes an alpha of shape {list(alpha_shape)}, its metadata has {metadata.alpha_count} numbers, "
            f"for {', '.join(metadata.alpha_inputs)}; export it again"
        )
    return Signature(
        input_name=image.name,
        output_name=output.name,
        shape=(n, c, h, w),
        dtype=_DTYPES[image.type],
        alpha_name=None if alpha is None else alpha.name,
        alpha_shape=alpha_shape,
        alpha_dtype=_DTYPES["tensor(float)" if alpha is None else alpha.type],
        alpha_inputs=tuple(each.name for each in alphas),
    )


def _output(outputs: Sequence[Any]) -> Any:
    """The one that is the image. Of some the number of axes is known only when they are there."""
    if not outputs:
        raise ModelError("the model has no outputs; expected one image")
    output = next((o for o in outputs if o.name == "output"), outputs[0])
    if output.type not in _OUTPUTS or len(output.shape) not in (0, 4):
        raise ModelError(
            f"the model's output {output.name!r} is a {output.type} of shape {output.shape}; "
            "expected a tensor of numbers of shape [N, C, H, W]"
        )
    return output


def _names(values: Iterable[Any]) -> str:
    return ", ".join(repr(value.name) for value in values) or "none"
