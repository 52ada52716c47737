"""A model at run time: an ONNX file, the provider it runs on, and alpha checked on every call."""

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import onnxruntime

from .alpha import Alpha, check_alpha, format_alpha
from .alpha_file import Key
from .enhance import enhance_images
from .errors import AlphaError, DniError, InputError, ModelError
from .metadata import Metadata
from .on_device import OnDevice
from .opening import Opened, open_model
from .runners import Runner
from .signature import Signature

FloatArray = npt.NDArray[np.float32]

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
) -> "Model":
    """Load an ONNX file that dni-deploy wrote, or any other that takes one image.

    `path`: the .onnx file; weights that it keeps elsewhere (external data, linked .safetensors) have to
    lie in its folder or below. `provider`: auto, cpu, cuda or tensorrt; auto takes cuda where it works,
    else cpu, and `Model.provider_note` says why. `threads`: threads for one operator on the CPU, None for
    ONNX Runtime's own choice. `provider_options`: ONNX Runtime's for cuda or tensorrt, such as
    {"cudnn_conv_algo_search": "EXHAUSTIVE"} (slow to start, sometimes faster; HEURISTIC is our default) or
    {"use_tf32": "1"} (faster, with errors of 1e-3; off by default).

    `alpha_policy`: how alpha gets into the weights. auto: at full speed when alpha holds, at nearly that
    when it moves; no call waits, and recently used weights are kept. dynamic: the same, but nothing runs
    in the background and only the last weights are kept. pinned: a session for each alpha, and the first
    call with one waits for it; for work through a few alphas. It reads the file again for each, which therefore
    has to stay as it is (a ModelError else). `Model.alpha_note` says what came of it.
    `pin_cache_mib`: memory for the weights of alphas that were used before, in MiB; those of the last
    alpha are kept whatever it says.

    On the CPU the first load of an alpha-input model takes longer than those after it: what it finds out is
    kept on disk, in the platform's cache folder or that of the environment variable DNI_CACHE_DIR (empty: none).

    Raises ModelError if the file cannot be read, ProviderError if the provider cannot run here, InputError
    for other arguments that make no sense.
    """
    file = Path(path)
    if file.is_dir():
        raise ModelError(f"{file} is a folder; expected an .onnx file")
    if not file.is_file():
        raise ModelError(f"{file} does not exist; expected an .onnx file")
    if file.stat().st_size == 0:
        raise ModelError(f"{file} is empty; expected an .onnx file: copy or export it again")
    try:
        opened = open_model(file, provider, threads, provider_options or {}, alpha_policy, pin_cache_mib)
    except DniError:
        raise
    except Exception as error:  # ONNX Runtime's errors have no common base but Exception
        raise ModelError(_explain(file, error)) from error
    return Model(opened, file.name)


