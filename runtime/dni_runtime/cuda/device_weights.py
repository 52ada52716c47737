"""The weights of an alpha-input model on a device: one buffer, blended in place when alpha changes."""

from typing import Any

import numpy as np
import onnxruntime

from dni_runtime.alpha import Key
from dni_runtime.providers.sessions import Place
from dni_runtime.signature import Signature
from dni_runtime.weights.alpha_file import AlphaFile

from .device_plan.buffer import KINDS, Part
from .device_plan.plan import DevicePlan
from .dlpack_view import view
from .graph_session import run_again_without_graph, run_options


class DeviceWeights:
    """The buffer, and the session that fills it.

    `place`: cuda, or cpu for tests; `graphs`: whether to blend by a captured CUDA graph. Raises what ONNX Runtime
    raises.
    """

    def __init__(self, file: AlphaFile, plan: DevicePlan, signature: Signature, place: Place, *, graphs: bool) -> None:
        device, number = place.provider, place.device_id
        self._place, self._parts = place, plan.weights
        self._dtype, self._shape = signature.alpha_dtype, signature.alpha_shape
        self._buffer = onnxruntime.OrtValue.ortvalue_from_shape_and_type((plan.total_bytes,), np.uint8, device, number)
        self._base: int = self._buffer.data_ptr()
        # On a CPU the session uses this memory itself; on a GPU it has copied it.
        endpoints = {name: onnxruntime.OrtValue.ortvalue_from_numpy(values) for name, values in plan.endpoints.items()}
        there = place.with_cuda_graphs() if graphs else place
        self._head = file.open_part(plan.head.SerializeToString(), there.exact(), endpoints)
        self._kept = endpoints if device == "cpu" else None
        self._alpha = onnxruntime.OrtValue.ortvalue_from_shape_and_type(self._shape, self._dtype, device, number)
        self._binding = self._head.io_binding()
        self._binding.bind_ortvalue_input("alpha", self._alpha)
        for part in plan.made:
            address = self._base + part.start
            self._binding.bind_output(part.name, device, number, part.kind, part.shape, address)
        self._options = run_options(1 if graphs else None)
        self._blended: Key | None = None
        for part in plan.weights:
            if part.name in plan.fixed:
                self._view(part).update_inplace(plan.fixed[part.name])

    def blend(self, alpha: Key) -> None:
        """Fill the buffer with the weights of `alpha`; nothing happens if it holds them."""
        if alpha == self._blended:
            return
        self._blended = None  # whatever fails below leaves the weights in between
        self._alpha.update_inplace(np.array(alpha, self._dtype).reshape(self._shape))
        run_again_without_graph(self._head, self._binding, self._options)
        self._blended = alpha

    def bind(self, binding: Any) -> None:
        """Bind all weights as inputs."""
        device, number = self._place.provider, self._place.device_id
        for part in self._parts:
            binding.bind_input(part.name, device, number, part.kind, part.shape, self._base + part.start)

    def initializers(self) -> dict[str, Any]:
        """All weights as OrtValues that a session can use as initializers where they lie; this has to outlive it."""
        return {part.name: self._view(part) for part in self._parts}

    def _view(self, part: Part) -> Any:
        place = (self._place.provider, self._place.device_id)
        return view(self._base + part.start, part.shape, KINDS[part.kind], *place)
