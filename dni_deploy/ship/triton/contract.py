"""The tensors that a served model takes and gives: the one place where both kinds of repository are described.

Backend `python`. Every tensor has the batch axis N in front, N images of one size, each with an alpha of its own:

    in   image         uint8    [N, H, W, C]     C is 1 (grey), 3 (RGB) or 4 (RGB and opacity); any size, it is tiled
    in   input         float32  [N, C, H, W]     as the network takes it; runs in one piece
    in   alpha         float32  [N, K]           the share of endpoint A; K is 1 (K endpoints: K - 1 shares; with
                                                 knobs 1 and one more for each, in their order)
    in   auto          bool     [N, 1]           choose the alpha of an image by its noise; of calibrated models alone
    out  output_image  uint8    [N, sH, sW, C]   the answer to image
    out  output        float32  [N, C', sH, sW]  the answer to input

A request holds either image or input, never both. alpha may be left out only where the model has a default, or auto is
true; a baked model takes none. auto may always be left out, and is for image alone; where it is true alpha is not read.
Triton may put requests of different sizes and alphas into one execution
(`allow_ragged_batch`); each is answered with its own.

Backend `onnxruntime`. The model's own tensors, without a batch axis of Triton's, so that Triton never joins
requests: one alpha stands for a whole execution, and requests that shared one would be answered with another's.

    in   input         float32  [N, C, H, W]     sizes as the network takes them
    in   alpha         float32  [K]
    in   alpha_NAME    float32  [1]              of each knob; alpha is [1] then
    out  output        float32  [N, C', sH, sW]

There is nothing in it that could look at an image and choose: a client reads the curve out of the model's configuration
(parameter "dni", see `Metadata.from_json`) and sends the alpha.
"""

from dataclasses import dataclass

from dni_deploy.ship.model_file import ModelFile
from dni_runtime.calibration import NOISE

BACKENDS = ("onnxruntime", "python")

IMAGE, INPUT, ALPHA, AUTO = "image", "input", "alpha", "auto"
OUTPUT_IMAGE, OUTPUT = "output_image", "output"


@dataclass(frozen=True, slots=True)
class Port:
    """One input or output as config.pbtxt declares it; dims are without Triton's batch axis, -1 is free."""

    name: str
    data_type: str
    dims: tuple[int, ...]
    optional: bool = False
    ragged: bool = False


@dataclass(frozen=True, slots=True)
class Contract:
    """batched: whether Triton puts the batch axis in front of all dims, and may join requests."""

    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    batched: bool


def can_choose(model: ModelFile) -> bool:
    """Whether the Python backend can tell the alpha of an image from its pixels."""
    calibration = model.metadata.calibration
    return model.alpha is not None and calibration is not None and calibration.kind == NOISE


def contract(model: ModelFile, backend: str) -> Contract:
    """What `model` takes and gives on `backend`, one of BACKENDS."""
    return _python(model) if backend == "python" else _onnxruntime(model)


def _python(model: ModelFile) -> Contract:
    channels = model.signature.shape[1] or -1
    inputs = [
        Port(IMAGE, "TYPE_UINT8", (-1, -1, -1), optional=True, ragged=True),
        Port(INPUT, "TYPE_FP32", (channels, -1, -1), optional=True, ragged=True),
    ]
    if model.alpha is not None:
        has_default = model.metadata.alpha_default is not None
        chooses = can_choose(model)
        inputs.append(Port(ALPHA, "TYPE_FP32", (model.alpha_count,), optional=has_default or chooses))
        if chooses:
            inputs.append(Port(AUTO, "TYPE_BOOL", (1,), optional=True))
    outputs = (
        Port(OUTPUT_IMAGE, "TYPE_UINT8", (-1, -1, -1)),
        Port(OUTPUT, "TYPE_FP32", (-1, -1, -1)),
    )
    return Contract(tuple(inputs), outputs, batched=True)


def _onnxruntime(model: ModelFile) -> Contract:
    inputs = [Port(model.image.name, model.image.data_type, model.image.dims)]
    optional = model.alpha_has_initializer
    inputs += [Port(alpha.name, alpha.data_type, alpha.dims, optional=optional) for alpha in model.alphas]
    outputs = (Port(model.output.name, model.output.data_type, model.output.dims),)
    return Contract(tuple(inputs), outputs, batched=False)
