"""Blend the weights of a prepared model: one product of shares and stored endpoints, then what is scaled."""

from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import onnxruntime

from dni_runtime.alpha import Key
from dni_runtime.providers.cpu_options import PLANS_REUSE
from dni_runtime.weights.names import BLENDS, ENDPOINTS, FACTORS, OTHERS, SHARES

from .flat_weights import Prepared, require

FloatArray = npt.NDArray[np.float32]


Multiply: TypeAlias = Callable[[FloatArray, FloatArray, FloatArray], None]
"""shares [1, rows], endpoints [rows, columns], the blends [1, columns] that it fills."""


class Blending:
    """Fills the flat array of a prepared model for an alpha. Threads may share it.

    Raises ValueError where the head is not that of the other parts.
    """

    def __init__(self, prepared: Prepared) -> None:
        self._prepared, self._blocks = prepared, prepared.blocks
        self._head = open_as_it_is(prepared.head, 1)
        self._made = [value.name for value in self._head.get_outputs()]
        require(self._fits())

    def _fits(self) -> bool:
        """Whether the head takes alpha, and makes what the other parts use of it."""
        prepared, outputs = self._prepared, shapes_of(self._head.get_outputs())
        shares = [share for group in prepared.groups for share in group.shares]
        needed = max((s.factor_start + s.outer * s.inner for s in prepared.scalings), default=0)
        factors = outputs.get(FACTORS, [0])
        return (
            shapes_of(self._head.get_inputs()).keys() == {"alpha"}
            and outputs.get(SHARES) == ([1, max(shares) + 1] if shares else None)
            and outputs.get(OTHERS, [0]) == [prepared.total - prepared.blended]
            and len(factors) == 1
            and isinstance(factors[0], int)
            and factors[0] >= needed
        )

    def fill(self, alpha: Key, flat: FloatArray, multiply: Multiply | None = None) -> None:
        """Fill `flat`, float32 (total,). `multiply` computes the product, None: in a session for it alone."""
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
            shares = made[SHARES].numpy()[:, group.shares]
            # Along a path only a piece of the endpoints has a share.
            having = np.flatnonzero(shares)
            rows = slice(having[0], having[-1] + 1) if len(having) else slice(1)
            summed = flat[start:end].reshape(1, -1)
            (multiply or self._product)(np.ascontiguousarray(shares[:, rows]), block[rows], summed)
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

    def _product(self, shares: FloatArray, endpoints: FloatArray, blends: FloatArray) -> None:
        run_product(self._alone, self._alone.io_binding(), shares, endpoints, (BLENDS, blends))

    @cached_property
    def _alone(self) -> Any:
        """On one thread: the product is bound by memory, and waking threads costs more than they gain.

        (Measured: a second pool of threads that wait for work slows the network's by up to 2.)
        """
        from dni_runtime.weights.head import build_product

        return open_as_it_is(build_product().SerializeToString(), 1)


def run_product(
    session: Any, binding: Any, shares: FloatArray, endpoints: FloatArray, result: tuple[str, FloatArray]
) -> None:
    """Run a `session` that has the product with `binding`, to all else that it takes; `result`: its name and place."""
    values = onnxruntime.OrtValue.ortvalue_from_numpy(endpoints)
    name, blends = result
    place = onnxruntime.OrtValue.ortvalue_from_numpy(blends)
    binding.bind_cpu_input(SHARES, shares)
    binding.bind_ortvalue_input(ENDPOINTS, values)
    binding.bind_ortvalue_output(name, place)
    session.run_with_iobinding(binding)


def shapes_of(values: Iterable[Any]) -> Mapping[str, list[int | str | None]]:
    """The sizes of the inputs or outputs of a session by name. Raises ValueError unless all are float32."""
    found = {value.name: value for value in values}
    require(all(value.type == "tensor(float)" for value in found.values()))
    return {name: list(value.shape) for name, value in found.items()}


def open_as_it_is(model: bytes, threads: int | None) -> Any:
    """A session on the CPU of a graph that is not to be optimized: it has been, or is too small to gain."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.enable_mem_reuse = PLANS_REUSE
    if threads is not None:
        options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
