"""A model without its weights is the same model; a file that is none is refused, however it is broken."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnx.external_data_helper
import onnxruntime
import pytest
from onnx import TensorProto, helper
from onnx_models import baked, conv_stack, save, tinted, unet

from dni_runtime import ModelError
from dni_runtime.onnx_files.declared import Declared
from dni_runtime.onnx_files.slim import read_slim
from dni_runtime.weights.alpha_file import read_onnx_file

FEATURES = 24  # weights of more than the 1024 bytes that stay inline


def linked(path: Path) -> Path:
    """Half of the weights lie at offsets of another file in a folder below, as `--weights link` has it."""
    model, data = conv_stack(features=FEATURES), b"header of another format"
    (path.parent / "weights").mkdir()
    for tensor in model.graph.initializer:
        if tensor.name.endswith(".A"):
            raw = tensor.raw_data
            onnx.external_data_helper.set_external_data(tensor, "weights/a.bin", offset=len(data), length=len(raw))
            tensor.ClearField("raw_data")
            data += raw
    (path.parent / "weights" / "a.bin").write_bytes(data)
    return save(model, path)


def loaded_and_embedded(path: Path) -> Path:
    """onnx.load says of each tensor that it read from another file that it is not external: `data_location` 0."""
    save(conv_stack(features=FEATURES), path, external=True)
    model = onnx.load(path)
    assert any(tensor.HasField("data_location") for tensor in model.graph.initializer)
    path.with_name(f"{path.name}.data").unlink()
    return save(model, path)


def stale_location(path: Path) -> Path:
    """Raw data counts where `data_location` does not say that it is elsewhere, whatever else is there."""
    model = conv_stack(features=FEATURES)
    for tensor in model.graph.initializer:
        tensor.external_data.add(key="location", value="gone.bin")
        tensor.external_data.add(key="offset", value="77")
    return save(model, path)


def float_data(path: Path) -> Path:
    model = conv_stack(features=FEATURES)
    for tensor in model.graph.initializer:
        values = onnx.numpy_helper.to_array(tensor)
        tensor.CopyFrom(helper.make_tensor(tensor.name, TensorProto.FLOAT, values.shape, values.ravel()))
        assert tensor.float_data
    return save(model, path)


FILES: dict[str, Callable[[Path], Path]] = {
    "embedded": lambda path: save(conv_stack(features=FEATURES), path),
    "external": lambda path: save(conv_stack(features=FEATURES), path, external=True),
    "linked": linked,
    "loaded and embedded": loaded_and_embedded,
    "stale location": stale_location,
    "float data": float_data,
    "with a default": lambda path: save(conv_stack(features=FEATURES, alpha_default=0.3), path),
    "baked": lambda path: save(baked(0.3), path),
    "no alpha": lambda path: save(conv_stack(alpha=0.5, metadata=None), path),
    "unet": lambda path: save(unet(), path),
    "fixed size": lambda path: save(conv_stack(shape=(2, 16, 24)), path),
    "tinted": lambda path: save(tinted(), path),
}
each_file = pytest.mark.parametrize("make", FILES.values(), ids=FILES)


@each_file
def test_it_is_the_same_model(make: Callable[[Path], Path], tmp_path: Path):
    path = make(tmp_path / "model.onnx")
    slim, whole = read_slim(path), onnx.load(path)
    got, wanted = weights(slim, tmp_path), weights(whole, tmp_path)
    assert got.keys() == wanted.keys()
    for name, values in wanted.items():
        np.testing.assert_array_equal(got[name], values, strict=True)
    for model in (slim, whole):
        del model.graph.initializer[:]
    assert slim == whole


@pytest.mark.parametrize("name", ["embedded", "loaded and embedded", "stale location", "external", "linked"])
def test_large_weights_stay_in_the_file(name: str, tmp_path: Path):
    slim = read_slim(FILES[name](tmp_path / "model.onnx"))
    for tensor in slim.graph.initializer:
        large = onnx.numpy_helper.to_array(tensor, str(tmp_path)).nbytes > 1024
        assert len(tensor.raw_data) <= 1024
        assert not large or tensor.data_location == TensorProto.EXTERNAL
        keys = [entry.key for entry in tensor.external_data]
        assert len(keys) == len(set(keys)) or not large


@each_file
def test_declared_says_what_a_session_does(make: Callable[[Path], Path], tmp_path: Path):
    path = make(tmp_path / "model.onnx")
    declared = Declared(read_slim(path))
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    for kind in ("get_inputs", "get_overridable_initializers"):
        wanted = [(v.name, v.type, v.shape) for v in getattr(session, kind)()]
        assert [(v.name, v.type, v.shape) for v in getattr(declared, kind)()] == wanted
    # Of an output's shape a session knows what it inferred besides; nothing reads it.
    assert [(v.name, v.type) for v in declared.get_outputs()] == [(v.name, v.type) for v in session.get_outputs()]


def weights(model: onnx.ModelProto, folder: Path) -> dict[str, np.ndarray]:
    return {tensor.name: onnx.numpy_helper.to_array(tensor, str(folder)) for tensor in model.graph.initializer}


# --- broken files ---


def test_a_file_that_ends_early_is_refused_or_a_shorter_model(tmp_path: Path):
    whole = save(conv_stack(features=FEATURES), tmp_path / "whole.onnx").read_bytes()
    for part in range(50):
        assert_refused_or_read(tmp_path / "model.onnx", whole[: len(whole) * part // 50])
    assert_refused_or_read(tmp_path / "model.onnx", whole[:-1])


def test_flipped_bytes_are_refused_or_another_model(tmp_path: Path):
    whole = save(conv_stack(features=1), tmp_path / "whole.onnx").read_bytes()  # most of it is structure
    rng = np.random.default_rng(0)
    outcomes = set()
    for trial in range(600):
        damaged = bytearray(whole)
        for place in rng.choice(len(whole), 1 + trial % 4):
            damaged[place] ^= rng.integers(1, 256)
        outcomes.add(assert_refused_or_read(tmp_path / "model.onnx", bytes(damaged)))
    assert outcomes == {"refused", "read"}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"this is no model, whatever its name says\n",
        b"\x89PNG\r\n\x1a\n" + bytes(100),
        b"PK\x03\x04" + bytes(100),
        b"\x3a" + b"\xff" * 30,  # a graph whose length never ends
        b"\x3a\xff\xff\xff\xff\x0f" + bytes(10),  # one that is longer than the file
        b"\x3b\x3c",  # groups, which nobody writes any more
        b"\x38\x05",  # a graph that is a number
        b"\xff" * 1000,
    ],
)
def test_no_model_at_all(tmp_path: Path, content: bytes):
    assert assert_refused_or_read(tmp_path / "model.onnx", content) == "refused"
    with pytest.raises(ModelError, match=r"model\.onnx is (not an ONNX file, or only a part of one|empty)"):
        read_onnx_file(tmp_path / "model.onnx")


def test_what_cannot_be_read_is_an_os_error(tmp_path: Path):
    with pytest.raises(FileNotFoundError):
        read_slim(tmp_path / "model.onnx")
    with pytest.raises(OSError):
        read_slim(tmp_path)


def assert_refused_or_read(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    try:
        assert isinstance(read_slim(path), onnx.ModelProto)
    except ValueError:
        return "refused"
    return "read"
