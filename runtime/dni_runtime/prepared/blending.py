"""Blend the weights of a prepared model: one product of shares and stored endpoints, then what is scaled."""

from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime

from dni_runtime.alpha import Key
from dni_runtime.providers.sessions import PLANS_REUSE
from dni_runtime.weights.head import BLENDS, ENDPOINTS, FACTORS, OTHERS, SHARES, build_product

from .flat_weights import Prepared

FloatArray = npt.NDArray[np.float32]


class Blending:
    """Fills the flat array of a prepared model for an alpha. Threads may share it."""

    def __init__(self, prepared: Prepared) -> None:
        self._prepared, self._blocks = prepared, prepared.blocks
        # On one thread: the product is bound by memory, and waking threads costs more than they gain
        # (measured: a second pool of threads that wait for work slows the network's by up to 2).
        self._head, self._product = (
            open_as_it_is(prepared.head, 1),
            open_as_it_is(build_product().SerializeToString(), 1),
        )
        self._made = [value.name for value in self._head.get_outputs()]

    def fill(self, alpha: Key, flat: FloatArray) -> None:
        """Fill `flat`, float32 (total,)."""
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


def open_as_it_is(model: bytes, threads: int | None) -> Any:
    """A session on the CPU of a graph that is not to be optimized: it has been, or is too small to gain."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.enable_mem_reuse = PLANS_REUSE
    if threads is not None:
        options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
