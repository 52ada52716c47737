"""Write ncnn's files of a model for one alpha after the other: one conversion, of which every alpha has its weights.

A .param file is text, a layer a line; a .bin file holds the weights in the order of the layers. Before those of a
convolution there is a word that says how they are stored. Both are described in
https://github.com/Tencent/ncnn/wiki/param-and-model-file-structure
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dni_exporters.ncnn_form.learn import learn_form
from dni_exporters.outputs import companion
from dni_runtime import ExportError, Metadata
from dni_runtime.ncnn.layers import FormError, blobs, ends, read_layers
from dni_runtime.ncnn.weights import prepare_form, values_of
from dni_runtime.prepared.blending import Blending
from dni_runtime.sizes import Sizes
from dni_runtime.weights.alpha_file import read_onnx_file
from dni_runtime.weights.split import CannotPrepareError

IMAGE, RESULT = "data", "output"
"""What realesrgan-ncnn-vulkan and upscayl-ncnn call image and result (src/realesrgan.cpp of both)."""

_UNCLAMPED = "dni_unclamped"
# How weights are stored, as ncnn's modelbin.cpp reads it: float32, or float16 padded to words of four bytes.
_FLOAT32, _FLOAT16 = np.uint32(0), np.uint32(0x01306B47)
_LARGEST_FLOAT16 = 65504
_BETWEEN = (
    "a program of yours can have every strength between these: blend the .bin files of alpha 0 and 1 number by number "
    "(docs/how-to/ncnn.md)"
)
_NOT_BETWEEN = (
    "strengths between these are no blend of the .bin files of alpha 0 and 1 (BatchNorm is part of the weights, or "
    "they are stored as float16): write files for each"
)


class NcnnFiles:
    """Writes the files of an alpha-input ONNX model. Raises ExportError where the network cannot be converted.

    half: store the weights of convolutions, nearly all there are, as float16.
    """

    def __init__(self, source: Path, *, half: bool) -> None:
        file = read_onnx_file(source)
        assert file is not None  # the exporter writes no .ort file
        self._network_sizes = (file.metadata or Metadata()).sizes
        self._half = half
        try:
            self._form = learn_form(file.slim, self._network_sizes, remainders=False)
            self._prepared = prepare_form(file.slim, source.parent, self._form)
        except (FormError, CannotPrepareError) as error:
            raise ExportError(f"the network cannot be converted for ncnn: {error}; write an ONNX file") from None
        self._fill = Blending(self._prepared).fill if self._prepared.total else None  # endpoints may be equal
        self._graph = self._form.graphs[0, 0]
        self._layers = read_layers(self._graph)
        self._blobs = blobs(self._layers)

    @property
    def sizes(self) -> Sizes:
        """Of the images that the files are for."""
        sizes = self._network_sizes
        return Sizes(self._form.period, sizes.minimum, sizes.square)

    @property
    def between(self) -> str:
        """What the files of alpha 0 and 1 have to do with those between.

        Numbers that are stored for each endpoint are blended; those that are computed of such, as where BatchNorm is
        part of them, are not.
        """
        prepared = self._prepared
        are_stored = prepared.blended == prepared.total and not prepared.scalings and len(prepared.groups) <= 1
        return _BETWEEN if are_stored and not self._half else _NOT_BETWEEN

    @property
    def kinds(self) -> frozenset[str]:
        """The kinds of layers that a program needs for them."""
        return frozenset(layer.kind for layer in self._layers)

    def write(self, alpha: tuple[float, ...], path: Path) -> None:
        """Write `path`, a .param file, and its .bin file. Raises ExportError for weights that float16 does not hold."""
        flat = np.empty(self._prepared.total, np.float32)
        if self._fill is not None:
            self._fill(alpha, flat)
        with companion(path).open("wb") as file:
            for blob, values in zip(self._blobs, values_of(self._form, self._prepared, flat), strict=True):
                file.write(self._stored(values) if blob.flagged else values.tobytes())
        path.write_text(with_names(self._graph), encoding="ascii")

    def _stored(self, values: npt.NDArray[np.float32]) -> bytes:
        if not self._half:
            return _FLOAT32.tobytes() + values.tobytes()
        if not (np.abs(values) <= _LARGEST_FLOAT16).all():
            raise ExportError(
                f"a weight leaves the range of float16 ({_LARGEST_FLOAT16}); nothing was written. Use --dtype float32"
            )
        return _FLOAT16.tobytes() + values.astype(np.float16).tobytes() + bytes(2 * (values.size % 2))


def with_names(graph: str) -> str:
    """The text of a .param file, its image and its result called as programs look for them, the result 0 or more.

    What is negative is undefined once upscayl-ncnn and realesrgan-ncnn-vulkan have made it an unsigned integer
    (src/realesrgan_postproc.comp): white dots, on some devices.
    """
    magic, counts, *lines = graph.rstrip("\n").split("\n")
    layers, values = map(int, counts.split())
    names = dict(zip(ends(read_layers(graph)), (IMAGE, _UNCLAMPED), strict=True))
    lines = [_renamed(line.split(), names) for line in lines]
    lines.append(_renamed(["ReLU", "dni_not_negative", "1", "1", _UNCLAMPED, RESULT], {}))
    return "\n".join([magic, f"{layers + 1} {values + 1}", *lines, ""])


def _renamed(words: list[str], names: Mapping[str, str]) -> str:
    """A layer's line: kind, name, number of inputs and of outputs, names of both, parameters."""
    last = 4 + int(words[2]) + int(words[3])
    values = [names.get(word, word) for word in words[4:last]]
    return f"{words[0]:<24} {words[1]:<24} {words[2]} {words[3]} {' '.join([*values, *words[last:]])}"
