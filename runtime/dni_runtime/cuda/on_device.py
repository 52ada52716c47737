"""Run a model on a GPU: weights and images stay on the device, and an image shape that comes back is one launch.

Of an alpha-input model all weights lie in one buffer, which is blended in place when alpha changes (`DeviceWeights`).
The network reads them where they lie, so alpha may move under a captured CUDA graph, and while it holds nothing is
blended at all. Two ways, each the fastest for its type on an H100:

- as inputs of the graph that ONNX Runtime optimizes, channels first, for float32;
- channels-last, for float16 convolutions: NhwcConv takes constants alone, so the weights are initializers that
  ONNX Runtime uses in place.
"""

import logging
import threading
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime

from dni_runtime.alpha import Key
from dni_runtime.errors import InputError, ModelError
from dni_runtime.images.conversion import IntegerImage
from dni_runtime.metadata import Metadata
from dni_runtime.providers.sessions import Place
from dni_runtime.signature import Signature
from dni_runtime.weights.alpha_file import AlphaFile

from .device_plan.plan import plan_device, with_initializers
from .device_weights import DeviceWeights
from .dlpack import check_result
from .graph_session import GraphSession
from .integer_images import NAN_OUTPUT, with_integer_images

Tensor = npt.NDArray[Any]
T = TypeVar("T")

_log = logging.getLogger("dni_runtime")


