"""Model files of strangers, each wrong in one way: one sentence that says so, from whoever reads it."""

import os
from collections.abc import Callable
from pathlib import Path

import onnx
import pytest
from hostile_models import model, written
from onnx import TensorProto, helper
from onnx_models import conv_stack

from dni_deploy.bench import bench_model
from dni_deploy.frames import model_digest
from dni_deploy.model_report import inspect_model
from dni_deploy.ship.model_file import read_model_file
from dni_runtime import ModelError, load
from dni_runtime.onnx_files.reading import read_model

READERS: dict[str, Callable[[Path], object]] = {
    "load": lambda path: load(path, "cpu"),
    "openvino": lambda path: load(path, "openvino"),
    "inspect": inspect_model,
    "bench": bench_model,
    "ship": read_model_file,
    "digest": model_digest,
}
each_reader = pytest.mark.parametrize("read", READERS.values(), ids=READERS.keys())


# --- what is no file ---


@each_reader
@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("pipe", "model.onnx is a named pipe; expected an .onnx file"),
        ("device", "model.onnx is a device; expected an .onnx file"),
        ("loop", "model.onnx is a link that leads back to itself; expected an .onnx file"),
        ("dangling", "model.onnx is a link to what does not exist; expected an .onnx file"),
        ("folder", "model.onnx is a folder; expected an .onnx file"),
        ("nothing", "model.onnx does not exist; expected an .onnx file"),
        ("empty", "model.onnx is empty; expected an .onnx file"),
    ],
)
def test_what_is_no_file_is_called_by_what_it_is(
    read: Callable[[Path], object], kind: str, message: str, tmp_path: Path
):
    path = tmp_path / "model.onnx"
    match kind:
        case "pipe":
            os.mkfifo(path)
        case "device":
            path.symlink_to("/dev/zero")
        case "loop":
            path.symlink_to("model.onnx")
        case "dangling":
            path.symlink_to("nowhere")
        case "folder":
            path.mkdir()
        case "empty":
            path.touch()
    with pytest.raises(ModelError, match=message):
        read(path)


# --- files made to be read for ever ---


def zeros(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(3 * 2**30)


def hole_in_a_graph(path: Path) -> None:
    with path.open("wb") as file:
        file.write(b"\x08\x09\x3a\xf8\xff\xff\xff\x07")
        file.truncate(2**31)


def one_large_field(path: Path) -> None:
    size = 600 * 2**20
    with path.open("wb") as file:
        file.write(b"\x08\x09\x1a" + bytes([size & 0x7F | 0x80, size >> 7 & 0x7F | 0x80, size >> 14 & 0x7F | 0x80]))
        file.write(bytes([size >> 21 & 0x7F | 0x80, size >> 28]))
        file.truncate(size + 8)


def small_fields(path: Path) -> None:
    path.write_bytes(b"\x08\x09" * 1_100_000)


def a_length_beyond_all(path: Path) -> None:
    path.write_bytes(b"\x3a" + b"\xff" * 8 + b"\x7f" + bytes(1000))


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (zeros, "no field at byte 0"),
        (hole_in_a_graph, "no field at byte 8"),
        (one_large_field, "beside weights that are stored as raw data it has more than 512 MiB, too many"),
        (small_fields, "more than 1000000 fields"),
        (a_length_beyond_all, "it ends inside a field at byte 0"),
    ],
)
def test_files_of_any_size_are_refused_at_once(make: Callable[[Path], None], reason: str, tmp_path: Path):
    make(tmp_path / "model.onnx")
    with pytest.raises(ModelError, match=f"only a part of one: copy or export it again \\({reason}\\)"):
        load(tmp_path / "model.onnx", "cpu")


def test_a_model_that_says_it_is_in_onnx_runtimes_format_is_not_given_to_it(tmp_path: Path):
    """ONNX Runtime goes by the suffix, and would read weights from where nobody has looked."""
    content = model().SerializeToString()
    path = written(b"\x12\x06xxORTM" + content, tmp_path)
    assert onnx.load(path).producer_name == "xxORTM"
    with pytest.raises(ModelError, match=r"is in ONNX Runtime's own format: call it model\.ort"):
        load(path, "cpu")


# --- names ---


@each_reader
@pytest.mark.parametrize("name", [b"input", b"alpha", b"first.weight.A", b"Conv", b"tests", b"dni"])
def test_names_that_are_not_utf_8(read: Callable[[Path], object], name: bytes, tmp_path: Path):
    content = conv_stack().SerializeToString().replace(name, b"\xc3\x28" + name[2:])
    with pytest.raises(ModelError, match=r"copy or export it again \(a name in it is not UTF-8\)"):
        read(written(content, tmp_path))


# --- tensors ---


def stored(**fields: object) -> TensorProto:
    return TensorProto(**{"name": "k", "data_type": TensorProto.FLOAT, "dims": [3], **fields})  # type: ignore[arg-type]


@each_reader
@pytest.mark.parametrize(
    ("tensor", "reason"),
    [
        (stored(dims=[2**40]), f"0 values, where its shape needs {2**40}"),
        (stored(dims=[2**62, 2**62], raw_data=b"abcd"), f"4 bytes, where its shape and type need {2**126}"),
        (stored(dims=[-1, 3], float_data=[1.0]), r"the shape \[-1, 3\]"),
        (stored(raw_data=bytes(11)), "11 bytes, where its shape and type need 12"),
        (stored(float_data=[1.0]), "1 values, where its shape needs 3"),
        (stored(int32_data=[1, 2, 3]), "0 values, where its shape needs 3"),
        (stored(data_type=99, raw_data=bytes(12)), "the element type 99, which this version of onnx does not know"),
        (stored(data_type=0, raw_data=bytes(12)), "the element type 0, which this version of onnx does not know"),
        (stored(data_type=TensorProto.INT4, raw_data=bytes(3)), "3 bytes, where its shape and type need 2"),
    ],
)
def test_tensors_without_the_values_that_they_claim(
    read: Callable[[Path], object], tensor: TensorProto, reason: str, tmp_path: Path
):
    add = helper.make_node("Add", ["input", "k"], ["output"])
    constant = helper.make_node("Constant", [], ["k"], value=tensor)
    for proto in (model(add, weights=(tensor,)), model(constant, add)):
        with pytest.raises(ModelError, match=rf"model\.onnx is damaged: its tensor 'k' has {reason}; export it again"):
            read(written(proto, tmp_path))


@pytest.mark.parametrize("kind", ["BFLOAT16", "FLOAT8E4M3FN", "INT4", "STRING", "COMPLEX64", "DOUBLE"])
def test_types_that_no_network_here_has_are_told(kind: str, tmp_path: Path):
    values = [b"a", b"b", b"c"] if kind == "STRING" else [1, 1, 1]
    tensor = helper.make_tensor("k", getattr(TensorProto, kind), [3], values)
    path = written(model(helper.make_node("Identity", ["input"], ["output"]), weights=(tensor,)), tmp_path)
    (weight,) = inspect_model(path).weights
    assert weight.dtype == {"DOUBLE": "float64"}.get(kind, kind.lower())
    assert onnx.numpy_helper.to_array(read_model(path).graph.initializer[0]).shape == (3,)
