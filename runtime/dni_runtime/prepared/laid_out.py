"""Run a prepared model: blend the weights when alpha changes, then run the optimized graph with them."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime

from dni_runtime.alpha import Key
from dni_runtime.weights.names import ENDPOINTS, SHARES

from .blending import Blending
from .body import Body
from .flat_weights import BLENDING, RESULT, Prepared, require
from .weight_sets import WeightSet, WeightSets

FloatArray = npt.NDArray[np.float32]


class LaidOut:
    """A prepared model on the CPU. Threads may share it.

    `threads`: for one operator, None for ONNX Runtime's choice. `limit_bytes`: for weights of alphas that were
    used before. Raises ValueError where the parts of `prepared` do not fit each other, and what ONNX Runtime raises.
    """

    note = "weights are blended in ONNX Runtime's own layout when alpha changes"

    def __init__(self, prepared: Prepared, *, threads: int | None, limit_bytes: int) -> None:
        self.gains_from_pins = prepared.packed
        self._body = Body(prepared.body, threads)
        require({part.name: list(part.shape) for part in prepared.slices} == self._body.weights)
        self._fixed = {
            s.name: onnxruntime.OrtValue.ortvalue_from_numpy(
                prepared.fixed[s.start : s.start + int(np.prod(s.shape))].reshape(s.shape)
            )
            for s in prepared.slices
            if s.fixed
        }
        # What each half of the graph does not look at has to be there, too.
        value = onnxruntime.OrtValue.ortvalue_from_numpy
        nothing = {name: value(np.zeros((1, 1), np.float32)) for name in (SHARES, ENDPOINTS)}
        self._running = {BLENDING: value(np.array([False])), **nothing}
        self._filling = {BLENDING: value(np.array([True])), self._body.image: value(self._body.any_image())}
        self._blending = Blending(prepared)
        self._sets = WeightSets(prepared.total, prepared.slices, limit_bytes)

    def require_image(self, name: str) -> None:
        """Raise ValueError unless the graph calls the image so."""
        require(self._body.image == name)

    def run(self, x: FloatArray, alpha: Key | None) -> FloatArray:
        """The network's output for float32 (N, C, H, W)."""
        assert alpha is not None
        image = onnxruntime.OrtValue.ortvalue_from_numpy(np.ascontiguousarray(x))
        with self._sets.use(alpha, self._blend) as weights, self._body.session() as session:
            # A binding belongs to one call at a time; list.pop and list.append are atomic.
            unused = weights.bindings[session]
            try:
                binding = unused.pop()
            except IndexError:
                binding = self._bind(session, weights, self._running)
            binding.bind_ortvalue_input(self._body.image, image)
            binding.bind_output(self._body.output, "cpu")
            session.run_with_iobinding(binding)
            (y,) = binding.get_outputs()
            binding.clear_binding_outputs()
            unused.append(binding)
        result: FloatArray = y.numpy()
        return result

    def forget(self) -> None:
        """Free the weights that no call is using."""
        self._sets.clear()

    def settle(self, timeout_s: float | None) -> bool:
        """Nothing to wait for: a call blends what it needs, and the next one with its alpha finds it."""
        return True

    def close(self) -> None:
        """Nothing to stop; memory is freed when the last call is done."""

    def _blend(self, alpha: Key, weights: WeightSet) -> None:
        with self._body.session() as session:
            if (filling := weights.filling.get(session)) is None:
                bind = partial(self._bind, session, weights, self._filling)
                filling = weights.filling[session] = self._blending.filling(weights.flat, session, bind, RESULT)
            filling(alpha)

    def _bind(self, session: Any, weights: WeightSet, others: Mapping[str, Any]) -> Any:
        binding = session.io_binding()
        for name, value in (*self._fixed.items(), *weights.values.items(), *others.items()):
            binding.bind_ortvalue_input(name, value)
        return binding
