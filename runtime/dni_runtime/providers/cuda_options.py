"""Options of ONNX Runtime's CUDA provider that suit some models alone: they are refused where they would harm."""

from collections.abc import Mapping

import onnxruntime

from dni_runtime.errors import InputError

# With these ONNX Runtime rearranges the weights that are constants when a session starts (conv.cc, PrePack). Weights
# that are computed stay as they are, and are read as if they had been rearranged.
PREFER_NHWC, _FUSED_BIAS = "prefer_nhwc", "fuse_conv_bias"
# Before, operators that copy small arrays in a captured graph (Concat, Split) freed them too early, and a graph of
# another image shape wrote over them (microsoft/onnxruntime pull requests 32119 and 32121).
_SAFE_GRAPHS = (1, 31)


def file_options(given: Mapping[str, str], *, half: bool, constant_weights: bool, takes_alpha: bool) -> dict[str, str]:
    """The options for a session of the file as it is, made of those that the user gave.

    `half`: the model computes in float16: then constant weights are laid out channels-last, which is 1.35 to 1.55 times
    as fast there, and slower in float32 (measured on an H100). `constant_weights`: those of all convolutions are.
    `takes_alpha`: they are blended, and laid out by ourselves.

    Raises InputError for `prefer_nhwc` where weights are computed, and for `fuse_conv_bias` where convolutions are not
    channels-last: ONNX Runtime then clears the output on another stream (conv.cc).
    """
    options = dict(given)
    if not constant_weights and _is_on(options, PREFER_NHWC):
        raise InputError(
            f"provider_options have {PREFER_NHWC}, which rearranges the weights of baked files alone; leave it out: "
            "alpha-input models in float16 run channels-last by themselves"
        )
    if half and constant_weights:
        options.setdefault(PREFER_NHWC, "1")
    if _is_on(options, _FUSED_BIAS) and not (half if takes_alpha else _is_on(options, PREFER_NHWC)):
        raise InputError(
            f"provider_options have {_FUSED_BIAS}, which is for channels-last convolutions: of float16 models, or of "
            f"baked ones with {PREFER_NHWC}; leave it out"
        )
    return without_fused_bias(options) if takes_alpha else options


def _is_on(options: Mapping[str, str], name: str) -> bool:
    return options.get(name, "0").lower() in ("1", "true")


def without_fused_bias(options: Mapping[str, str]) -> dict[str, str]:
    """`options` for channels-first convolutions."""
    return {name: value for name, value in options.items() if name != _FUSED_BIAS}


def why_no_graphs() -> str | None:
    """One sentence on why CUDA graphs stay off with this ONNX Runtime, None where they may be on."""
    major, minor = (int(part) for part in onnxruntime.__version__.split(".")[:2])
    if (major, minor) >= _SAFE_GRAPHS:
        return None
    wanted = ".".join(map(str, _SAFE_GRAPHS))
    return f"CUDA graphs need onnxruntime {wanted} or later, this is {onnxruntime.__version__}"
