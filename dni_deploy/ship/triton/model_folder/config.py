"""config.pbtxt of a model, made with Triton's own protobuf."""

from typing import Any

from dni_deploy.extras import import_model_config
from dni_deploy.ship.model_file import ModelFile
from dni_deploy.ship.triton.contract import Port, contract
from dni_deploy.ship.triton.options import ShipOptions
from dni_runtime import format_alpha

from .tiny_request import FIXED_SIZE
from .warmup import Warmup, warmups

# As in dni_runtime.providers, for the same reasons: HEURISTIC is cuDNN's quick search, TF32 costs float32 the parity
# with PyTorch, and without it float16 loses its tensor cores. Unchecked: not run on a GPU so far.
_CUDA = {"cudnn_conv_algo_search": "HEURISTIC", "use_tf32": "0"}
_CUDA_HALF = {**_CUDA, "use_tf32": "1"}
_TENSORRT = {"precision_mode": "FP32", "max_workspace_size_bytes": str(2**30)}


def make_config(name: str, model: ModelFile, options: ShipOptions) -> Any:
    """The ModelConfig message of `model` under the name `name`."""
    pb = import_model_config()
    ports = contract(model, options.backend)
    config = pb.ModelConfig(
        name=name, backend=options.backend, max_batch_size=options.max_batch if ports.batched else 0
    )
    config.version_policy.latest.num_versions = 1
    config.input.extend(_input(pb, port) for port in ports.inputs)
    config.output.extend(
        pb.ModelOutput(name=port.name, data_type=port.data_type, dims=port.dims) for port in ports.outputs
    )
    kind = pb.ModelInstanceGroup.KIND_GPU if options.device == "gpu" else pb.ModelInstanceGroup.KIND_CPU
    config.instance_group.add(count=options.instances, kind=kind)
    if ports.batched:
        config.dynamic_batching.max_queue_delay_microseconds = round(options.max_queue_delay_ms * 1000)
    elif options.device == "gpu":
        _accelerate(config, options.accelerator, half=model.metadata.dtype == "float16")
    if options.response_cache:
        config.response_cache.enable = True
    for warmup in warmups(model, options):
        _add_warmup(config, warmup, batch_size=1 if ports.batched else 0)
    for key, value in _parameters(model, options).items():
        config.parameters[key].string_value = value
    for key, value in _labels(model).items():
        config.metric_tags[key] = value
    return config


def warmup_files(model: ModelFile, options: ShipOptions) -> dict[str, bytes]:
    """What has to lie in the model's folder `warmup`, by name."""
    inputs = [data for warmup in warmups(model, options) for data in warmup.inputs]
    return {_file_name(data.data): data.data for data in inputs if data.data is not None}


def _input(pb: Any, port: Port) -> Any:
    return pb.ModelInput(
        name=port.name,
        data_type=port.data_type,
        dims=port.dims,
        optional=port.optional,
        allow_ragged_batch=port.ragged,
    )


def _accelerate(config: Any, accelerator: str, *, half: bool) -> None:
    added = config.optimization.execution_accelerators.gpu_execution_accelerator.add(name=accelerator)
    cuda = _CUDA_HALF if half else _CUDA
    for key, value in (_TENSORRT if accelerator == "tensorrt" else cuda).items():
        added.parameters[key] = value


def _add_warmup(config: Any, warmup: Warmup, batch_size: int) -> None:
    added = config.model_warmup.add(name=warmup.name, batch_size=batch_size)
    for data in warmup.inputs:
        described = added.inputs[data.name]
        described.data_type = (
            config.DESCRIPTOR.file.enum_types_by_name["DataType"].values_by_name[data.data_type].number
        )
        described.dims.extend(data.dims)
        if data.data is None:
            described.zero_data = True
        else:
            described.input_data_file = _file_name(data.data)


def _file_name(data: bytes) -> str:
    return f"alpha-{data.hex()}"


def _parameters(model: ModelFile, options: ShipOptions) -> dict[str, str]:
    """What the Python model reads, and, under "dni", the metadata: clients get it by asking for the configuration."""
    parameters = {"dni": model.metadata.to_json()}
    height, width = model.signature.shape[2:]
    if height and width:
        parameters[FIXED_SIZE] = f"{height}x{width}"
    if options.backend == "python":
        parameters |= {"max_pixels": str(options.max_pixels), "max_input_pixels": str(options.max_input_pixels)}
        if options.threads is not None:
            parameters["threads"] = str(options.threads)
    elif options.threads is not None:
        parameters["intra_op_thread_count"] = str(options.threads)
    return parameters


def _labels(model: ModelFile) -> dict[str, str]:
    """Labels of the model's metrics, so that a dashboard can tell strengths and networks apart."""
    metadata = model.metadata
    labels = {"architecture": metadata.architecture}
    labels["alpha"] = "input" if metadata.alpha_pinned is None else format_alpha(metadata.alpha_pinned)
    if metadata.scale is not None:
        labels["scale"] = f"{metadata.scale:g}"
    return {key: value for key, value in labels.items() if value}
