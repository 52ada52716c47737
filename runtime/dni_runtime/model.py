"""A model at run time: an ONNX file, the provider it runs on, and alpha checked on every call."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import numpy as np
import numpy.typing as npt

from .alpha import Alpha, check_alpha, format_alpha
from .cuda.dlpack import copy_to_gpu, gpu_of, import_tensor, is_on_gpu, write
from .cuda.on_device import OnDevice, check_result
from .errors import AlphaError, DniError, InputError, ModelError
from .images.conversion import IntegerImage
from .images.enhance import DEVICE_UNTILED_LIMIT_PIXELS, UNTILED_LIMIT_PIXELS, enhance_images
from .metadata import LIMIT_SCALE, Metadata
from .onnx_files.explaining import explain, strip
from .onnx_files.reading import require_file
from .opening import Opened, open_model
from .runners import Runner
from .signature import Signature
from .weights.alpha_file import Key

FloatArray = npt.NDArray[np.float32]
T = TypeVar("T")

# Alpha travels as float32 and as decimal text; anything nearer than this means the same file.
_SAME_ALPHA = 1e-6


def load(
    path: str | os.PathLike[str],
    provider: str = "auto",
    *,
    threads: int | None = None,
    provider_options: Mapping[str, str] | None = None,
    alpha_policy: str = "auto",
    pin_cache_mib: int = 256,
) -> Model:
    """Load an ONNX file that dni-deploy wrote, or any other that takes one image.

    path:             the .onnx file; weights that it keeps elsewhere (external data, linked .safetensors) have to lie
                      in its folder or below. An .ort file (ONNX Runtime's own format) runs as it is: its weights are
                      blended with every call.
    provider:         "auto", "cpu", "cuda", "tensorrt" or "openvino"; auto takes cuda where it works, else cpu, and
                      `Model.provider_note` says why.
    threads:          threads for one operator on the CPU, 1 or more; None for ONNX Runtime's or OpenVINO's own choice.
    provider_options: ONNX Runtime's for cuda or tensorrt, OpenVINO's for openvino; see below. The CPU takes none.
    alpha_policy:     how alpha gets into the weights: "auto", "dynamic" or "pinned"; see below.
    pin_cache_mib:    memory for the weights of alphas that were used before, in MiB, 0 or more; those of the last
                      alpha are kept whatever it says.

    `alpha_policy`, of which `Model.alpha_note` says what came of it:

    auto:    full speed when alpha holds, nearly that when it moves; no call waits, and recently used weights are kept.
    dynamic: the same, but nothing runs in the background and only the last weights are kept.
    pinned:  a session for each alpha, and the first call with one waits for it; for work through a few alphas. It
             reads the file again for each, which therefore has to stay as it is (a ModelError else).

    `provider_options` that are worth a thought:

    device_id:                for cuda and tensorrt: which GPU, such as "1".
    use_tf32:                 for cuda: "1" computes float32 up to four times as fast, with errors of 1e-3.
    fuse_conv_bias:           for cuda: "1" makes float16 up to a third faster, but the first call with an image shape
                              compiles kernels (2 to 20 s).
    device:                   for openvino: "CPU", the default; "GPU", "NPU" and "AUTO" are unchecked.
    CACHE_DIR:                for openvino: a folder for what it compiled. This and the next are its own properties.
    INFERENCE_PRECISION_HINT: for openvino: "bf16" is faster on some processors, with errors of 1e-2; our default is
                              "f32".

    On the CPU the first load of an alpha-input model takes longer than those after it: what it finds out is
    kept on disk, in the platform's cache folder or that of the environment variable DNI_CACHE_DIR (empty: none). A
    folder in which others can write is not used, and `Model.alpha_note` says so.

    Raises ModelError if the file cannot be read, ProviderError if the provider cannot run here, InputError
    for other arguments that make no sense.
    """
    file = Path(path)
    require_file(file)
    if str(file) != str(file).encode(errors="replace").decode():
        raise ModelError(f"{file} has a name that is not UTF-8, which ONNX Runtime cannot open; rename it")
    try:
        with np.errstate(all="ignore"):  # whatever a stranger's weights make is compared with what the file computes
            opened = open_model(file, provider, threads, _as_text(provider_options), alpha_policy, pin_cache_mib)
    except DniError:
        raise
    except Exception as error:  # ONNX Runtime's errors have no common base but Exception
        raise explain(file, error) from error
    return Model(opened, file.name)


class Model:
    """A loaded model; made by `load`. Threads may share it; close it, or use it as a context manager.

    metadata:       what the file says about itself, a Metadata; the defaults where it says nothing.
    provider:       where it runs: "cpu", "cuda", "tensorrt" or "openvino".
    provider_note:  why there, one sentence.
    alpha_note:     how alpha gets into the weights, one sentence.
    """

    def __init__(self, opened: Opened, name: str) -> None:
        self.metadata = opened.metadata or Metadata()
        self._scale_unknown = opened.metadata is None
        self.provider = opened.provider
        self.provider_note = opened.provider_note
        self.alpha_note = opened.runner.note
        self._name = name
        self._signature: Signature = opened.signature
        self._device_id = opened.device_id
        self._runner: Runner | None = opened.runner

    def __call__(self, x: FloatArray, alpha: Alpha | None = None) -> FloatArray:
        """Run the network on a batch: `model(x, alpha)`.

        x:     float32 (N, C, H, W), channels in the order and values in the range that `metadata` names (RGB, 0..1);
               height and width at least `metadata.size_minimum` and multiples of `metadata.size_multiple`.
        alpha: the share of endpoint A, one for the whole batch, a number in `metadata.alpha_range`; K - 1 numbers for
               K endpoints. None for the model's default, and for a baked model.

        Returns float32 (N, C', sH, sW), not clipped.

        Raises InputError or AlphaError before anything runs, ModelError if the model fails or is closed.
        """
        self._signature.check_tensor(x, self.metadata)
        return self._run(x, self.check_alpha(alpha))

    def run_on_device(self, x: Any, alpha: Alpha | None = None) -> Any:
        """Run the network on a tensor of another library where it lies, without a copy through the host.

        x:     as for a call, but of any library that speaks DLPack (PyTorch, CuPy, JAX, NumPy) and of the dtype in
               `metadata`; on the GPU for a model there.
        alpha: as for a call.

        Returns an object that speaks DLPack too, on the same device: `torch.from_dlpack(model.run_on_device(x, 0.3))`.
        Raises as a call does.

        On the CPU nothing is copied, but by OpenVINO. On a GPU `x` may still be being computed, on the stream that is
        current for its library; the result is complete, and no later call writes to it.
        """
        values, value = self.check_alpha(alpha), self._import("x", x)
        self._signature.check_shape(tuple(value.shape()), self.metadata)
        runner = self._open_runner()
        if isinstance(runner, OnDevice):
            return self._guarded(lambda: runner.run_there(value, values))
        # The array itself: an OrtValue made of it would not keep its memory for whoever imports it.
        y = self._run_typed(value.numpy(), values)
        return copy_to_gpu(y, value) if is_on_gpu(value) else y

    def bind(self, x: Any, out: Any) -> Callable[..., None]:
        """A call for one image and one result that stay where they are: `call = model.bind(x, out)`, `call(alpha)`.

        x:   as for `run_on_device`.
        out: likewise, of the result's shape and the model's dtype, contiguous, on the same device, in other memory.

        `call` takes alpha as a call of the model does; it may change from call to call. It reads what is in `x` then,
        and has written `out` when it returns. On a GPU nothing is copied or allocated, so it costs what replaying a
        CUDA graph of a baked model does; it waits for all that other streams of the device still do.

        Raises InputError if the network makes another shape than `out` has or both share memory, and as a call does.
        """
        image, result = self._import("x", x), self._import("out", out)
        self._signature.check_shape(tuple(image.shape()), self.metadata)
        runner = self._open_runner()
        if isinstance(runner, OnDevice):
            run = self._guarded(lambda: runner.bind(image, result))
        else:

            def run(alpha: Key | None) -> None:
                y = self._run_typed(image.numpy(), alpha)
                check_result(result, y.shape)
                write(y, result)

        def call(alpha: Alpha | None = None) -> None:
            values = self.check_alpha(alpha)
            self._open_runner()
            self._guarded(lambda: run(values))

        return call

    def enhance(
        self,
        image: npt.NDArray[Any],
        alpha: Alpha | None = None,
        *,
        tile: int | None = None,
        overlap: int | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> npt.NDArray[Any]:
        """Run the network on one image of any size; pads, tiles and joins the tiles without visible seams.

        image:    uint8 or uint16, (H, W) or (H, W, 1) grey, (H, W, 3) RGB or (H, W, 4) RGB and opacity, values over
                  the whole range of the dtype.
        alpha:    as for a call.
        tile:     height and width of the tiles in input pixels; None tiles images of more than 1024 x 1024 pixels
                  (512 x 512 on a GPU, where every new size costs time) by 512, 0 never tiles. A model of fixed size
                  has tiles of that size.
        overlap:  input pixels on each inner side of a tile that are computed and thrown away; None takes the
                  network's reach, at most 64.
        progress: called with (tiles done, tiles in all).

        Returns the same dtype and channels, (sH, sW) or (sH, sW, C), sizes rounded up where s is a fraction; rounded to
        nearest, clipped.

        Grey on a network of 3 channels is copied to all three, and the mean of the three results taken (1/3
        each: it undoes the copying and averages errors); RGB on a network of 1 channel is three grey images.
        Opacity is kept at scale 1, else the network enlarges it as a grey image, unless it is constant.

        Beside the image and the result, memory is bounded by the tile, not by the image. Tiles are cut out and
        written while the network runs. On a GPU it converts and rounds images of the network's own channels itself;
        where tiles fade into each other they have been rounded already, so a value may differ by one from the CPU's.

        Raises InputError for an unfit image, tile or overlap, or a network without a scale; AlphaError and
        ModelError as for a call.
        """
        return self.enhance_batch([image], alpha, tile=tile, overlap=overlap, progress=progress)[0]

    def enhance_batch(
        self,
        images: Sequence[npt.NDArray[Any]],
        alpha: Alpha | None = None,
        *,
        tile: int | None = None,
        overlap: int | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> list[npt.NDArray[Any]]:
        """`enhance` for several images of equal height and width and one alpha, which run as one batch.

        Faster than one by one where the images are small or the network is; memory is that of all of them. Their
        channels and dtypes may differ. The results are in the order of `images`; all else is as for `enhance`.
        """
        values = self.check_alpha(alpha)
        if self._scale_unknown:
            self._learn_scale(values)
        on_device = isinstance(self._runner, OnDevice)
        return enhance_images(
            lambda x: self._run(x, values),
            images,
            self.metadata,
            self._signature.shape,
            tile=tile,
            overlap=overlap,
            progress=progress,
            run_integers=self._integers(images, values),
            untiled_limit_pixels=DEVICE_UNTILED_LIMIT_PIXELS if on_device else UNTILED_LIMIT_PIXELS,
        )

    def check_alpha(self, alpha: Alpha | None) -> tuple[float, ...] | None:
        """The alpha that a call with `alpha` uses: as given, the default, or the pinned one.

        None where the model has no alpha at all. Raises AlphaError as a call does.
        """
        metadata, shape = self.metadata, self._signature.alpha_shape
        if self._signature.alpha_name is None:
            return self._check_constant_alpha(alpha)
        if alpha is None:
            if metadata.alpha_default is None:
                low, high = metadata.alpha_range
                raise AlphaError(
                    f"{self._name} needs alpha, it has no default: pass alpha={low:g}..{high:g} (--alpha X)"
                )
            return metadata.alpha_default
        return check_alpha(alpha, metadata.alpha_range, shape[0] if shape else 1)

    def settle(self, timeout_s: float | None = None) -> bool:
        """Wait until the alpha of the last call runs at full speed; for benchmarks and tests.

        Returns False if that has not come about after `timeout_s` seconds (None: no limit), or cannot.
        """
        return self._open_runner().settle(timeout_s)

    def close(self) -> None:
        """Free the model's memory; using it afterwards is a ModelError. Calls that are running finish.

        Waits for work in the background, of which there is one pin's at most.
        """
        runner, self._runner = self._runner, None
        if runner is not None:
            runner.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        state = "closed" if self._runner is None else self.provider
        return f"<dni_runtime.Model {self._name} ({state})>"

    def _learn_scale(self, alpha: Key | None) -> None:
        """Run one small image through a model of another tool, whose file does not tell its scale."""
        batch, channels, height, width = (s or d for s, d in zip(self._signature.shape, (1, 3, 64, 64), strict=True))
        y = self._run(np.zeros((batch, channels, height, width), np.float32), alpha)
        scale = y.shape[2] / height
        if y.shape[3] == scale * width and 1 / LIMIT_SCALE <= scale <= LIMIT_SCALE:
            self.metadata = replace(self.metadata, scale=scale)
        self._scale_unknown = False

    def _check_constant_alpha(self, alpha: Alpha | None) -> tuple[float, ...] | None:
        pinned = self.metadata.alpha_pinned
        if alpha is None:
            return pinned
        if pinned is None:
            raise AlphaError(f"{self._name} has no alpha; call it without one")
        values = check_alpha(alpha, self.metadata.alpha_range, len(pinned))
        if any(abs(a - b) > _SAME_ALPHA for a, b in zip(values, pinned, strict=True)):
            raise AlphaError(
                f"alpha is {format_alpha(values)}, but {self._name} is baked for {format_alpha(pinned)}; "
                "for one file that takes any alpha, export with dni-export A B --alpha-input"
            )
        return pinned

    def _run(self, x: FloatArray, alpha: Key | None) -> FloatArray:
        with np.errstate(over="ignore"):  # float16 ends at 65504
            x = x.astype(self._signature.dtype, copy=False)
        y = self._run_typed(x, alpha)
        return y.astype(np.float32, copy=False)

    def _run_typed(self, x: npt.NDArray[Any], alpha: Key | None) -> npt.NDArray[Any]:
        runner, signature = self._open_runner(), self._signature
        y = self._guarded(lambda: runner.run(x, None if signature.alpha_name is None else alpha))
        signature.check_result(x.shape, y.shape)
        return y

    def _integers(
        self, images: Sequence[npt.NDArray[Any]], alpha: Key | None
    ) -> Callable[[IntegerImage], IntegerImage] | None:
        """What runs integer images where they are converted on the device, None where the host has to."""
        runner = self._open_runner()
        dtypes = {image.dtype for image in images if isinstance(image, np.ndarray)}
        if not isinstance(runner, OnDevice) or len(dtypes) != 1 or not runner.takes_integers(dtypes.pop()):
            return None
        return lambda images: self._guarded(lambda: runner.run_integers(images, alpha))

    def _import(self, name: str, x: Any) -> Any:
        """`x`, the argument `name`, as an OrtValue of the model's dtype."""
        try:
            value = import_tensor(x)
        except Exception as error:
            raise InputError(
                f"{name} is of type {type(x).__name__}; expected a DLPack tensor ({strip(error)})"
            ) from None
        self._signature.check_type(value.data_type(), name)
        if self.provider == "cuda" and not is_on_gpu(value):
            raise InputError(f"{name} lies on the CPU; expected a tensor on the model's GPU, or use model(x)")
        if self.provider == "cuda" and gpu_of(value) != self._device_id:
            raise InputError(f"{name} lies on GPU {gpu_of(value)}; expected one on the model's, {self._device_id}")
        return value

    def _open_runner(self) -> Runner:
        if self._runner is None:
            raise ModelError(f"{self._name} is closed; load it again")
        return self._runner

    def _guarded(self, run: Callable[[], T]) -> T:
        try:
            return run()
        except DniError:
            raise
        except Exception as error:  # as in load
            if self._runner is None:  # closed by another thread before the session was taken
                raise ModelError(f"{self._name} is closed; load it again") from None
            raise ModelError(f"{self._name} failed on {self.provider}: {strip(error)}") from error


def _as_text(options: Mapping[str, object] | None) -> dict[str, str]:
    """Provider options as ONNX Runtime takes them: it makes text of numbers, too."""
    return {str(name): str(value) for name, value in (options or {}).items()}
