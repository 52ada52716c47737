"""Run a prepared model: blend the weights when alpha changes, then run the optimized graph with them."""

from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime

from dni_runtime.alpha import Key
from dni_runtime.weights.head import BLENDS, ENDPOINTS, FACTORS, OTHERS, SHARES, build_product

from .flat_weights import Prepared
from .weight_sets import WeightSet, WeightSets

FloatArray = npt.NDArray[np.float32]


class LaidOut:
    """A prepared model on the CPU. Threads may share it.

    `threads`: for one operator, None for ONNX Runtime's choice. `limit_bytes`: for weights of alphas that were
    used before.
    """

    note = "weights are blended in ONNX Runtime's own layout when alpha changes"

    def __init__(self, prepared: Prepared, *, threads: int | None, limit_bytes: int) -> None:
        self.gains_from_pins = prepared.packed
        self._prepared, self._blocks = prepared, prepared.blocks
        # On one thread: the product is bound by memory, and waking threads costs more than they gain
        # (measured: a second pool of threads that wait for work slows the network's by up to 2).
        self._head, self._product = _session(prepared.head, 1), _session(build_product().SerializeToString(), 1)
        self._body = _session(prepared.body, threads)
        self._image = self._body.get_inputs()[0].name
        self._output = self._body.get_outputs()[0].name
        self._made = [value.name for value in self._head.get_outputs()]
        self._fixed = {
            s.name: onnxruntime.OrtValue.ortvalue_from_numpy(
                prepared.fixed[s.start : s.start + int(np.prod(s.shape))].reshape(s.shape)
            )
            for s in prepared.slices
            if s.fixed
        }
        self._sets = WeightSets(self._blend, prepared.total, prepared.slices, limit_bytes)

    def run(self, x: FloatArray, alpha: Key | None) -> FloatArray:
        """The network's output for float32 (N, C, H, W)."""
        assert alpha is not None
        image = onnxruntime.OrtValue.ortvalue_from_numpy(np.ascontiguousarray(x))
        with self._sets.use(alpha) as weights:
            # A binding belongs to one call at a time; list.pop and list.append are atomic.
            try:
                binding = weights.bindings.pop()
            except IndexError:
                binding = self._bind(weights)
            binding.bind_ortvalue_input(self._image, image)
            binding.bind_output(self._output, "cpu")
            self._body.run_with_iobinding(binding)
            (y,) = binding.get_outputs()
            binding.clear_binding_outputs()
            weights.bindings.append(binding)
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

    def _bind(self, weights: WeightSet) -> Any:
        binding = self._body.io_binding()
        for name, value in (*self._fixed.items(), *weights.values.items()):
            binding.bind_ortvalue_input(name, value)
        return binding

    def _blend(self, alpha: Key, flat: FloatArray) -> None:
        prepared = self._prepared
        blended = prepared.blended
        others = onnxruntime.OrtValue.ortvalue_from_numpy(flat[blended:]) if OTHERS in self._made else None
        binding = self._head.io_binding()
        binding.bind_cpu_input("alpha", np.array(alpha, np.float32))
        for name in self._made:
            if name == OTHERS:
                binding.bind_ortvalue_output(name, others)
            else:
                binding.bind_output(name, "cpu")
        self._head.run_with_iobinding(binding)
        made = dict(zip(self._made, binding.get_outputs(), strict=True))
        end = 0
        for group, block in zip(prepared.groups, self._blocks, strict=True):
            start, end = end, end + group.count
            self._sum_up(made[SHARES].numpy()[:, group.shares], block, flat[start:end].reshape(1, -1))
        if not prepared.scalings:
            return
        factors = made[FACTORS].numpy()
        # As ONNX Runtime, which divides by zero without a word. No decorator: with NumPy 1 threads would share it.
        with np.errstate(all="ignore"):
            for s in prepared.scalings:
                part = flat[s.start : s.start + s.count].reshape(s.outer, -1, s.inner * s.repeats)
                factor = factors[s.factor_start : s.factor_start + s.outer * s.inner].reshape(s.outer, 1, s.inner)
                factor = factor.repeat(s.repeats, axis=1).reshape(s.outer, 1, -1)
                (np.divide if s.divides else np.multiply)(part, factor, out=part)

    def _sum_up(self, shares: FloatArray, block: FloatArray, blends: FloatArray) -> None:
        """Fill `blends` from those of `block` that have a share: along a path that is no more than a piece of it."""
        having = np.flatnonzero(shares)
        rows = slice(having[0], having[-1] + 1) if len(having) else slice(1)
        binding = self._product.io_binding()
        binding.bind_cpu_input(SHARES, np.ascontiguousarray(shares[:, rows]))
        endpoints = onnxruntime.OrtValue.ortvalue_from_numpy(block[rows])
        binding.bind_ortvalue_input(ENDPOINTS, endpoints)
        made = onnxruntime.OrtValue.ortvalue_from_numpy(blends)
        binding.bind_ortvalue_output(BLENDS, made)
        self._product.run_with_iobinding(binding)


def _session(model: bytes, threads: int | None) -> Any:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    # The body has been optimized, for this CPU; the head is too small to gain.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    if threads is not None:
        options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
