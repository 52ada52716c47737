"""Where a model runs: `auto`, `cpu`, `cuda`, `tensorrt` or `openvino`, and never silently anywhere else."""

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from typing import Any, TypeVar

import onnxruntime

from dni_runtime.errors import InputError, ProviderError
from dni_runtime.files.cache_folder import cache_folder, why_no_cache
from dni_runtime.onnx_files.explaining import first_line
from dni_runtime.onnx_files.external_data import Weights

from .cuda_turns import in_turn
from .nvidia import CUDA_REMEDY, device_id, missing_device, missing_libraries, no_such_device
from .openvino_session import OpenVinoSession

T = TypeVar("T")

_CPU = ("CPUExecutionProvider", dict[str, str]())
_CUDA = (
    "CUDAExecutionProvider",
    {
        # With cuDNN 9 nothing is timed: HEURISTIC is its quick heuristics (mode A), EXHAUSTIVE, the default, its slow
        # ones (mode B), DEFAULT its fallback engines (onnxruntime/core/providers/cuda/nn/conv.cc).
        "cudnn_conv_algo_search": "HEURISTIC",
        # TF32 keeps 10 bits of the mantissa: errors of 1e-3, where the exporter promises 1e-5.
        "use_tf32": "0",
    },
)
# Without use_tf32 ONNX Runtime takes the tensor cores from float16 convolutions as well, whatever the type
# (conv.cc and conv_transpose.cc, deselect_numeric_notes(TENSOR_CORE); read there, not timed). Products of float16
# values lose nothing there.
_CUDA_HALF = {"use_tf32": "1"}
_TENSORRT = (
    "TensorrtExecutionProvider",
    # Building an engine takes minutes; engines and what was timed for them are kept. Unchecked: never run so far.
    {"trt_engine_cache_enable": "1", "trt_timing_cache_enable": "1"},
)
_TENSORRT_FOLDERS = ("trt_engine_cache_path", "trt_timing_cache_path")

# Provider name -> what ONNX Runtime is given, in order of preference; the first one has to come up.
_CHAINS: dict[str, list[tuple[str, dict[str, str]]]] = {
    "cpu": [_CPU],
    "cuda": [_CUDA, _CPU],
    "tensorrt": [_TENSORRT, _CUDA, _CPU],
}
_NO_TENSORRT = "the TensorRT libraries are missing or of another version; put them on the library path"
_AUTO = ("cuda", "cpu")
_ON_NVIDIA = ("cuda", "tensorrt")

OPENVINO = "openvino"
PROVIDERS = ("auto", *_CHAINS, OPENVINO)
"""The names that `load` takes."""


@dataclass(frozen=True, slots=True)
class OpenedSession:
    """A session, the provider it runs on (`auto` resolved), and one sentence on why that one."""

    session: Any
    provider: str
    note: str


@dataclass(frozen=True, slots=True)
class Place:
    """Where sessions of one model are made: provider (not `auto`), threads, options and half as for `open_session`."""

    provider: str
    threads: int | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    half: bool = False

    def open(self, source: str | bytes, weights: Weights | None = None) -> Any:
        """A session of `source`. Raises as `open_session` does."""
        return self.in_turn(
            lambda: (
                open_session(
                    source, self.provider, threads=self.threads, options=self.options, weights=weights, half=self.half
                ).session
            )
        )

    def in_turn(self, call: Callable[[], T]) -> T:
        """What `call` returns; on a GPU while nothing else of ours uses it."""
        return in_turn(call) if self.on_nvidia else call()

    @property
    def device_id(self) -> int:
        """Which of the machine's GPUs, from 0, as the driver counts them. Raises InputError as `open_session` does."""
        return device_id(self.options)

    @property
    def on_nvidia(self) -> bool:
        """Whether sessions run on an NVIDIA GPU."""
        return self.provider in _ON_NVIDIA

    @property
    def weight_copies(self) -> int:
        """How much memory a session takes for its weights, as a multiple of their size."""
        # Measured: OpenVINO keeps the constants, and has those of its kernels beside them (20 MB for 4.8, 216 for 67).
        return 3 if self.provider == OPENVINO else 1

    def with_cuda_graphs(self) -> "Place":
        """The same, with CUDA graphs on; then calls that name none, or -1, run without."""
        return replace(self, options={**self.options, "enable_cuda_graph": "1"})


def open_session(
    source: str | bytes,
    provider: str = "auto",
    *,
    threads: int | None = None,
    options: Mapping[str, str] | None = None,
    weights: Weights | None = None,
    half: bool = False,
) -> OpenedSession:
    """Create a session for a model file (path), or its bytes and the `weights` beside them, on `provider`.

    It is ONNX Runtime's own, or for openvino one with those of its methods that this package uses.

    `auto` takes the first of cuda and cpu that works. `threads` is the number of threads that one
    operator may use on the CPU; None leaves it to ONNX Runtime (one for each physical core). `options`
    are ONNX Runtime's own for the provider (cuda: `device_id`, `cudnn_conv_algo_search`, `use_tf32`,
    `enable_cuda_graph`, ...), or OpenVINO's properties and its "device", and go before the ones that we set.
    `half`: the model computes in float16; then a GPU's tensor cores are allowed, as they lose nothing there.

    Raises ProviderError where `provider` is unknown or cannot run here, or has no GPU of that `device_id`,
    InputError for `threads` < 1 and a `device_id` that is no number from 0, and whatever ONNX Runtime raises
    for a model that it cannot load.
    """
    check_threads(threads)
    device_id(options or {})
    if (place := resolve(provider)) is not None:
        name, note = place
        session = _create(source, name, threads, options or {}, weights, half)
        note += f", on {session.device}" if name == OPENVINO else ""
        note += f"; {reason}" if name == "tensorrt" and (reason := why_no_cache()) else ""
        return OpenedSession(session, name, note)
    reasons: list[str] = []
    for name in _AUTO[:-1]:
        try:
            session = _create(source, name, threads, options or {}, weights, half)
        except ProviderError as error:
            reasons.append(str(error))
        except Exception as error:  # ONNX Runtime's errors have no common base but Exception
            reasons.append(f"{name} could not load the model: {first_line(error)}")
        else:
            return OpenedSession(session, name, f"auto chose {name}, which works here")
    last = _AUTO[-1]
    session = _create(source, last, threads, options or {}, weights, half)
    return OpenedSession(session, last, f"auto chose {last}: {'; '.join(reasons)}")


