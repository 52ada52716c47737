"""Layers that PyTorch wrote as ONNX in 2017, and what it computed then: they came with onnx, so nothing here made them.

Each file's weights become endpoint A, the same ones disturbed B. What the blend makes of them is judged by the outputs
that lie beside the file (alpha 1) and by the file with other weights in it, run plainly (alpha 0 and between).
"""

from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime
import pytest
import torch
from exporting import FloatArray, assert_close
from numpy.typing import NDArray
from onnx import numpy_helper, version_converter

from dni_exporters.graphs.blend import attach_blend
from dni_exporters.graphs.fold import fold_batch_norm, fold_constants
from dni_runtime import Endpoint, Metadata, load, pin
from dni_runtime.metadata import write_metadata

DATA = Path(onnx.__file__).parent / "backend" / "test" / "data"
FOLDERS = sorted(folder for kind in ("pytorch-converted", "pytorch-operator") for folder in (DATA / kind).iterdir())
# Of the operators in this set ONNX Runtime has all; of set 6, which the files are in, it lacks some.
OPSET = 18
# Whole numbers are never blended, and what has no weights has nothing to blend.
INTEGERS = "test_operator_non_float_params"
WITHOUT_WEIGHTS = 69


def read(folder: Path) -> onnx.ModelProto:
    return onnx.load(folder / "model.onnx")


def tensor(path: Path) -> NDArray[np.generic]:
    return numpy_helper.to_array(onnx.load_tensor(path))


WITH_WEIGHTS = [folder for folder in FOLDERS if read(folder).graph.initializer and folder.name != INTEGERS]


class Layer:
    """A file's graph as one from image to image, without its weights; what takes no image is told its own shape."""

    def __init__(self, folder: Path) -> None:
        self.weights = {each.name: numpy_helper.to_array(each) for each in read(folder).graph.initializer}
        given = tensor(folder / "test_data_set_0" / "input_0.pb")
        self.stored = tensor(folder / "test_data_set_0" / "output_0.pb").astype(np.float32)
        self.model = version_converter.convert_version(read(folder), OPSET)
        graph = self.model.graph
        for node in graph.node:
            # Until set 6 a slope belonged to a channel; since then it is broadcast from the last axis.
            if node.op_type == "PRelu" and (slope := self.weights[node.input[1]]).size > 1:
                self.weights[node.input[1]] = slope.reshape(-1, *[1] * (given.ndim - 2))
        (self.given,) = (value.name for value in graph.input if value.name not in self.weights)
        self.given_type = given.dtype
        is_image = given.ndim == self.stored.ndim == 4
        self.shape = given.shape if is_image else (1, 1, 1, given.size)
        self.image = given.reshape(self.shape).astype(np.float32)
        self._put_between_images(given.shape, self.stored.shape if is_image else (1, 1, 1, self.stored.size))
        self.stored = self.stored.reshape([value.dim_value for value in graph.output[0].type.tensor_type.shape.dim])

    def _put_between_images(self, inside: tuple[int, ...], result: tuple[int, ...]) -> None:
        graph, output = self.model.graph, self.model.graph.output[0].name
        kind = onnx.helper.np_dtype_to_tensor_dtype(np.dtype(self.given_type))
        graph.initializer.extend(
            numpy_helper.from_array(np.array(shape, np.int64), name)
            for name, shape in (("@inside", inside), ("@result", result))
        )
        before = [
            onnx.helper.make_node("Reshape", ["input", "@inside"], ["@shaped"]),
            onnx.helper.make_node("Cast", ["@shaped"], [self.given], to=kind),
        ]
        nodes = [*before, *graph.node, onnx.helper.make_node("Reshape", [output, "@result"], ["output"])]
        del graph.node[:], graph.value_info[:]
        graph.node.extend(nodes)
        del graph.input[:], graph.output[:]
        names = {"input": self.shape} | {name: weight.shape for name, weight in self.weights.items()}
        values = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, s) for name, s in names.items()]
        graph.input.extend(values)
        graph.output.append(onnx.helper.make_tensor_value_info("output", onnx.TensorProto.FLOAT, result))
        for each in [each for each in graph.initializer if each.name in self.weights]:
            graph.initializer.remove(each)
        self.model = onnx.shape_inference.infer_shapes(self.model, strict_mode=True)

    def run_with(self, weights: dict[str, FloatArray]) -> FloatArray:
        """What ONNX Runtime makes of the image with these weights: they are fed, and nothing of ours is in between."""
        session = onnxruntime.InferenceSession(self.model.SerializeToString(), providers=["CPUExecutionProvider"])
        return session.run(["output"], {"input": self.image, **weights})[0]

    def disturbed(self) -> dict[str, FloatArray]:
        """Half to one and a half times each weight: no variance becomes negative."""
        random = np.random.default_rng(0)
        return {name: w * random.uniform(0.5, 1.5, w.shape).astype(np.float32) for name, w in self.weights.items()}

    def blended_with(self, other: dict[str, FloatArray]) -> onnx.ModelProto:
        """As an export does it: the blend for the weights, BatchNorm folded, constants computed."""
        model = ir.from_proto(self.model)
        endpoints = [{k: torch.from_numpy(w.copy()) for k, w in each.items()} for each in (self.weights, other)]
        attach_blend(model, endpoints)
        fold_batch_norm(model)
        fold_constants(model)
        blended = ir.to_proto(model)
        write_metadata(blended, Metadata(endpoints=(Endpoint("A.pth", ""), Endpoint("B.pth", ""))))
        return blended


@pytest.mark.parametrize("folder", WITH_WEIGHTS, ids=lambda folder: folder.name.removeprefix("test_"))
def test_the_ends_are_what_pytorch_computed_and_the_file_with_other_weights(folder: Path, tmp_path: Path):
    layer, path = Layer(folder), tmp_path / "layer.onnx"
    other = layer.disturbed()
    wanted = {
        1.0: layer.stored,
        0.0: layer.run_with(other),
        0.3: layer.run_with({k: np.float32(0.3) * w + np.float32(0.7) * other[k] for k, w in layer.weights.items()}),
    }
    assert np.abs(wanted[1.0] - wanted[0.0]).max() > 1e-3  # else any alpha would do
    blended = layer.blended_with(other)
    onnx.save(blended, path)
    with load(path, "cpu", threads=1) as model:
        for alpha, output in wanted.items():
            assert_close(model(layer.image, alpha), output)
    for alpha, output in wanted.items():
        onnx.save(pin(blended, alpha), path)
        with load(path, "cpu", threads=1) as model:
            assert_close(model(layer.image), output)


def test_nothing_that_has_weights_is_left_out():
    without = [folder for folder in FOLDERS if not read(folder).graph.initializer]
    assert len(FOLDERS) == len(WITH_WEIGHTS) + len(without) + 1
    assert (len(WITH_WEIGHTS), len(without)) == (47, WITHOUT_WEIGHTS)
    types = {each.data_type for each in read(DATA / "pytorch-operator" / INTEGERS).graph.initializer}
    assert types == {onnx.TensorProto.INT64}
