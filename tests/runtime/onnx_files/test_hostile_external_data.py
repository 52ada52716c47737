"""Weights in other files: which ones is a stranger's to say, so it is judged in one place, for all who read them."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from commands import dni
from hostile_models import model, written
from onnx import TensorProto, helper, numpy_helper
from onnx_models import conv_stack, noise, save

from dni_deploy.bench import bench_model
from dni_deploy.bench.approaches.baked import write_baked
from dni_deploy.frames import model_digest
from dni_deploy.model_report import inspect_model
from dni_deploy.ship.model_file import read_model_file
from dni_exporters.graphs.bake import bake
from dni_runtime import ModelError, load
from dni_runtime.onnx_files.external_data import external_files, read_tensor
from dni_runtime.onnx_files.reading import read_model

READERS: dict[str, Callable[[Path], object]] = {
    "load": lambda path: load(path, "cpu"),
    "openvino": lambda path: load(path, "openvino"),
    "inspect": inspect_model,
    "bench": bench_model,
    "bench's baked file": lambda path: write_baked(path, (0.5,), path.with_name("baked.onnx")),
    "ship": read_model_file,
    "digest": model_digest,
    "bake": lambda path: bake(path, 0.5),
}
each_reader = pytest.mark.parametrize("read", READERS.values(), ids=READERS.keys())
X = noise(1, 3, 8, 8)
SHAPE = (8, 3, 3, 3)
SIZE = 4 * 8 * 3 * 3 * 3


def elsewhere(location: str | None, dims: tuple[int, ...] = SHAPE, **place: object) -> TensorProto:
    tensor = TensorProto(name="k", dims=dims, data_type=TensorProto.FLOAT, data_location=TensorProto.EXTERNAL)
    for key, value in {"location": location, **place}.items():
        if value is not None:
            tensor.external_data.add(key=key, value=str(value))
    return tensor


def alpha_input(tensor: TensorProto) -> onnx.ModelProto:
    """Of whose weights one is `tensor`."""
    proto = conv_stack()
    (first,) = (t for t in proto.graph.initializer if t.name == "first.weight.A")
    first.CopyFrom(tensor)
    first.name = "first.weight.A"
    return proto


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With a secret beside it, which is large enough for the weight, and things that are no files."""
    (tmp_path / "secret.bin").write_bytes(bytes(SIZE))
    folder = tmp_path / "here"
    (folder / "weights").mkdir(parents=True)
    (folder / "good.bin").write_bytes(np.full(SHAPE, 0.01, np.float32).tobytes())
    os.mkfifo(folder / "pipe")
    for name, target in {"device": "/dev/zero", "loop": "loop", "out": "../secret.bin", "up": ".."}.items():
        (folder / name).symlink_to(target)
    return folder


PLACES = {
    "../secret.bin": "outside of its folder",
    "weights/../../secret.bin": "outside of its folder",
    "up/secret.bin": "outside of its folder",
    "out": "outside of its folder",
    "device": "outside of its folder",
    "/etc/passwd": "not relative to its folder",
    "C:\\secret.bin": "not relative to its folder",
    "\\\\server\\secret.bin": "not relative to its folder",
    "": "not relative to its folder",
    "loop": "no path",
    "x" * 300: "no path",
    "weights": "a folder",
    "pipe": "a named pipe",
}


@each_reader
@pytest.mark.parametrize("location", PLACES)
def test_what_is_no_file_of_its_folder_is_not_opened(read: Callable[[Path], object], location: str, folder: Path):
    path = written(alpha_input(elsewhere(location)), folder)
    with pytest.raises(ModelError) as caught:
        read(path)
    assert f"model.onnx keeps weights in {location!r}, which is {PLACES[location]}, and is not read" in str(
        caught.value
    )
    assert not (folder / "baked.onnx").exists()


def in_a_constant(tensor: TensorProto) -> onnx.ModelProto:
    return model(
        helper.make_node("Constant", [], ["k"], value=tensor), helper.make_node("Add", ["input", "k"], ["output"])
    )


def in_a_subgraph(tensor: TensorProto) -> onnx.ModelProto:
    result = helper.make_tensor_value_info("r", TensorProto.FLOAT, None)
    branch = helper.make_graph([helper.make_node("Identity", ["k"], ["r"])], "branch", [], [result], [tensor])
    condition = numpy_helper.from_array(np.array(True), "c")
    nodes = [
        helper.make_node("If", ["c"], ["q"], then_branch=branch, else_branch=branch),
        helper.make_node("Add", ["input", "q"], ["output"]),
    ]
    return model(*nodes, weights=(condition,))


def in_a_function(tensor: TensorProto) -> onnx.ModelProto:
    proto = model(helper.make_node("F", ["input"], ["output"], domain="d"))
    nodes = list(in_a_constant(tensor).graph.node)
    opsets = [helper.make_opsetid("", 18)]
    proto.functions.append(helper.make_function("d", "F", ["input"], ["output"], nodes, opsets))
    proto.opset_import.append(helper.make_opsetid("d", 1))
    return proto


def sparse(tensor: TensorProto) -> onnx.ModelProto:
    proto = model(helper.make_node("Add", ["input", "k"], ["output"]))
    weights = proto.graph.sparse_initializer.add(dims=[1, 3, 1, 1])
    weights.values.CopyFrom(tensor)
    weights.indices.CopyFrom(numpy_helper.from_array(np.array([0, 1, 2], np.int64)))
    return proto


