"""A model as a filter of VapourSynth: `dni_runtime.vapoursynth.enhance(clip, "strength.onnx", alpha=0.4)`."""

from .filter import enhance

__all__ = ["enhance"]