def resolve(provider: str) -> tuple[str, str] | None:
    """The provider that `provider` stands for and one sentence why; None where only a try can tell.

    Raises ProviderError where `provider` is unknown.
    """
    if provider not in PROVIDERS:
        raise ProviderError(f"provider is {provider!r}; expected one of {', '.join(PROVIDERS)}")
    if provider != "auto":
        return provider, f"{provider} was asked for"
    reasons = [(name, why_not(name)) for name in _AUTO[:-1]]
    if all(reason for _, reason in reasons):
        missing = "; ".join(f"{name} is not available: {reason}" for name, reason in reasons)
        return _AUTO[-1], f"auto chose {_AUTO[-1]}: {missing}"
    return None


def check_threads(threads: int | None) -> None:
    """Raise InputError unless `threads` is a number of threads, or None."""
    if threads is not None and threads < 1:
        raise InputError(f"threads is {threads}; expected 1 or more, or None for ONNX Runtime's own choice")


def why_not(provider: str) -> str | None:
    """One sentence on what `provider` lacks on this machine, None where nothing is known to be missing."""
    if provider == "cpu":
        return None
    if provider == OPENVINO:
        return None if find_spec(OPENVINO) else 'it is not installed: pip install "dni-deploy[openvino]"'
    wanted = _CHAINS[provider][0][0]
    if wanted not in onnxruntime.get_available_providers():
        return (
            f"the installed onnxruntime {onnxruntime.__version__} has no {provider} build; "
            'pip uninstall onnxruntime, then pip install "dni-deploy[cuda]"'
        )
    return missing_device() or missing_libraries()


def _create(
    source: str | bytes,
    provider: str,
    threads: int | None,
    provider_options: Mapping[str, str],
    weights: Weights | None,
    half: bool,
) -> Any:
    if reason := why_not(provider) or (no_such_device(provider_options) if provider in _ON_NVIDIA else None):
        raise ProviderError(f"{provider} is not available: {reason}")
    if provider == OPENVINO:
        return OpenVinoSession(source, threads, provider_options, weights)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # an error is raised too, so that printing it as well helps nobody
    if threads is not None:
        options.intra_op_num_threads = threads
    if provider in _ON_NVIDIA:
        # So that a session can be asked which of its nodes really run on the GPU.
        options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    if weights is not None:
        folder = str(weights.folder)
        options.add_session_config_entry("session.model_external_initializers_file_folder_path", folder)
        if weights.values:
            options.add_external_initializers(list(weights.values), list(weights.values.values()))
        if weights.in_place:
            options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
            if provider == "cpu":
                # An operator would arrange a copy for itself while the session starts. On CUDA none does that this
                # is used with, and NhwcConv learns there in which layout its weight is.
                options.add_session_config_entry("session.disable_prepacking", "1")
        for name, value in weights.in_place.items():
            options.add_initializer(name, value)
        # What is stored in int8 is folded: a DequantizeLinear would be left for operators that compute in int8.
        options.add_session_config_entry("session.disable_quant_qdq", "1")
    chain = _chain(provider, provider_options, half)
    # Fallback would retry on the CPU after a failure and print about it. The stricter option
    # session.disable_cpu_ep_fallback is no help: it refuses every model whose shape computations ONNX
    # Runtime itself puts on the CPU (microsoft/onnxruntime#17930), so the session is asked instead.
    try:
        session = onnxruntime.InferenceSession(source, options, providers=chain, enable_fallback=0)
    except RuntimeError as error:
        if provider == "tensorrt" and "TensorRT" in str(error):
            raise ProviderError(f"tensorrt is not available: {_NO_TENSORRT}") from None
        raise
    wanted = chain[0][0]
    if wanted not in session.get_providers():
        detail = _NO_TENSORRT if provider == "tensorrt" else f"ONNX Runtime could not load it. {CUDA_REMEDY}"
        raise ProviderError(f"{provider} is not available: {detail}")
    return session


def _chain(provider: str, given: Mapping[str, str], half: bool) -> list[tuple[str, dict[str, str]]]:
    """What ONNX Runtime is given: its providers in order of preference, and the options of each."""
    chain = [(name, _with_folders(name, ours)) for name, ours in _CHAINS[provider]]
    for name, ours in chain:
        if name == _CUDA[0]:
            # What TensorRT leaves to CUDA has to run on the same GPU.
            ours |= {"device_id": given["device_id"]} if "device_id" in given else {}
            ours |= _CUDA_HALF if half else {}
    chain[0][1].update(given)
    return chain


def _with_folders(name: str, options: dict[str, str]) -> dict[str, str]:
    if name != _TENSORRT[0]:
        return dict(options)
    folder = cache_folder()
    if folder is None:  # without one TensorRT would take what lies in the current folder, whoever put it there
        return {**options, **dict.fromkeys(_TENSORRT[1], "0")}
    place = folder / "tensorrt"
    with contextlib.suppress(OSError):  # one that may only be read
        place.mkdir(exist_ok=True, mode=0o700)
    return {**options, **dict.fromkeys(_TENSORRT_FOLDERS, str(place))}
