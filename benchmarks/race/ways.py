"""The ways that take part: ours, and what people have for the same network."""

import os
import shutil
from dataclasses import dataclass
from typing import Any

import numpy as np
from contestants import CONTESTANTS, RaceFiles
from ncnn_judge import PADDING_PX
from pytorch import COMPILED, EAGER, PyTorch

from dni_deploy.bench import Approach, Lineup
from dni_deploy.bench.approaches.approach import FloatArray, Running, Strength
from dni_deploy.bench.approaches.lineup import BAKED, FASTEST, NAIVE, NCNN, OPENVINO, OURS
from dni_deploy.bench.approaches.ours import Runtime
from dni_deploy.bench.approaches.sessions import PlainSession
from dni_runtime.providers.choosing import why_not

BAKED_OPENVINO, OURS_OPENVINO = "baked file, OpenVINO", "dni-runtime, OpenVINO"
PUBLISHED_NCNN = "published ncnn file"
# What people may have instead of this project, at one strength: the best of them is who has to be beaten.
RIVALS = (BAKED, BAKED_OPENVINO, PUBLISHED_NCNN, EAGER, COMPILED)
# In every round; the others have a smaller share of the time.
CORE = (BAKED, OURS, FASTEST, NCNN, OURS_OPENVINO, BAKED_OPENVINO, PUBLISHED_NCNN)
# Winograd's transforms round more than sums do: of a published file, beside our float32 graph.
NCNN_TOLERANCE = 2e-4

COMPILER = os.environ.get("CXX") or "g++"


def ways(name: str, files: RaceFiles, lineup: Lineup, *, compiled: bool) -> list[Approach]:
    """All that can run the network here, the yardsticks first. compiled: with torch.compile, which takes a while."""
    baked, model = lineup.approach(BAKED), lineup.approach(OURS).files
    names = {approach.name for approach in lineup.approaches}
    found = [lineup.approach(each) for each in (BAKED, OURS, FASTEST, NCNN, NAIVE, OPENVINO) if each in names]
    if why_not("openvino") is None:
        found += [
            Runtime(name=OURS_OPENVINO, files=model, provider="openvino"),
            PlainSession(name=BAKED_OPENVINO, files=baked.files, strengths=baked.strengths, provider="openvino"),
        ]
    if files.ncnn is not None and why_not("ncnn") is None:
        pair = CONTESTANTS[name].published
        assert pair is not None
        padding = PADDING_PX[pair.family.name]
        # Endpoint A alone; speed does not depend on the numbers.
        found.append(Ncnn(name=PUBLISHED_NCNN, files=files.ncnn, strengths=((1.0,),), exact=False, padding=padding))
    in_pytorch = {"files": (files.a, files.b), "build": CONTESTANTS[name].build}
    found.append(PyTorch(name=EAGER, **in_pytorch))
    if compiled and shutil.which(COMPILER):
        found.append(PyTorch(name=COMPILED, compile=True, **in_pytorch))
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Ncnn(Approach):
    """A published .param and .bin as they are, in float32, with ncnn's own settings; the caller pads the image."""

    padding: int

    def open(self, threads: int | None) -> Running:
        return _Net(self, threads)


class _Net:
    note = ""

    def __init__(self, approach: Ncnn, threads: int | None) -> None:
        import ncnn

        self._mat, self._padding = ncnn.Mat, approach.padding
        self._net: Any = ncnn.Net()
        options = self._net.opt
        options.use_fp16_packed = options.use_fp16_storage = options.use_fp16_arithmetic = False
        options.use_bf16_storage = False
        if threads is not None:
            options.num_threads = threads
        param, binary = approach.files
        if self._net.load_param(str(param)) or self._net.load_model(str(binary)):
            raise ValueError(f"ncnn does not load {param.name}")
        self._input, self._output = self._net.input_names()[0], self._net.output_names()[-1]

    def __call__(self, x: FloatArray, alpha: Strength) -> FloatArray:
        around = self._padding
        padded = np.pad(x[0], ((0, 0), (around, around), (around, around)), mode="reflect")
        with self._net.create_extractor() as extractor:
            extractor.input(self._input, self._mat(np.ascontiguousarray(padded)))
            failed, found = extractor.extract(self._output)
            if failed:
                raise ValueError("ncnn does not run the file")
            result = np.array(found, np.float32)[None]
            del found  # ncnn ends the process where a result outlives its network
        return result

    def settle(self) -> None:
        """Nothing to wait for."""

    def close(self) -> None:
        self._net.clear()


def why_not_compiled() -> str:
    """What torch.compile lacks here, nothing where it takes part."""
    return "" if shutil.which(COMPILER) else f"torch.compile takes no part: it wants a C++ compiler ({COMPILER})"
