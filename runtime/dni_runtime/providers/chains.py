"""What ONNX Runtime is given for each provider: its own providers in order of preference, and their options."""

import contextlib
from collections.abc import Mapping

from dni_runtime.files.cache_folder import cache_folder

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

CHAINS: dict[str, list[tuple[str, dict[str, str]]]] = {
    "cpu": [_CPU],
    "cuda": [_CUDA, _CPU],
    "tensorrt": [_TENSORRT, _CUDA, _CPU],
}
"""By our name of a provider; the first one has to come up. OpenVINO is no provider of ONNX Runtime's here."""


def chain_of(provider: str, given: Mapping[str, str], half: bool) -> list[tuple[str, dict[str, str]]]:
    """What a session on `provider` is made with.

    `given`: the user's options, which go before ours. `half`: the model computes in float16; then a GPU's tensor cores
    are allowed, as they lose nothing there.
    """
    chain = [(name, _with_folders(name, ours)) for name, ours in CHAINS[provider]]
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