@pytest.mark.parametrize("place", [in_a_constant, in_a_subgraph, in_a_function, sparse])
@pytest.mark.parametrize("name", ["load", "inspect", "ship", "digest"])
def test_wherever_in_the_model_it_is(place: Callable[[TensorProto], onnx.ModelProto], name: str, folder: Path):
    path = written(place(elsewhere("../secret.bin", (3,))), folder)
    with pytest.raises(ModelError, match=r"keeps weights in '\.\./secret\.bin', which is outside of its folder"):
        READERS[name](path)


@each_reader
@pytest.mark.parametrize(
    ("place", "reason"),
    [
        ({"offset": "-1"}, "tensor 'first.weight.A' has offset '-1', which is no number of bytes"),
        ({"offset": "x"}, "has offset 'x', which is no number of bytes"),
        ({"offset": "9" * 40}, "has offset '9999999999999999999999999999999999999999', which is no number"),
        ({"length": "-1"}, "has length '-1', which is no number of bytes"),
        ({"length": SIZE - 1}, f"has {SIZE - 1} bytes, where its shape and type need {SIZE}"),
        ({"offset": 1}, f"needs bytes 1 to {SIZE + 1} of the weights file 'good.bin', which has {SIZE}"),
        ({"offset": 2**62 // 10}, "of the weights file 'good.bin', which has 864"),
    ],
)
def test_places_that_are_not_in_the_file(
    read: Callable[[Path], object], place: dict[str, object], reason: str, folder: Path
):
    with pytest.raises(ModelError) as caught:
        read(written(alpha_input(elsewhere("good.bin", **place)), folder))
    assert reason in str(caught.value)


def test_values_inside_and_in_a_file_are_not_both_taken(folder: Path):
    """What is read here was the one, and what ONNX Runtime reads the other, from anywhere."""
    tensor = elsewhere("../secret.bin", (400,))
    tensor.raw_data = bytes(1600)
    for proto in (model(weights=(tensor,)), in_a_constant(tensor)):
        with pytest.raises(ModelError, match="has values inside the model, and others in a file"):
            load(written(proto, folder), "cpu")


def test_a_small_file_that_is_read_over_and_over(folder: Path):
    """Each reading takes memory of its own."""
    tensors = [elsewhere("good.bin") for _ in range(9)]
    for number, tensor in enumerate(tensors):
        tensor.name = f"k{number}"
    assert len(read_model(written(model(weights=(*tensors[:8],)), folder)).graph.initializer) == 8
    with pytest.raises(ModelError, match=r"reads the weights file 'good\.bin' more than 8 times over"):
        read_model(written(model(weights=(*tensors,)), folder))


# --- what is there, and what is not ---


@pytest.mark.parametrize("place", [{}, {"offset": 0, "length": SIZE}])
def test_a_good_file_gives_the_right_pixels(place: dict[str, object], folder: Path):
    inside = numpy_helper.from_array(np.full(SHAPE, 0.01, np.float32), "k")
    with load(save(alpha_input(inside), folder / "inside.onnx"), "cpu") as loaded:
        wanted = loaded(X, 0.3)
    path = written(alpha_input(elsewhere("good.bin", **place)), folder)
    for provider in ("cpu", "openvino"):
        with load(path, provider) as loaded:
            np.testing.assert_allclose(loaded(X, 0.3), wanted, atol=1e-6)
    baked = write_baked(path, (0.3,), folder / "baked.onnx")
    with load(baked, "cpu") as loaded:
        np.testing.assert_allclose(loaded(X), wanted, atol=1e-6)


def test_a_missing_file_is_told_by_inspect_and_an_error_elsewhere(folder: Path):
    path = written(alpha_input(elsewhere("weights/gone.bin")), folder)
    report = inspect_model(path)
    assert report.external_files == report.missing_files == ("weights/gone.bin",)
    assert "weights/gone.bin (missing)" in dni("inspect", path).assert_ok().out
    assert json.loads(dni("inspect", path, "--json").assert_ok().out)["missing_files"] == ["weights/gone.bin"]
    for name, read in READERS.items():
        if name != "inspect":
            with pytest.raises((ModelError, OSError), match=r"weights/gone\.bin|gone\.bin"):
                read(path)


def test_a_location_that_does_not_count_is_no_file_of_the_model(folder: Path):
    """`onnx.load` leaves them behind; what `data_location` says counts."""
    tensor = numpy_helper.from_array(np.full(SHAPE, 0.01, np.float32), "k")
    tensor.external_data.add(key="location", value="../secret.bin")
    path = written(alpha_input(tensor), folder)
    assert external_files(read_model(path), path).keys() <= {"model.onnx"}
    with load(path, "cpu") as loaded:
        assert loaded(X, 0.5).shape == X.shape


def test_the_length_of_a_tensor_is_read_and_not_the_file(folder: Path):
    with (folder / "large.bin").open("wb") as file:
        file.truncate(2**40)
    path = written(alpha_input(elsewhere("large.bin")), folder)
    (tensor,) = (t for t in read_model(path).graph.initializer if t.name == "first.weight.A")
    assert read_tensor(tensor, folder).shape == SHAPE


def test_that_a_link_leads_to_another_folder_is_said(folder: Path):
    (folder / "store").mkdir()
    real = save(conv_stack(), folder / "store" / "model.onnx", external=True)
    (folder / "linked.onnx").symlink_to(real)
    (folder / "model.onnx.data").write_bytes((folder / "store" / "model.onnx.data").read_bytes())
    with pytest.raises(ModelError) as caught:
        load(folder / "linked.onnx", "cpu")
    assert f"'model.onnx.data', which is outside of its folder (a link leads to {real.resolve().parent}), and" in str(
        caught.value
    )
