"""Models that say something nasty: in what they say about themselves, and in their names."""

import copy
import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import networks
from case import Case, Place
from model_weights import save
from onnx import helper

from dni_runtime.metadata import KEY

_VALUES = (0, -1, 1e18, -1e18, 2**63, 10**9, "NaN", "Infinity", "-Infinity", "9" * 400, "1e999", None, True, "text", [],
           {}, "DEEP", "LONG", "\ud800")  # fmt: skip
# As JSON that Python's writer would not write.
_RAW = {"NaN", "Infinity", "-Infinity", "9" * 400, "1e999"}
_FIELDS = (
    ("format",), ("endpoints",), ("endpoints", 0, "file"), ("alpha", "range"), ("alpha", "range", 1),
    ("alpha", "default"), ("alpha", "pinned"), ("alpha", "plane"), ("architecture",), ("scale",), ("size", "multiple"),
    ("size", "minimum"), ("overlap",), ("color",), ("range",), ("range", 1), ("dtype",), ("opset",),
)  # fmt: skip
_WHOLE = {
    "empty": "", "no object": "[]", "no JSON": "{", "null": "null", "100,000 deep": "[" * 100_000 + "]" * 100_000,
    "a number of a million digits": "9" * 1_000_000, "10 MB": '{"format": 1, "x": "' + "x" * 10_000_000 + '"}',
    "a byte order mark": "\ufeff{}", "twice the same key": '{"format": 1, "format": 2}',
}  # fmt: skip
_PAYLOADS = {
    "Python": '"); __import__("os").system("touch {executed}"); ("',
    "Python, single quotes": "'); __import__('os').system('touch {executed}'); ('",
    "a closed docstring": '"""\n__import__("os").system("touch {executed}")\n"""',
    "pbtxt": '" data_type: TYPE_FP32 dims: [1] } input { name: "x',
    "HTML": "</script><img src=x onerror=alert(1)>",
    "YAML": "x\n- !!python/object/apply:os.system ['touch {executed}']",
    "a shell": "$(touch {executed}) `touch {executed}` ; touch {executed}",
    "braces": "{0.__class__.__mro__} {alpha}",
    "a path": "../../victim.txt",
    "clears the screen": "\x1b[2J\x1b]0;owned\x07",
    "lines": "a\nError: b\r\nc",
    "right to left": "\u202egnp\u2066",
    "C1 controls": "\x9b2J\x90",
    "rich's markup": "[bold red]x[/bold red] [link=file:///etc/passwd]y[/link]",
    "100,000 letters": "x" * 100_000,
    "nothing": "",
}
_NAMED = ("image", "alpha", "output")


def cases() -> Iterator[Case]:
    for field in _FIELDS:
        for number, value in enumerate(_VALUES):
            name = f"{'.'.join(map(str, field))} = {ascii(value)[:40]}"
            yield Case("model", "metadata", name, partial(_metadata, field=field, number=number))
    for what in _WHOLE:
        yield Case("model", "metadata", what, partial(_whole, what=what))
    for what in _PAYLOADS:
        for named in _NAMED:
            yield Case("model", "names", f"{named}: {what}", partial(_named, named=named, what=what))
        for where in ("graph", "node", "weight", "domain", "operator", "producer", "metadata key", "architecture",
                      "endpoint", "dimension", "not UTF-8"):  # fmt: skip
            yield Case("model", "names", f"{where}: {what}", partial(_texts, where=where, what=what))
        if len(what) < 200:
            yield Case("model", "names", f"file: {what}", partial(_file_name, what=what))


def _text(place: Place, what: str) -> str:
    return _PAYLOADS[what].replace("{executed}", str(place.executed))


def _metadata(place: Place, field: tuple[str | int, ...], number: int) -> Path:
    model, value = networks.alpha_input(), _VALUES[number]
    held = json.loads(model.metadata_props[0].value)
    inner: Any = held
    for key in field[:-1]:
        inner = inner[key]
    inner[field[-1]] = "@@" if isinstance(value, str) else copy.deepcopy(value)
    text = json.dumps(held)
    if isinstance(value, str):
        made = value if value in _RAW else {"DEEP": "[" * 5000 + "]" * 5000, "LONG": json.dumps("x" * 1_000_000)}.get(
            value, json.dumps(value))  # fmt: skip
        text = text.replace('"@@"', made)
    model.metadata_props[0].value = text
    return save(model, place)


def _whole(place: Place, what: str) -> Path:
    model = networks.alpha_input()
    model.metadata_props[0].value = _WHOLE[what]
    return save(model, place)


def _named(place: Place, named: str, what: str) -> Path:
    return save(networks.alpha_input(**{named: _text(place, what)}), place)


def _texts(place: Place, where: str, what: str) -> Path:
    model, text = networks.alpha_input(), _text(place, what)
    if where == "graph":
        model.graph.name = model.graph.doc_string = model.doc_string = text
    elif where == "node":
        for node in model.graph.node:
            node.name = text
    elif where == "weight":
        for node in model.graph.node:
            node.input[:] = [text if name == "first.weight@A" else name for name in node.input]
        next(t for t in model.graph.initializer if t.name == "first.weight@A").name = text
    elif where == "domain":
        model.opset_import.append(helper.make_opsetid(text, 1))
    elif where == "operator":
        model.graph.node[-1].op_type = text
    elif where == "producer":
        model.producer_name = model.producer_version = model.domain = text
    elif where == "metadata key":
        model.metadata_props.add(key=text, value=text)
    elif where == "dimension":
        model.graph.input[0].type.tensor_type.shape.dim[2].dim_param = text
    elif where == "not UTF-8":
        data = model.SerializeToString().replace(b"first.weight", b"fir\xff\xfe.weig")
        (place.inputs / "stranger.onnx").write_bytes(data)
        return place.inputs / "stranger.onnx"
    else:
        held = json.loads(model.metadata_props[0].value)
        if where == "architecture":
            held["architecture"] = text
        else:
            held["endpoints"][0]["file"] = text
        next(p for p in model.metadata_props if p.key == KEY).value = json.dumps(held)
    return save(model, place)


def _file_name(place: Place, what: str) -> Path:
    name = _PAYLOADS[what].replace("/", "-").replace("{executed}", "executed")[:200]
    return save(networks.alpha_input(), place, f"{name}.onnx")
