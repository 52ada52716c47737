"""What runs behind a model, until it is closed; whatever fails meanwhile is a ModelError that names the model."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from .alpha import Key
from .errors import DniError, ModelError
from .images.conversion import Image, IntegerImage
from .onnx_files.explaining import strip
from .opening.opened import Opened
from .opening.runners import Runner

if TYPE_CHECKING:
    from .averages.passes import Averages
    from .cuda.on_device import OnDevice

FloatArray: TypeAlias = npt.NDArray[np.float32]
"""An array of NumPy's, float32."""
T = TypeVar("T")


class Running:
    """The runner of the model `name` on `provider`. Threads may share it. What it is given has been checked."""

    def __init__(self, opened: Opened, name: str) -> None:
        self._runner: Runner | None = opened.runner
        self._note = opened.runner.note
        self._open_averages = functools.cache(opened.open_averages)
        self._signature = opened.signature
        self._name, self._provider = name, opened.provider

    @property
    def note(self) -> str:
        """How alpha is applied, as the runner says it, or said it last."""
        if self._runner is not None:
            self._note = self._runner.note
        return self._note

    @property
    def closed(self) -> bool:
        return self._runner is None

    def require_open(self) -> Runner:
        """The runner. Raises ModelError where it is closed."""
        if self._runner is None:
            raise ModelError(f"{self._name} is closed; load it again")
        return self._runner

    def on_device(self) -> OnDevice | None:
        """The runner if it runs on a GPU, on tensors that lie there. Raises ModelError where it is closed."""
        runner = self.require_open()
        if self._provider != "cuda":
            return None
        from .cuda.on_device import OnDevice

        return runner if isinstance(runner, OnDevice) else None

    def guarded(self, run: Callable[[], T]) -> T:
        """What `run`, which uses the runner, returns. Raises DniError alone."""
        try:
            return run()
        except DniError:
            raise
        except Exception as error:  # ONNX Runtime's errors have no common base but Exception
            if self._runner is None:  # closed by another thread before the session was taken
                raise ModelError(f"{self._name} is closed; load it again") from None
            raise ModelError(f"{self._name} failed on {self._provider}: {strip(error)}") from error

    def run(self, x: FloatArray, alpha: Key | None) -> FloatArray:
        """The network's output as float32, whatever it computes in."""
        with np.errstate(over="ignore"):  # float16 ends at 65504
            x = x.astype(self._signature.dtype, copy=False)
        y = self.run_typed(x, alpha)
        return y.astype(np.float32, copy=False)

    def run_typed(self, x: npt.NDArray[Any], alpha: Key | None) -> npt.NDArray[Any]:
        """The network's output for an array of its own dtype."""
        runner, signature = self.require_open(), self._signature
        y = self.guarded(lambda: runner.run(x, None if signature.alpha_name is None else alpha))
        signature.check_result(x.shape, y.shape)
        return y

    def integers(self, images: Sequence[Image], alpha: Key | None) -> Callable[[IntegerImage], IntegerImage] | None:
        """What runs integer images where they are converted on the device, None where the host has to."""
        runner = self.on_device()
        dtypes = {image.dtype for image in images if isinstance(image, np.ndarray)}
        if runner is None or len(dtypes) != 1 or not runner.takes_integers(dtypes.pop()):
            return None
        return lambda images: self.guarded(lambda: runner.run_integers(images, alpha))

    def averages(self, alphas: Sequence[Key | None]) -> Averages | None:
        """The network at each alpha, with the averages over the image that it looks at; None where it cannot be."""

        def guarded(run: Callable[[], T]) -> T:
            self.require_open()  # as for a tile of any other network: a model that is closed opens nothing again
            return self.guarded(run)

        network = guarded(self._open_averages)
        if network is None:
            return None
        from .averages.passes import Averages

        return Averages(network, alphas, guarded)

    def close(self) -> None:
        """Free it. Calls that are running finish."""
        self._note = self.note
        runner, self._runner = self._runner, None
        if runner is not None:
            runner.close()
        if self._open_averages.cache_info().currsize and (network := self._open_averages()) is not None:
            network.close()
        self._open_averages.cache_clear()  # it holds weights
