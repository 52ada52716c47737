"""A prepared model as a folder: written whole, and read only if all of it is there, as it was written, and fits.

It says itself of which model it is, whatever the folder is called. The stored endpoints are mapped, not read: processes
that run the same model share that memory. Nothing of ours changes a file once it is in its place; who shortens one by
hand while it is in use ends the processes that use it, as with every mapped file.
"""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx

from dni_runtime.files.cache_folder import why_not_ours
from dni_runtime.files.regular_file import open_file
from dni_runtime.weights.head import ENDPOINTS, FACTORS, OTHERS, SHARES

from .flat_weights import BLENDING, RESULT, Group, Prepared, Scaling, Slice, aligned

_PLAN = "plan.json"
_ARRAYS = ("endpoints", "fixed", "probe")
_GRAPHS = ("head", "body")
FILES = frozenset({_PLAN, *_ARRAYS, *_GRAPHS})

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Entry:
    """What is kept.

    key:    of which model, and for what machine and version, it is.
    probe:  what it made of a small image when it was made, to be compared when it is read.
    """

    key: str
    prepared: Prepared
    probe: FloatArray


def write_entry(entry: Entry, folder: Path) -> None:
    """Write into `folder`, which is empty and this user's alone. Raises OSError."""
    prepared = entry.prepared
    for name in _GRAPHS:
        (folder / name).write_bytes(getattr(prepared, name))
    for name, values in (("endpoints", prepared.endpoints), ("fixed", prepared.fixed), ("probe", entry.probe)):
        with (folder / name).open("wb") as opened:
            np.save(opened, values, allow_pickle=False)
    plan = {
        "key": entry.key,
        "total": prepared.total,
        "packed": prepared.packed,
        "slices": [asdict(s) for s in prepared.slices],
        "scalings": [asdict(s) for s in prepared.scalings],
        "groups": [asdict(group) for group in prepared.groups],
    }
    digests = {name: _digest(folder / name) for name in (*_GRAPHS, *_ARRAYS)}
    text = json.dumps(plan, sort_keys=True)
    digests[_PLAN] = hashlib.sha256(text.encode()).hexdigest()
    (folder / _PLAN).write_text(json.dumps({"plan": text, "sha256": digests}))
    for name in FILES:
        (folder / name).chmod(0o600)  # the umask may let a group write


def read_entry(folder: Path, key: str, model: onnx.ModelProto) -> Entry | None:
    """The entry in `folder`, None unless it is whole, this user's, that of `key`, and can run `model`."""
    try:
        if any(why_not_ours(path) for path in (folder, *(folder / name for name in FILES))):
            return None
        with open_file(folder / _PLAN) as file:
            stored = json.loads(file.read())
        found = {name: _digest(folder / name) for name in (*_GRAPHS, *_ARRAYS)}
        found[_PLAN] = hashlib.sha256(stored["plan"].encode()).hexdigest()
        plan = json.loads(stored["plan"])
        if found != stored["sha256"] or plan["key"] != key:
            return None
        arrays = {name: np.load(folder / name, mmap_mode="r", allow_pickle=False) for name in _ARRAYS}
        probe = np.array(arrays.pop("probe"))
        prepared = Prepared(
            head=(folder / "head").read_bytes(),
            body=(folder / "body").read_bytes(),
            **arrays,
            total=plan["total"],
            packed=plan["packed"],
            slices=tuple(Slice(**{**s, "shape": tuple(s["shape"])}) for s in plan["slices"]),
            scalings=tuple(Scaling(**s) for s in plan["scalings"]),
            groups=tuple(Group(**{**group, "shares": tuple(group["shares"])}) for group in plan["groups"]),
        )
        _check(prepared, model)
        return Entry(key, prepared, probe)
    except Exception:  # what it may hold instead knows no end
        return None


def _digest(path: Path) -> str:
    with open_file(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check(prepared: Prepared, model: onnx.ModelProto) -> None:
    """Raise ValueError unless every part lies where `prepare` puts it, and the graphs take and give these parts."""
    _require(type(prepared.total) is int and type(prepared.packed) is bool)
    for array in (prepared.endpoints, prepared.fixed):
        _require(array.dtype == np.float32 and array.ndim == 1 and bool(array.flags.c_contiguous))
    for group in prepared.groups:
        _require(_is_count(group.count) and bool(group.shares) and all(type(s) is int and s >= 0 for s in group.shares))
    _require(len(prepared.endpoints) == sum(len(group.shares) * group.count for group in prepared.groups))
    ends = {False: 0, True: 0}
    for part in prepared.slices:
        _require(type(part.name) is str and type(part.fixed) is bool and all(map(_is_count, part.shape)))
        _require(type(part.start) is int and part.start == ends[part.fixed])
        ends[part.fixed] += aligned(math.prod(part.shape))
    _require(ends == {False: prepared.total, True: len(prepared.fixed)})
    factors = 0
    for s in prepared.scalings:
        _require(all(map(_is_count, (s.count, s.outer, s.inner, s.repeats))) and type(s.divides) is bool)
        _require(all(type(start) is int and start >= 0 for start in (s.start, s.factor_start)))
        _require(s.count % (s.outer * s.inner * s.repeats) == 0 and s.start + s.count <= prepared.total)
        factors = max(factors, s.factor_start + s.outer * s.inner)
    _check_body(onnx.load_from_string(prepared.body).graph, prepared, model.graph)
    _check_head(onnx.load_from_string(prepared.head).graph, prepared, factors)


def _check_body(body: onnx.GraphProto, prepared: Prepared, graph: onnx.GraphProto) -> None:
    image = [value.name for value in graph.input if value.name != "alpha"]
    _require(image == [value.name for value in body.input][:1])
    weights, others = body.input[1:-3], body.input[-3:]
    _require({part.name: list(part.shape) for part in prepared.slices} == _shapes(weights))
    _require(len(prepared.slices) == len(weights) and [each.name for each in others] == [BLENDING, SHARES, ENDPOINTS])
    _require([value.name for value in body.output] == [RESULT])


def _check_head(head: onnx.GraphProto, prepared: Prepared, factors: int) -> None:
    shares, blended = [share for group in prepared.groups for share in group.shares], prepared.blended
    inputs, outputs = _shapes(head.input), _shapes(head.output)
    _require(inputs.keys() == {"alpha"})
    _require(outputs.get(SHARES) == ([1, max(shares) + 1] if shares else None))
    others, made = (outputs.get(name, [0]) for name in (OTHERS, FACTORS))
    _require(others == [prepared.total - blended] and len(made) == 1 and made[0] >= factors)


def _shapes(values: Any) -> Mapping[str, list[int]]:
    """The sizes of float32 tensors by name; 0 for each that may vary."""
    found = {value.name: value.type.tensor_type for value in values}
    _require(all(kind.elem_type == onnx.TensorProto.FLOAT for kind in found.values()))
    return {name: [dim.dim_value for dim in kind.shape.dim] for name, kind in found.items()}


def _is_count(value: object) -> bool:
    return type(value) is int and value > 0


def _require(condition: bool) -> None:
    if not condition:
        raise ValueError("the plan does not fit")
