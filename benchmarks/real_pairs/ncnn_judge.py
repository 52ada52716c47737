"""A second judge of the conversion: ncnn itself, running the published files."""

import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

TOLERANCE = 1e-4
"""Largest difference between outputs in 0..1: both compute in float32, in different orders."""
PADDING_PX = {
    "Real-CUGAN 2x": 18,
    "Real-CUGAN pro 2x": 18,
    "waifu2x cunet": 18,
    "waifu2x photo": 7,
    "waifu2x drawings": 7,
}
"""By family: with ncnn's files it is the caller who pads an image."""


def ncnn_output(param: str, binary: bytes, image: Floats, *, padding: int, pro: bool, multiple: int = 2) -> Floats:
    """What ncnn makes of an image (3, H, W); `pro` files want another range, too.

    It is larger than wanted by what H and W lack to a `multiple`, at the bottom and at the right.
    """
    import ncnn

    lacking = [-side % multiple for side in image.shape[1:]]
    padded = np.pad(image, ((0, 0), *((padding, padding + more) for more in lacking)), mode="reflect")
    if pro:
        padded = padded * np.float32(0.7) + np.float32(0.15)
    with tempfile.TemporaryDirectory() as temporary, ncnn.Net() as net:
        net.opt.use_fp16_packed = net.opt.use_fp16_storage = net.opt.use_fp16_arithmetic = False
        net.opt.use_bf16_storage = net.opt.use_winograd_convolution = net.opt.use_sgemm_convolution = False
        net.opt.num_threads = 1
        files = Path(temporary) / "net.param", Path(temporary) / "net.bin"
        files[0].write_text(param)
        files[1].write_bytes(binary)
        if net.load_param(str(files[0])) or net.load_model(str(files[1])):
            raise ValueError("ncnn does not load the file")
        with net.create_extractor() as extractor:
            extractor.input(net.input_names()[0], ncnn.Mat(np.ascontiguousarray(padded)))
            failed, result = extractor.extract(net.output_names()[-1])
            if failed:
                raise ValueError("ncnn does not run the file")
            output = np.array(result, np.float32)
            # ncnn ends the process where a result outlives its network.
            del result
    return (output - np.float32(0.15)) / np.float32(0.7) if pro else output
