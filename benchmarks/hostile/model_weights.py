"""Models whose weights lie elsewhere: in files that are not theirs, that are no files, or that cannot be so long."""

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import networks
import onnx
from case import Case, Place
from onnx import TensorProto, helper

_LOCATIONS = (
    "../secret.txt", "../victim.txt", "../../secret.txt", "../../victim.txt", "../../../victim.txt",
    "../../../../victim.txt", "{root}/a/secret.txt", "/etc/passwd", "/etc/shadow", "/dev/zero", "/dev/stdin",
    "/proc/self/environ", "./a/../../secret.txt", "folder/../../secret.txt", "", ".", "..", "a\\..\\..\\secret.txt",
    "C:\\windows\\win.ini", "\\\\host\\share\\x", "http://127.0.0.1:9/x", "file:///etc/passwd", "x" * 300,
    "x/" * 2000 + "x", "a\x1b[2Jb", "a\nb", "~/x", "*model_data*", "$(touch executed)", "not there", "model.onnx",
)  # fmt: skip
# Made beside the model, under the name "made".
_MADE = ("link to a secret", "link to an absolute secret", "link to /etc/passwd", "link to /dev/zero", "link to itself",
         "folder with a link", "pipe", "a folder", "empty")  # fmt: skip
_FORMS = ("initializer", "constant of a node", "in a branch", "sparse", "in a function", "for training")
_LENGTHS = (("offset", "-1"), ("offset", str(2**63)), ("offset", str(2**64)), ("offset", "1e9"), ("offset", "9" * 5000),
            ("length", "-1"), ("length", str(2**62)), ("length", "0"), ("length", "x"), ("length", ""),
            ("checksum", "x" * 100_000), ("basepath", "../.."), ("location", "../secret.txt"))  # fmt: skip


def cases() -> Iterator[Case]:
    for number, location in enumerate(_LOCATIONS):
        for form in _FORMS if number < 10 else _FORMS[:2]:
            yield Case("model", "weights elsewhere", f"{ascii(location)[:80]}, {form}",
                       partial(elsewhere, location=location, form=form, made=""))  # fmt: skip
    for made in _MADE:
        for form in _FORMS[:3]:
            yield Case(
                "model",
                "weights elsewhere",
                f"{made}, {form}",
                partial(elsewhere, location="made/x" if made == "folder with a link" else "made", form=form, made=made),
            )
    for key, value in _LENGTHS:
        yield Case("model", "weights elsewhere", f"{key} {value[:40]}", partial(_lengths, key=key, value=value))


def elsewhere(place: Place, location: str, form: str, made: str) -> Path:
    _make(place, made)
    location = location.replace("{root}", str(place.root))
    model = networks.alpha_input()
    tensor = next(t for t in model.graph.initializer if t.name == "first.weight@A")
    if form == "initializer":
        _point(tensor, location)
    else:
        outside = TensorProto(name="outside", data_type=TensorProto.FLOAT, dims=tensor.dims)
        _point(outside, location)
        _attach(model, outside, form)
    return save(model, place)


def _attach(model: onnx.ModelProto, tensor: TensorProto, form: str) -> None:
    node = helper.make_node("Constant", [], ["outside"], value=tensor)
    if form == "constant of a node":
        model.graph.node.insert(0, node)
    elif form == "in a branch":
        branch = helper.make_graph([node], "branch", [], [helper.make_tensor_value_info("outside", 1, None)])
        model.graph.initializer.append(helper.make_tensor("yes", TensorProto.BOOL, [], [True]))
        model.graph.node.append(helper.make_node("If", ["yes"], ["unused"], then_branch=branch, else_branch=branch))
    elif form == "sparse":
        sparse = model.graph.sparse_initializer.add()
        sparse.values.CopyFrom(tensor)
        sparse.dims.extend(tensor.dims)
        sparse.indices.CopyFrom(helper.make_tensor("at", TensorProto.INT64, [1], [0]))
    elif form == "in a function":
        function = model.functions.add(name="f", domain="stranger")
        function.node.append(node)
        function.output.append("outside")
        model.opset_import.append(helper.make_opsetid("stranger", 1))
    else:
        model.training_info.add().initialization.initializer.append(tensor)


def _point(tensor: TensorProto, location: str) -> None:
    for field in ("raw_data", "float_data"):
        tensor.ClearField(field)
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location)


def _lengths(place: Place, key: str, value: str) -> Path:
    model = networks.alpha_input()
    tensor = next(t for t in model.graph.initializer if t.name == "first.weight@A")
    (place.inputs / "weights.bin").write_bytes(tensor.raw_data)
    _point(tensor, "weights.bin")
    tensor.external_data.add(key=key, value=value)
    return save(model, place)


def _make(place: Place, made: str) -> None:
    target = place.inputs / "made"
    links = {"link to a secret": "../secret.txt", "link to an absolute secret": str(place.root / "a" / "secret.txt"),
             "link to /etc/passwd": "/etc/passwd", "link to /dev/zero": "/dev/zero",
             "link to itself": "made"}  # fmt: skip
    if made in links:
        target.symlink_to(links[made])
    elif made == "pipe":
        os.mkfifo(target)
    elif made == "folder with a link":
        target.mkdir()
        (target / "x").symlink_to("../../secret.txt")
    elif made == "a folder":
        target.mkdir()
    elif made == "empty":
        target.touch()


def save(model: onnx.ModelProto, place: Place, name: str = "stranger.onnx") -> Path:
    target = place.inputs / name
    target.write_bytes(model.SerializeToString())
    return target
