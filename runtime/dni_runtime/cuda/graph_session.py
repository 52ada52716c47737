"""A session on buffers of its own on a device: an image shape that comes back is one launch of a CUDA graph."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
from onnx.helper import np_dtype_to_tensor_dtype

from dni_runtime.providers.sessions import Place

Tensor = npt.NDArray[Any]

# The graphs of a session share their memory, but each has an image and an output of its own.
GRAPH_LIMIT = 16
# Shapes that were seen once are remembered, until they are too many.
_SEEN_LIMIT = 4096
# A shape is captured no more after so many failures: one may be another library's doing.
_TRIES = 2


@dataclass(frozen=True, slots=True)
class _Captured:
    """The buffers of one image shape, and the options that name its CUDA graph."""

    image: Any
    outputs: list[Any]
    binding: Any
    options: Any


class GraphSession:
    """One session, run for one call at a time.

    `place`: cuda, or cpu for tests; `graphs`: whether the session has CUDA graphs on. `image`: the input's name,
    `outputs`: the outputs' names. `bind`: binds the other inputs of a binding, to memory that stays where it is.
    """

    def __init__(
        self,
        session: Any,
        place: Place,
        image: str,
        outputs: list[str],
        bind: Callable[[Any], None],
        *,
        graphs: bool,
    ) -> None:
        self._session = session
        self._device, self._device_id = place.provider, place.device_id
        self._image, self._bind_rest, self._graphs = image, bind, graphs
        self._outputs = outputs
        # By the image's shape: those of the outputs, and their ONNX element types.
        self._seen: dict[tuple[int, ...], list[tuple[tuple[int, ...], int]]] = {}
        self._captured: dict[tuple[int, ...], _Captured] = {}
        self._failures: Counter[tuple[int, ...]] = Counter()
        self._graph_count = 0

    def run(self, image: Any) -> list[Any]:
        """The outputs, as OrtValues on the device, for an array or for an OrtValue on the device.

        The next call may overwrite them. What is captured once and then fails is run once more without a graph.
        """
        shape = tuple(image.shape if isinstance(image, np.ndarray) else image.shape())
        # At the second sight: the first run of a shape makes plans, and a photograph's size may never come back.
        new = shape in self._seen and len(self._captured) < GRAPH_LIMIT and self._failures[shape] < _TRIES
        if shape not in self._captured and not new:
            return self._run_once(image)
        try:
            captured = self._captured.get(shape) or self._new(shape, image)
            captured.image.update_inplace(image)
            self._session.run_with_iobinding(captured.binding, captured.options)
        except Exception:  # as in run_again_without_graph; or there is no memory for buffers
            self._captured.pop(shape, None)
            self._failures[shape] += 1
            return self._run_once(image)
        self._captured[shape] = captured
        return captured.outputs

    def shapes_of(self, image: Any) -> list[tuple[int, ...]]:
        """The shapes of the outputs for an OrtValue."""
        shape = tuple(image.shape())
        if shape not in self._seen:
            self._run_once(image)
        return [output for output, _ in self._seen[shape]]

    def call(self, image: Any, outputs: list[Any]) -> Callable[[], None]:
        """A call that reads and writes these OrtValues where they lie, with a graph of its own."""
        binding = self._bind(image)
        for name, value in zip(self._outputs, outputs, strict=True):
            binding.bind_ortvalue_output(name, value)
        options = self._new_options()

        def run() -> None:
            # What another stream writes to the image, or still reads of the output, comes first.
            binding.synchronize_inputs()
            run_again_without_graph(self._session, binding, options)

        return run

    def nodes(self) -> dict[str, list[str]]:
        """The operators that each of ONNX Runtime's providers runs, where the session was asked to record them."""
        found: dict[str, list[str]] = {}
        for part in self._session.get_provider_graph_assignment_info():
            found.setdefault(part.ep_name, []).extend(node.op_type for node in part.get_nodes())
        return found

    def forget(self) -> None:
        """Free the buffers of all shapes."""
        self._captured.clear()
        self._seen.clear()
        self._failures.clear()

    def _run_once(self, image: Any) -> list[Any]:
        value = self._put(image) if isinstance(image, np.ndarray) else image
        binding = self._bind(value)
        if value is image:
            # ONNX Runtime's stream does not wait for that of whoever computes the caller's tensor.
            binding.synchronize_inputs()
        for name in self._outputs:
            binding.bind_output(name, self._device, self._device_id)
        self._session.run_with_iobinding(binding, run_options(-1 if self._graphs else None))
        outputs: list[Any] = binding.get_outputs()
        if len(self._seen) >= _SEEN_LIMIT:
            self._seen.clear()
        self._seen[tuple(value.shape())] = [(tuple(y.shape()), y.element_type()) for y in outputs]
        return outputs

    def _new(self, shape: tuple[int, ...], image: Any) -> _Captured:
        """Buffers and a binding; the graph itself is captured by the first run with them."""
        array = isinstance(image, np.ndarray)
        mine = self._empty(shape, np_dtype_to_tensor_dtype(image.dtype) if array else image.element_type())
        binding = self._bind(mine)
        outputs = []
        for name, (size, kind) in zip(self._outputs, self._seen[shape], strict=True):
            outputs.append(self._empty(size, kind))
            binding.bind_ortvalue_output(name, outputs[-1])
        return _Captured(mine, outputs, binding, self._new_options())

    def _new_options(self) -> Any:
        # A number is never used again: ONNX Runtime would replay what it captured for buffers that are gone.
        self._graph_count += 1
        return run_options(self._graph_count if self._graphs else None)

    def _bind(self, image: Any) -> Any:
        binding = self._session.io_binding()
        binding.bind_ortvalue_input(self._image, image)
        self._bind_rest(binding)
        return binding

    def _put(self, x: Tensor) -> Any:
        return onnxruntime.OrtValue.ortvalue_from_numpy(x, self._device, self._device_id)

    def _empty(self, shape: tuple[int, ...], kind: int) -> Any:
        return onnxruntime.OrtValue.ortvalue_from_shape_and_type(shape, kind, self._device, self._device_id)


def run_again_without_graph(session: Any, binding: Any, options: Any) -> None:
    """Run; once more without the graph that `options` name, if that fails.

    Another library's work on the device may break a capture: only ours takes turns.
    """
    try:
        session.run_with_iobinding(binding, options)
    except Exception:
        if options is None:
            raise
        session.run_with_iobinding(binding, run_options(-1))


def run_options(graph: int | None) -> Any:
    """Run options that name a CUDA graph; -1 runs without one in a session that has them."""
    if graph is None:
        return None
    options = onnxruntime.RunOptions()
    options.add_run_config_entry("gpu_graph_id", str(graph))
    return options