class OnDevice:
    """A model whose weights stay on a device. Threads may share it; one runs at a time.

    `file`: an alpha-input model, or a baked one. `place`: cuda, or cpu for tests. `graphs`: whether to run captured
    CUDA graphs. `nhwc`: channels-last, of an alpha-input model. Raises CannotPrepareError where the model cannot be
    split, and what ONNX Runtime raises.
    """

    def __init__(
        self, file: AlphaFile, signature: Signature, place: Place, *, graphs: bool, nhwc: bool = False
    ) -> None:
        self._file, self._signature, self._place = file, signature, place
        self._graphs, self._nhwc = graphs, nhwc
        self._lock = threading.Lock()
        self._weights: DeviceWeights | None = None
        self._model = file.slim
        self._integers: dict[np.dtype[Any], GraphSession | None] = {}
        self.note = "the model has no alpha input"
        if file.takes_alpha:
            self.note = "weights stay on the device and are blended there when alpha changes"
            if nhwc:
                self.note += ", channels-last"
            plan = plan_device(file.slim, file.path.parent, nhwc=nhwc)
            self._model = with_initializers(plan, file.path.name) if nhwc else plan.body
            self._weights = self._turn(lambda: DeviceWeights(file, plan, signature, place, graphs=graphs))
        self._floats: GraphSession = self._turn(lambda: self._open(self._model, [signature.output_name]))

    def run(self, x: Tensor, alpha: Key | None) -> Tensor:
        """The network's output for a NumPy array, which goes to the device and back."""
        result: Tensor = self._turn(lambda: self._fetch(self._compute(self._floats, np.ascontiguousarray(x), alpha)[0]))
        return result

    def run_there(self, x: Any, alpha: Key | None) -> Any:
        """The output for an OrtValue on the device, as another one; nothing passes through the host."""
        return self._turn(lambda: self._copy(self._compute(self._floats, x, alpha)[0]))

    def bind(self, x: Any, out: Any) -> Callable[[Key | None], None]:
        """A call for OrtValues on the device, which reads `x` and writes `out` where they lie."""
        session = self._floats
        (shape,) = self._turn(lambda: session.shapes_of(x))
        check_result(out, shape)
        if x.data_ptr() < out.data_ptr() + out.tensor_size_in_bytes() and (
            out.data_ptr() < x.data_ptr() + x.tensor_size_in_bytes()
        ):
            raise InputError("x and out share memory; a network may still read x when it has begun to write out")
        call = self._turn(lambda: session.call(x, [out]))

        def run(alpha: Key | None) -> None:
            self._blend(alpha)
            call()

        return lambda alpha: self._turn(lambda: run(alpha))

    def takes_integers(self, dtype: np.dtype[Any]) -> bool:
        """Whether `run_integers` runs images of `dtype`; opens the session for them if there is none."""
        if dtype not in (np.uint8, np.uint16):
            return False
        with self._lock:
            if dtype not in self._integers:
                try:
                    self._integers[dtype] = self._place.in_turn(lambda: self._open_integers(dtype))
                except Exception as error:  # of a graph nobody thought of: then the host converts
                    _log.warning("%s images are converted on the host: %s", dtype, error)
                    self._integers[dtype] = None
            return self._integers[dtype] is not None

    def run_integers(self, images: IntegerImage, alpha: Key | None) -> IntegerImage:
        """The network for images (N, H, W, C) of a dtype that it takes, as the same (N, sH, sW, C'), rounded, clipped.

        Raises ModelError if the network's output holds NaN.
        """
        result: IntegerImage = self._turn(lambda: self._run_integers(np.ascontiguousarray(images), alpha))
        return result

    def forget(self) -> None:
        """Free the buffers of all image shapes."""
        with self._lock:
            for session in filter(None, (self._floats, *self._integers.values())):
                self._place.in_turn(session.forget)

    def settle(self, timeout_s: float | None) -> bool:
        """Nothing to wait for."""
        return True

    def close(self) -> None:
        """Free the device's memory, but for what bound calls use. Waits for a call that is running."""
        self._turn(self._release)

    def _release(self) -> None:
        # Sessions before the memory that they use.
        self._integers.clear()
        del self._floats
        del self._weights

    def _turn(self, call: Callable[[], T]) -> T:
        with self._lock:
            return self._place.in_turn(call)

    def _blend(self, alpha: Key | None) -> None:
        if self._weights is not None:
            assert alpha is not None
            self._weights.blend(alpha)

    def _compute(self, session: GraphSession, image: Any, alpha: Key | None) -> list[Any]:
        self._blend(alpha)
        return session.run(image)

    def _run_integers(self, images: IntegerImage, alpha: Key | None) -> IntegerImage:
        session = self._integers[images.dtype]
        assert session is not None
        result, nan_count = self._compute(session, images, alpha)
        if nan_count.numpy()[0]:
            raise ModelError("the network's output holds NaN; check the model's weights and the range of its input")
        return self._fetch(result)

    def _open_integers(self, dtype: np.dtype[Any]) -> GraphSession:
        names = (self._signature.input_name, self._signature.output_name)
        value_range = (self._file.metadata or Metadata()).value_range
        model = with_integer_images(self._model, *names, value_range, dtype.type)
        return self._open(model, [names[1], NAN_OUTPUT])

    def _open(self, model: onnx.ModelProto, outputs: list[str]) -> GraphSession:
        place = self._place.with_cuda_graphs() if self._graphs else self._place
        weights = self._weights
        in_place = weights.initializers() if weights is not None and self._nhwc else None
        session = self._file.open_part(model.SerializeToString(), place, in_place=in_place)
        bind = weights.bind if weights is not None and not self._nhwc else _bind_nothing
        return GraphSession(session, self._place, self._signature.input_name, outputs, bind, graphs=self._graphs)

    def _fetch(self, value: Any) -> Tensor:
        """The value on the host, in an array of its own."""
        values: Tensor = value.numpy()
        return np.array(values) if self._place.provider == "cpu" else values

    def _copy(self, value: Any) -> Any:
        """A copy on the device, which no later call writes to."""
        place = (self._place.provider, self._place.device_id)
        kind = _element_type(value)
        copy = onnxruntime.OrtValue.ortvalue_from_shape_and_type(value.shape(), kind, *place)
        copy.update_inplace(value)
        return copy


def _element_type(value: Any) -> int:
    kind: int = value.element_type()
    return kind


def _bind_nothing(binding: Any) -> None:
    """All weights are the session's own."""
