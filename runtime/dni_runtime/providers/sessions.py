"""Sessions of models, and the place where those of one model are made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar

import onnxruntime

from dni_runtime.errors import ProviderError
from dni_runtime.files.cache_folder import why_no_cache
from dni_runtime.onnx_files.explaining import first_line

from .chains import chain_of
from .choosing import AUTO, ON_NVIDIA, OPENVINO, require_available, resolve
from .cpu_options import PLANS_REUSE, check_threads
from .cuda_turns import in_turn
from .nvidia import CUDA_REMEDY, device_id

if TYPE_CHECKING:
    from dni_runtime.onnx_files.external_data import Weights

T = TypeVar("T")

_NO_TENSORRT = "the TensorRT libraries are missing or of another version; put them on the library path"


@dataclass(frozen=True, slots=True)
class Place:
    """Where the sessions of one model are made.

    provider: a name that `load` takes; `auto` for `open_session` alone.
    threads:  that one operator may use on the CPU; None leaves it to ONNX Runtime (one for each physical core).
    options:  ONNX Runtime's own for the provider (cuda: `device_id`, `cudnn_conv_algo_search`, `use_tf32`,
              `enable_cuda_graph`, ...), or OpenVINO's properties and its "device"; they go before the ones that we set.
    half:     the model computes in float16; then a GPU's tensor cores are allowed, as they lose nothing there.
    """

    provider: str
    threads: int | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    half: bool = False

    def open(self, source: str | bytes, weights: Weights | None = None) -> Any:
        """A session of `source`. Raises as `open_session` does."""
        return self.in_turn(lambda: open_session(source, self, weights).session)

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
        return self.provider in ON_NVIDIA

    @property
    def weight_copies(self) -> int:
        """How much memory a session takes for its weights, as a multiple of their size."""
        # Measured: OpenVINO keeps the constants, and has those of its kernels beside them (20 MB for 4.8, 216 for 67).
        return 3 if self.provider == OPENVINO else 1

    def exact(self) -> Place:
        """The same for products that are not the network's: without the TF32 that some networks have."""
        options = {name: value for name, value in self.options.items() if name != "use_tf32"}
        return replace(self, options=options, half=False)

    def with_cuda_graphs(self) -> Place:
        """The same, with CUDA graphs on; then calls that name none, or -1, run without."""
        return replace(self, options={**self.options, "enable_cuda_graph": "1"})


@dataclass(frozen=True, slots=True)
class OpenedSession:
    """A session, the provider it runs on (`auto` resolved), and one sentence on why that one."""

    session: Any
    provider: str
    note: str


def open_session(source: str | bytes, place: Place, weights: Weights | None = None) -> OpenedSession:
    """Create a session for a model file (path), or its bytes and the `weights` beside them, in `place`.

    It is ONNX Runtime's own, or for openvino one with those of its methods that this package uses. `auto` takes the
    first of cuda and cpu that works.

    Raises ProviderError where the provider is unknown or cannot run here, or has no GPU of that `device_id`,
    InputError for fewer threads than 1 and a `device_id` that is no number from 0, and whatever ONNX Runtime raises
    for a model that it cannot load.
    """
    check_threads(place.threads)
    device_id(place.options)
    if (choice := resolve(place.provider)) is not None:
        name, note = choice
        session = _create(source, replace(place, provider=name), weights)
        note += f", on {session.device}" if name == OPENVINO else ""
        note += f"; {reason}" if name == "tensorrt" and (reason := why_no_cache()) else ""
        return OpenedSession(session, name, note)
    reasons: list[str] = []
    for name in AUTO[:-1]:
        try:
            session = _create(source, replace(place, provider=name), weights)
        except ProviderError as error:
            reasons.append(str(error))
        except Exception as error:  # ONNX Runtime's errors have no common base but Exception
            reasons.append(f"{name} could not load the model: {first_line(error)}")
        else:
            return OpenedSession(session, name, f"auto chose {name}, which works here")
    last = AUTO[-1]
    session = _create(source, replace(place, provider=last), weights)
    return OpenedSession(session, last, f"auto chose {last}: {'; '.join(reasons)}")


def _create(source: str | bytes, place: Place, weights: Weights | None) -> Any:
    provider = place.provider
    require_available(provider, place.options)
    if provider == OPENVINO:
        from .openvino_session import OpenVinoSession

        return OpenVinoSession(source, place.threads, place.options, weights)
    options = _session_options(place)
    if weights is not None:
        _add_weights(options, weights, provider)
    providers = chain_of(provider, place.options, place.half)
    # Fallback would retry on the CPU after a failure and print about it. The stricter option
    # session.disable_cpu_ep_fallback is no help: it refuses every model whose shape computations ONNX
    # Runtime itself puts on the CPU (microsoft/onnxruntime#17930), so the session is asked instead.
    try:
        session = onnxruntime.InferenceSession(source, options, providers=providers, enable_fallback=0)
    except RuntimeError as error:
        if provider == "tensorrt" and "TensorRT" in str(error):
            raise ProviderError(f"tensorrt is not available: {_NO_TENSORRT}") from None
        raise
    wanted = providers[0][0]
    if wanted not in session.get_providers():
        detail = _NO_TENSORRT if provider == "tensorrt" else f"ONNX Runtime could not load it. {CUDA_REMEDY}"
        raise ProviderError(f"{provider} is not available: {detail}")
    return session


def _session_options(place: Place) -> Any:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # an error is raised too, so that printing it as well helps nobody
    if place.threads is not None:
        options.intra_op_num_threads = place.threads
    if place.provider == "cpu":
        options.enable_mem_reuse = PLANS_REUSE
    if place.on_nvidia:
        # So that a session can be asked which of its nodes really run on the GPU.
        options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    return options


def _add_weights(options: Any, weights: Weights, provider: str) -> None:
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
