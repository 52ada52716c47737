"""What a server or a page has to be told about an ONNX file: names, types and sizes, and what its metadata says."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import onnx

from dni_runtime import InputError, Metadata, ModelError, read_metadata
from dni_runtime.files.regular_file import why_no_file
from dni_runtime.onnx_files.declared import Declared
from dni_runtime.onnx_files.external_data import external_files
from dni_runtime.onnx_files.ort_format import ORT_SUFFIX
from dni_runtime.onnx_files.reading import read_model
from dni_runtime.onnx_files.tensors import type_name
from dni_runtime.signature import Signature, read_signature

_TRITON_TYPES = {"float": "TYPE_FP32", "float16": "TYPE_FP16"}


@dataclass(frozen=True, slots=True)
class Tensor:
    """An input or output in Triton's words; a size of -1 is free."""

    name: str
    data_type: str
    dims: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ModelFile:
    """An ONNX file with one image input, and alpha unless it is baked.

    alphas:                the inputs for alpha; none for a baked model, several of one number each with knobs.
    alpha_has_initializer: the graph itself has a value for alpha, so that ONNX Runtime runs without it.
    external_files:        names of files that hold weights, relative to the model's folder.
    """

    path: Path
    metadata: Metadata
    signature: Signature
    image: Tensor
    alphas: tuple[Tensor, ...]
    output: Tensor
    alpha_has_initializer: bool
    external_files: tuple[str, ...]

    @property
    def alpha(self) -> Tensor | None:
        """The first of them, which all models have that take alpha."""
        return self.alphas[0] if self.alphas else None

    @property
    def alpha_count(self) -> int:
        """How many numbers alpha has; 1 for a graph that takes a bare number."""
        shape = self.signature.alpha_shape
        return shape[0] if shape else 1


def find_models(models: Sequence[Path]) -> list[Path]:
    """The ONNX files of `models`, of which each is one or a folder of them. Raises InputError where there is none."""
    found: list[Path] = []
    for path in models:
        if path.is_dir():
            inside = sorted(path.glob("*.onnx"))
            if not inside:
                raise InputError(f"{path} holds no .onnx file")
            found += inside
        elif path.is_file():
            found.append(path)
        else:
            raise InputError(f"{path} {why_no_file(path)}; expected an .onnx file or a folder of them")
    if not found:
        raise InputError("no model was given; expected at least one .onnx file")
    return found


def read_model_file(path: Path) -> ModelFile:
    """Read an ONNX file, without its external weights. Raises ModelError where it is none, or no image model."""
    if path.suffix == ORT_SUFFIX:
        raise ModelError(f"{path} is an .ort file; give the .onnx file that it was made from")
    model = read_model(path)
    beside = external_files(model, path)
    beside.pop(path.name, None)
    metadata = read_metadata(model) or Metadata()
    if metadata.alpha_plane:
        raise ModelError(
            f"{path} takes alpha as a channel of the image, for tools with one input; a server is given one that takes "
            "it as an input of its own: export it without --single-input"
        )
    declared = Declared(model)
    signature = read_signature(declared, metadata)
    stored = {tensor.name for tensor in model.graph.initializer}
    values = {v.name: v for v in [*model.graph.input, *model.graph.output]}
    alphas = tuple(_tensor(path, values[name]) for name in signature.alpha_inputs)
    return ModelFile(
        path=path,
        metadata=metadata,
        signature=signature,
        image=_tensor(path, values[signature.input_name]),
        alphas=alphas,
        output=_tensor(path, values[signature.output_name]),
        alpha_has_initializer=bool(alphas) and all(alpha.name in stored for alpha in alphas),
        external_files=tuple(sorted(beside)),
    )


def _tensor(path: Path, value: onnx.ValueInfoProto) -> Tensor:
    kind = type_name(value.type.tensor_type.elem_type)
    if kind not in _TRITON_TYPES:
        raise ModelError(f"{path}: {value.name!r} is a tensor of {kind}; expected float or float16")
    dims = value.type.tensor_type.shape.dim
    sizes = tuple(dim.dim_value if dim.HasField("dim_value") and dim.dim_value > 0 else -1 for dim in dims)
    return Tensor(value.name, _TRITON_TYPES[kind], sizes)
