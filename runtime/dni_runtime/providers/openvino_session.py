"""A model in OpenVINO, as a session with those methods of ONNX Runtime's that this package uses.

The rest of the runtime cannot tell them apart: runners, pins and signatures work on both.
"""

import functools
import threading
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import numpy.typing as npt
import onnx

from dni_runtime.errors import InputError, ModelError, ProviderError
from dni_runtime.onnx_files.external_data import Weights

from .openvino_model import separate

Tensor = npt.NDArray[Any]

_DEFAULTS = {
    "device": "CPU",
    # Its own choice is bfloat16 or float16 where the processor has it: errors of 1e-2.
    "INFERENCE_PRECISION_HINT": "f32",
    "PERFORMANCE_HINT": "LATENCY",
}


# One model at a time: twice in some thousands of tests a process was ended while several threads compiled.
_COMPILING = threading.Lock()


class OpenVinoSession:
    """A compiled model. Threads may share it: each call has an infer request of its own.

    device: what it runs on in OpenVINO's words, CPU, GPU.0 or the like.
    """

    def __init__(
        self,
        source: str | bytes,
        threads: int | None,
        options: Mapping[str, str],
        weights: Weights | None,
        *,
        inputs: Mapping[str, Tensor] | None = None,
        shared: Mapping[str, Tensor] | None = None,
    ) -> None:
        """Compile an ONNX file (path), or a model's bytes and the weights beside it.

        `inputs`: of the model's, those that every call reads from this memory. `shared`: those that become constants
        which stay in this memory, where the device and what it makes of them leave them there; the caller looks.

        `options`: "device" (CPU, GPU, GPU.1, NPU, AUTO), the rest are OpenVINO's properties. `threads`: for all
        operators together, None for OpenVINO's own choice.

        Raises ModelError for a model that OpenVINO cannot load, InputError for options that it does not know,
        ProviderError for a device that is not there.
        """
        name = source if isinstance(source, str) else "the model"
        settings: dict[str, Any] = {**_DEFAULTS, **options}
        device = settings.pop("device")
        _check_device(device)
        if threads is not None:
            settings["INFERENCE_NUM_THREADS"] = threads
        separated = separate(source, weights, name)
        try:
            with _COMPILING:
                network = _network(separated.model, separated.arrays, shared or {})
                self._compiled = _core().compile_model(network, device, settings)
        except RuntimeError as error:
            if reason := _refusal(device, settings):
                raise InputError(f"provider_options are {dict(options)}; OpenVINO refuses them: {reason}") from None
            raise ModelError(f"{name} cannot be loaded by OpenVINO: {_reason(error)}") from error
        self.device: str = ", ".join(self._compiled.get_property("EXECUTION_DEVICES"))
        self.get_inputs = separated.declared.get_inputs
        self.get_outputs = separated.declared.get_outputs
        self.get_overridable_initializers = separated.declared.get_overridable_initializers
        self._properties = {entry.key: entry.value for entry in separated.model.metadata_props}
        self._requests: list[Any] = []
        self._inputs, self._shared = inputs or {}, shared

    def get_modelmeta(self) -> Any:
        """What the file says about itself, under `custom_metadata_map`."""
        return SimpleNamespace(custom_metadata_map=self._properties)

    def run(self, outputs: Sequence[str], feed: Mapping[str, Tensor]) -> list[Tensor]:
        """The values of `outputs`, arrays of their own. Raises RuntimeError where OpenVINO fails."""
        # A request belongs to one call at a time; list.pop and list.append are atomic.
        try:
            request = self._requests.pop()
        except IndexError:
            request = self._create_request()
        try:
            values = request.infer(feed)
        except RuntimeError as error:
            raise RuntimeError(_reason(error)) from error
        self._requests.append(request)
        return [values[name] for name in outputs]

    def _create_request(self) -> Any:
        from openvino import Tensor as Shared

        request = self._compiled.create_infer_request()
        for name, array in self._inputs.items():
            request.set_tensor(name, Shared(array, shared_memory=True))
        return request


@functools.cache
def _core() -> Any:
    import openvino

    return openvino.Core()


def _check_device(device: str) -> None:
    """Raise ProviderError unless `device` is there; what AUTO takes is told by EXECUTION_DEVICES."""
    there: list[str] = _core().available_devices
    family = device.partition(":")[0]
    if family not in {"AUTO", *there, *(name.partition(".")[0] for name in there)}:
        raise ProviderError(
            f"openvino has no device {device!r} here; it has {', '.join(there)} (and AUTO). "
            "GPU and NPU need Intel's drivers"
        )


def _network(model: onnx.ModelProto, arrays: Mapping[str, Tensor], shared: Mapping[str, Tensor]) -> Any:
    """OpenVINO's graph of `model`, with `arrays` as constants in place of those inputs, and `shared` where they lie.

    OpenVINO would read files by itself, but for a model that is given as bytes only below the working directory;
    and it maps them, so that weights would change, or be gone, with the file.
    """
    from openvino import opset13

    network = _core().read_model(model.SerializeToString(), b"")
    for parameter in network.get_parameters():
        name = parameter.get_friendly_name()
        if name in arrays or name in shared:
            array = shared.get(name, arrays.get(name))
            constant = opset13.constant(array, shared_memory=name in shared)
            parameter.output(0).replace(constant.output(0))
            network.remove_parameter(parameter)
    network.validate_nodes_and_infer_types()
    return network


def _refusal(device: str, settings: Mapping[str, Any]) -> str | None:
    """Why `settings` fit no model at all, None where they do: OpenVINO's errors do not tell which is at fault."""
    from openvino import Model, opset13

    x = opset13.parameter([1])
    try:
        _core().compile_model(Model([opset13.relu(x)], [x]), device, settings)
    except RuntimeError as error:
        return _reason(error)
    return None


def _reason(error: Exception) -> str:
    """OpenVINO's own words as one line, without the places in its source."""
    lines = (line.strip() for line in str(error).splitlines())
    kept = (line for line in lines if line and not line.startswith(("Exception from", "Check '")))
    return " ".join(kept)
