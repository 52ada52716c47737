"""Blend the weights of a prepared model: one product of shares and stored endpoints, then what is scaled."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime

from dni_runtime.alpha import Key
from dni_runtime.providers.cpu_options import PLANS_REUSE
from dni_runtime.weights.names import BLENDS, ENDPOINTS, FACTORS, OTHERS, SHARES

from .flat_weights import Prepared, Scaling, require

FloatArray = npt.NDArray[np.float32]


class Blending:
    """Fills flat arrays of a prepared model for an alpha. Threads may share it.

    Raises ValueError where the head is not that of the other parts.
    """

    def __init__(self, prepared: Prepared) -> None:
        self._prepared = prepared
        self._head = open_as_it_is(prepared.head, 1)
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

    def fill(self, alpha: Key, flat: FloatArray) -> None:
        """Fill `flat`, float32 (total,), with a product on one thread.

        It is bound by memory, and waking threads costs more than they gain (measured: a second pool of threads that
        wait for work slows the network's by up to 2).
        """
        self.filling(flat, self._alone, self._alone.io_binding, BLENDS)(alpha)

    def filling(self, flat: FloatArray, session: Any, bind: Callable[[], Any], result: str) -> "Filling":
        """What fills `flat` again and again.

        session: has the product, as `result`. bind: makes a binding to all else that it takes.
        """
        return Filling(self._prepared, self._head, flat, [(session, bind(), result) for _ in self._prepared.groups])

    @cached_property
    def _alone(self) -> Any:
        from dni_runtime.weights.head import build_product

        return open_as_it_is(build_product().SerializeToString(), 1)


class Filling:
    """Fills one flat array, one call at a time.

    Everything is bound once: behind a network little of what Python and ONNX Runtime need is in the processor's
    caches any more, so that making the bindings anew took longer than blending 100,000 weights.
    """

    def __init__(self, prepared: Prepared, head: Any, flat: FloatArray, products: list[tuple[Any, Any, str]]) -> None:
        self._head, self._binding = head, head.io_binding()
        made = {each.name: np.empty(each.shape, np.float32) for each in head.get_outputs() if each.name != OTHERS}
        for name, array in made.items():
            self._binding.bind_ortvalue_output(name, _value(array))
        if prepared.total > prepared.blended:
            self._binding.bind_ortvalue_output(OTHERS, _value(flat[prepared.blended :]))
        self._products, end = [], 0
        for group, block, (session, binding, result) in zip(prepared.groups, prepared.blocks, products, strict=True):
            start, end = end, end + group.count
            binding.bind_ortvalue_output(result, _value(flat[start:end].reshape(1, -1)))
            self._products.append(_Product(session, binding, made[SHARES], group.shares, block))
        self._scaled = [_Scaled(s, flat, made[FACTORS]) for s in joined(prepared.scalings)]

    def __call__(self, alpha: Key) -> None:
        """Fill it for `alpha`."""
        self._binding.bind_cpu_input("alpha", np.array(alpha, np.float32))
        self._head.run_with_iobinding(self._binding)
        for product in self._products:
            product.compute()
        if self._scaled:
            # As ONNX Runtime, which divides by zero without a word. No decorator: with NumPy 1 threads would share it.
            with np.errstate(all="ignore"):
                for scaled in self._scaled:
                    scaled.compute()


class _Product:
    """Shares and endpoints of one group, bound to a session that multiplies them."""

    def __init__(
        self, session: Any, binding: Any, shares: FloatArray, columns: tuple[int, ...], block: FloatArray
    ) -> None:
        self._session, self._binding, self._block = session, binding, block
        self._all, self._columns = shares, list(columns)
        self._shares = np.empty((1, len(columns)), np.float32)
        self._rows = slice(0)

    def compute(self) -> None:
        """Multiply those of the endpoints that have a share: along a path a piece of them, at its ends one."""
        self._all.take(self._columns, axis=1, out=self._shares, mode="clip")
        having = np.flatnonzero(self._shares)
        rows = slice(int(having[0]), int(having[-1]) + 1) if len(having) else slice(0, 1)
        if rows != self._rows:
            # Of one row a slice of columns is contiguous.
            self._binding.bind_ortvalue_input(SHARES, _value(self._shares[:, rows]))
            self._binding.bind_ortvalue_input(ENDPOINTS, _value(self._block[rows]))
            self._rows = rows
        self._session.run_with_iobinding(self._binding)


class _Scaled:
    """Views of what is scaled and of its factors, and room for these as often as they are repeated."""

    def __init__(self, s: Scaling, flat: FloatArray, factors: FloatArray) -> None:
        self._part = flat[s.start : s.start + s.count].reshape(s.outer, -1, s.inner * s.repeats)
        self._factors = factors[s.factor_start : s.factor_start + s.outer * s.inner].reshape(s.outer, 1, s.inner)
        self._repeated = np.empty((s.outer, s.repeats, s.inner), np.float32)
        self._flat = self._repeated.reshape(s.outer, 1, -1)
        self._compute: Any = np.divide if s.divides else np.multiply

    def compute(self) -> None:
        self._repeated[:] = self._factors
        self._compute(self._part, self._flat, out=self._part)


def joined(scalings: Sequence[Scaling]) -> list[Scaling]:
    """The same as fewer: neighbours of one form are one, as those of a network's equal layers."""
    found: list[Scaling] = []
    for s in scalings:
        last = found[-1] if found else None
        if last is not None and _are_one(last, s):
            found[-1] = replace(last, count=last.count + s.count, outer=last.outer + s.outer)
        else:
            found.append(s)
    return found


def _are_one(a: Scaling, b: Scaling) -> bool:
    forms = [(s.count // s.outer, s.inner, s.repeats, s.divides) for s in (a, b)]
    neighbours = (b.start, b.factor_start) == (a.start + a.count, a.factor_start + a.outer * a.inner)
    return neighbours and forms[0] == forms[1]


def _value(array: FloatArray) -> Any:
    """ONNX Runtime's value in the memory of `array`, which it keeps."""
    return onnxruntime.OrtValue.ortvalue_from_numpy(array)


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