class Model:
    """A loaded model; made by `load`. Threads may share it; close it, or use it as a context manager.

    metadata:       what the file says about itself; the defaults where it says nothing.
    provider:       where it runs: cpu, cuda or tensorrt.
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
        self._runner: Runner | None = opened.runner

    def __call__(self, x: FloatArray, alpha: Alpha | None = None) -> FloatArray:
        """Run the network on a batch.

        `x`: float32 (N, C, H, W), channels in the order and values in the range that `metadata` names (RGB,
        0..1). `alpha`: the share of endpoint A, see `check_alpha`; None for the model's default, and for
        a baked model. Returns float32 (N, C', sH, sW), not clipped.

        Raises InputError or AlphaError before anything runs, ModelError if the model fails or is closed.
        """
        self._signature.check_tensor(x, self.metadata)
        return self._run(x, self.check_alpha(alpha))

    def run_on_device(self, x: Any, alpha: Alpha | None = None) -> Any:
        """Run the network on a tensor of another library where it lies, without a copy through the host.

        `x`: as for a call, but of any library that speaks DLPack (PyTorch, CuPy, JAX, NumPy) and of the dtype in
        `metadata`; on the GPU for a model there. Returns an object that speaks DLPack too, on the same device:
        `torch.from_dlpack(model.run_on_device(x, 0.3))`. Raises as a call does.

        On the CPU nothing is copied. Unchecked so far: CUDA.
        """
        values, signature = self.check_alpha(alpha), self._signature
        try:
            value = onnxruntime.OrtValue.from_dlpack(x)
        except Exception as error:
            raise InputError(f"x is of type {type(x).__name__}; expected a DLPack tensor ({_strip(error)})") from None
        signature.check_type(value.data_type())
        signature.check_shape(tuple(value.shape()), self.metadata)
        runner = self._runner
        if isinstance(runner, OnDevice) and values is not None:
            try:
                return runner.run_there(value, values)
            except Exception as error:  # as in load
                raise ModelError(f"{self._name} failed on {self.provider}: {_strip(error)}") from error
        return onnxruntime.OrtValue.ortvalue_from_numpy(self._run_typed(value.numpy(), values))

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

        `image`: uint8 or uint16, (H, W) or (H, W, 1) grey, (H, W, 3) RGB or (H, W, 4) RGB and opacity, values
        over the whole range of the dtype. Returns the same dtype and channels, (sH, sW) or (sH, sW, C), sizes
        rounded up where s is a fraction; rounded to nearest, clipped.

        Grey on a network of 3 channels is copied to all three, and the mean of the three results taken (1/3
        each: it undoes the copying and averages errors); RGB on a network of 1 channel is three grey images.
        Opacity is kept at scale 1, else the network enlarges it as a grey image, unless it is constant.

        `alpha`: as for a call. `tile`: height and width of the tiles in input pixels; None tiles images of
        more than 1024 x 1024 pixels by 512, 0 never tiles. `overlap`: input pixels on each inner side of a
        tile that are computed and thrown away; None takes the network's reach, at most 64. A model of fixed
        size has tiles of that size. `progress`: called with (tiles done, tiles in all).

        Beside the image and the result, memory is bounded by the tile, not by the image. Tiles are cut out and
        written while the network runs.

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
        return enhance_images(
            lambda x: self._run(x, values),
            images,
            self.metadata,
            self._signature.shape,
            tile=tile,
            overlap=overlap,
            progress=progress,
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

        False if that has not come about after `timeout_s` seconds (None: no limit), or cannot.
        """
        runner = self._runner
        if runner is None:
            raise ModelError(f"{self._name} is closed; load it again")
        return runner.settle(timeout_s)

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
        if y.shape[3] == scale * width:
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
        y = self._run_typed(x.astype(self._signature.dtype, copy=False), alpha)
        return y.astype(np.float32, copy=False)

    def _run_typed(self, x: npt.NDArray[Any], alpha: Key | None) -> npt.NDArray[Any]:
        runner, signature = self._runner, self._signature
        if runner is None:
            raise ModelError(f"{self._name} is closed; load it again")
        try:
            return runner.run(x, None if signature.alpha_name is None else alpha)
        except DniError:
            raise
        except Exception as error:  # as in load
            if self._runner is None:  # closed by another thread before the session was taken
                raise ModelError(f"{self._name} is closed; load it again") from None
            raise ModelError(f"{self._name} failed on {self.provider}: {_strip(error)}") from error


def _explain(file: Path, error: Exception) -> str:
    reason = _strip(error)
    if "external" in reason.lower():
        missing = re.search(r'does not exist: "([^"]+)"', reason)
        what = Path(missing[1]).name if missing else reason
        return f"{file} needs a weights file that is missing or damaged ({what}); put it beside the model"
    if "Protobuf parsing failed" in reason or "No graph was found" in reason:
        return f"{file} is not an ONNX file, or only a part of one: copy or export it again"
    return f"{file} cannot be loaded: {reason}"


def _strip(error: Exception) -> str:
    """ONNX Runtime's own words, as one line, without the code prefixes (and source lines) before them."""
    return " ".join(re.split(r"\[ONNXRuntimeError\] : \d+ : \w+ : ", str(error))[-1].split())
