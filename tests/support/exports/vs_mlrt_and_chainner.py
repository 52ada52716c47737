"""What two programs that feed one input do with an ONNX file, after their sources, in as few lines.

vs-mlrt (VapourSynth), vsort/vs_onnxruntime.cpp and common/onnx_utils.cpp: fixes the sizes of one tile in the graph,
infers shapes, asks for one float input and one output of four axes, and copies planes of any number of clips
into it, tile by tile.

chaiNNer, backend/src/nodes/impl: onnx/load.py and onnx/auto_split.py feed the session's first input by its name,
BGR turned into RGB, padded by reflection; upscale/convenient_upscale.py gives the network as many channels as it
takes, the fourth from the image's opacity.
"""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]


class VsMlrt:
    """`core.ort.Model(clips, path, overlap=..., tilesize=...)` on frames of tile_h x tile_w or larger."""

    def __init__(self, path: Path, tile_h: int, tile_w: int, overlap: int = 0) -> None:
        model = onnx.load(path)
        assert len(model.graph.input) == 1, "graph must has a single input"
        assert len(model.graph.output) == 1
        image, output = (value.type.tensor_type.shape.dim for value in (model.graph.input[0], model.graph.output[0]))
        assert len(image) == len(output) == 4, "input dimension must be 4"
        for dim, size in zip((image[0], image[2], image[3], output[0]), (1, tile_h, tile_w, 1), strict=True):
            dim.dim_value = size
        for dim in output[2:]:
            dim.ClearField("dim_value")
            dim.ClearField("dim_param")
        del model.graph.value_info[:]
        model = onnx.shape_inference.infer_shapes(model)
        self.session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
        for value in (self.session.get_inputs()[0], self.session.get_outputs()[0]):
            assert value.type in ("tensor(float)", "tensor(float16)"), "expects network IO with type fp32 or fp16"
            assert len(value.shape) == 4 and value.shape[0] == 1, "batch size of network must be 1"
            assert all(isinstance(size, int) for size in value.shape), value.shape
        assert self.session.get_outputs()[0].shape[1] in (1, 3), "output dimensions must be 1 or 3"
        self.tile, self.overlap = (tile_h, tile_w), overlap

    def frame(self, planes: FloatArray) -> FloatArray:
        """One frame, (planes, H, W) of all clips together."""
        (tile_h, tile_w), overlap = self.tile, self.overlap
        (given,), (made,) = self.session.get_inputs(), self.session.get_outputs()
        assert len(planes) == given.shape[1], f"expects {given.shape[1]} input planes"
        scale = made.shape[2] // tile_h
        _, height, width = planes.shape
        result = np.full((made.shape[1], scale * height, scale * width), np.nan, np.float32)
        for y in _starts(height, tile_h, overlap):
            for x in _starts(width, tile_w, overlap):
                tile = np.ascontiguousarray(planes[None, :, y : y + tile_h, x : x + tile_w])
                (out,) = self.session.run([made.name], {given.name: tile})
                top, left = (0 if start == 0 else overlap for start in (y, x))
                bottom = tile_h if y == height - tile_h else tile_h - overlap
                right = tile_w if x == width - tile_w else tile_w - overlap
                result[:, scale * (y + top) : scale * (y + bottom), scale * (x + left) : scale * (x + right)] = out[
                    0, :, scale * top : scale * bottom, scale * left : scale * right
                ]
        return result


def _starts(size: int, tile: int, overlap: int) -> list[int]:
    starts = [0]
    while starts[-1] + tile < size:
        starts.append(min(starts[-1] + tile - 2 * overlap, size - tile))
    return starts


class ChaiNNer:
    """The node Upscale Image, without tiles."""

    def __init__(self, path: Path) -> None:
        self.session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
        shape = self.session.get_inputs()[0].shape
        assert isinstance(shape[1], int) and shape[1] <= 4  # else it takes the axes for BHWC, or three channels
        self.channels = shape[1]

    def upscale(self, image: FloatArray, multiple: int = 16) -> FloatArray:
        """image (H, W, 3 or 4), BGR and opacity, 0..1; padded to `multiple`, which shape inference found to work."""
        height, width, given = image.shape
        if given < self.channels:
            image = np.dstack([image, np.ones((height, width), np.float32)])
        image = image[:, :, : self.channels]
        pad = ((0, -height % multiple), (0, -width % multiple), (0, 0))
        padded = _swap(np.pad(image, pad, "reflect"))
        batch = np.ascontiguousarray(padded.transpose(2, 0, 1)[None])
        (name,), (output,) = (
            [v.name for v in values] for values in (self.session.get_inputs(), self.session.get_outputs())
        )
        (out,) = self.session.run([output], {name: batch})
        scale = out.shape[2] // padded.shape[0]
        result: FloatArray = _swap(out[0].transpose(1, 2, 0))[: scale * height, : scale * width].clip(0, 1)
        return result


def _swap(image: FloatArray) -> FloatArray:
    """RGB to BGR and back; the fourth channel stays."""
    return np.dstack([image[:, :, 2::-1], image[:, :, 3:]]) if image.shape[2] >= 3 else image
