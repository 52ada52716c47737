"""What a stranger's model says about itself: a sentence for everything that cannot be, wherever a file is read."""

import json
from pathlib import Path
from typing import Any

import onnx
import pytest
from commands import dni
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx_models import METADATA, baked, conv_stack, noise, save, save_ort

from dni_runtime import AlphaError, Metadata, ModelError, load
from dni_runtime.alpha import check_alpha

GOOD: dict[str, Any] = json.loads(METADATA.to_json())
WHOLE = "expected a whole number in 1..1024"
SCALE = "expected a number in 0.015625..64"
SPAN = "expected two numbers in -1e+06..1e+06, the second larger by 1e-06 or more"
ALPHA = "expected a finite number in 0..1"
ENDPOINT = GOOD["endpoints"][0]
KNOB = {"name": "late", "patterns": ["second.*"]}
CALIBRATION = {"kind": "noise", "levels": [5, 25], "alphas": [1, 0.5]}


def said(field: str, value: Any) -> str:
    """Good metadata as JSON, but for one field, which has `value` (a str is JSON already)."""
    *outer, name = field.split(".")
    text = json.dumps(value) if not isinstance(value, str) else value
    raw = json.loads(json.dumps(GOOD))
    inner = raw
    for part in outer:
        inner = inner[part]
    inner[name] = "@here@"
    return json.dumps(raw).replace('"@here@"', text)


# Each field, what it is, and the sentence.
WRONG: list[tuple[str, Any, str]] = [
    *(("scale", value, f"scale is {value}; {SCALE}") for value in (0, -1, 65, -0.5, 1e18)),
    ("scale", "NaN", f"scale is NaN; {SCALE}"),
    ("scale", "-Infinity", f"scale is -Infinity; {SCALE}"),
    ("scale", "1e999", f"scale is Infinity; {SCALE}"),
    ("scale", "1" + "0" * 400, f"scale is 1{'0' * 39}...; {SCALE}"),
    ("scale", "1" + "0" * 5000, f"scale is Infinity; {SCALE}"),
    ("scale", True, f"scale is true; {SCALE}"),
    ("scale", '"2"', f'scale is "2"; {SCALE}'),
    *((f"size.{name}", v, f"size.{name} is {v}; {WHOLE}") for name in ("multiple", "minimum") for v in (0, -8, 10**9)),
    ("size.multiple", 2.7, f"size.multiple is 2.7; {WHOLE}"),
    ("size.minimum", True, f"size.minimum is true; {WHOLE}"),
    ("size.minimum", None, f"size.minimum is null; {WHOLE}"),
    ("size", [1, 1], "size is [1, 1]; expected an object"),
    ("size.square", 1, "size.square is 1; expected true or false"),
    ("size.square", None, "size.square is null; expected true or false"),
    *(("size.grid", v, f"size.grid is {v}; {WHOLE}") for v in (0, -8, 10**9, 2.7)),
    ("size.grid", None, f"size.grid is null; {WHOLE}"),
    ("overlap", -1, "overlap is -1; expected a whole number in 0..1024"),
    ("overlap", 10**9, "overlap is 1000000000; expected a whole number in 0..1024"),
    ("view", '"far"', 'view is "far"; expected one of "near", "averages", "whole"'),
    ("view", None, 'view is null; expected one of "near", "averages", "whole"'),
    *(("range", value, f"range is {value}; {SPAN}") for value in ([1, 1], [1, 0], [0, 1e300], [0], [0, 1, 2])),
    ("range", [0, 1e-300], f"range is [0, 1e-300]; {SPAN}"),
    ("range", "[0, Infinity]", f"range is [0, Infinity]; {SPAN}"),
    ("range", [False, True], f"range is [false, true]; {SPAN}"),
    ("range", {"0": 1}, f"range is an object; {SPAN}"),
    ("alpha.range", [1, 0], f"alpha.range is [1, 0]; {SPAN}"),
    ("alpha.range", "[NaN, 1]", f"alpha.range is [NaN, 1]; {SPAN}"),
    ("alpha.range", "[0, 1e999]", f"alpha.range is [0, Infinity]; {SPAN}"),
    ("alpha.default", 1.5, f"alpha.default is 1.5; {ALPHA}"),
    ("alpha.default", "NaN", f"alpha.default is NaN; {ALPHA}"),
    ("alpha.default", [0.2, 0.3], f"alpha.default is [0.2, 0.3]; {ALPHA}"),
    ("alpha.default", [], f"alpha.default is []; {ALPHA}"),
    ("alpha.default", "[[[1]]]", "alpha.default is [[...]]; expected a number, a list of numbers, or null"),
    ("alpha.pinned", -3, f"alpha.pinned is -3; {ALPHA}"),
    ("alpha.pinned", "1" + "0" * 400, f"alpha.pinned is 1{'0' * 39}...; {ALPHA}"),
    ("alpha.pinned", '"0.5"', 'alpha.pinned is "0.5"; expected a number, a list of numbers, or null'),
    ("alpha.plane", 1, "alpha.plane is 1; expected true or false"),
    ("calibration", None, "calibration is null; expected an object"),
    ("calibration", CALIBRATION | {"kind": "blur"}, 'calibration.kind is "blur"; expected one of "noise", "jpeg"'),
    *(
        ("calibration", CALIBRATION | {"levels": levels}, "calibration.levels is")
        for levels in ([5], [25, 5], [5, 5], [-1, 5], [5, 256], [5, float("nan")], list(range(257)))
    ),
    *(
        ("calibration", CALIBRATION | {"alphas": alphas}, "calibration.alphas is")
        for alphas in ([1], [1, 0.5, 0], [1.5, 0], [float("nan"), 0], [True, 0], "ab", None)
    ),
    (
        "calibration",
        {"kind": "jpeg", "levels": [0, 50], "alphas": [0, 1]},
        "calibration.levels is [0, 50]; expected 2 to 256 numbers in 1..100",
    ),
    ("alpha", None, "alpha is null; expected an object"),
    ("alpha.knobs", None, "alpha.knobs is null; expected a list of objects, 31 at most"),
    ("alpha.knobs", [], "alpha.knobs has the names []; expected names of letters, digits and _ of ASCII"),
    ("alpha.knobs", [KNOB] * 2, 'alpha.knobs has the names ["late", "late"]; expected'),
    ("alpha.knobs", [KNOB, KNOB | {"name": "Late"}], 'alpha.knobs has the names ["late", "Late"]; expected'),
    *(
        ("alpha.knobs", [KNOB | {"name": name}], "alpha.knobs has the names [")
        for name in ("alpha", "Alpha", "", "a b", "a.b", "../x", "é", "x" * 65, "a\n")
    ),
    ("alpha.knobs", [KNOB | {"name": 1}], "alpha.knobs[0].name is 1; expected a text"),
    ("alpha.knobs", [KNOB | {"patterns": "x"}], 'alpha.knobs[0].patterns is "x"; expected a list of texts, 64 at most'),
    ("alpha.knobs", [KNOB | {"patterns": [1]}], "alpha.knobs[0].patterns is [1]; expected a list of texts"),
    ("alpha.knobs", [KNOB | {"patterns": ["x"] * 65}], "alpha.knobs[0].patterns is ["),
    ("alpha.knobs", [{"name": f"k{n}", "patterns": []} for n in range(32)], "alpha.knobs is a list of 32; expected"),
    ("alpha.path", None, "alpha.path is null; expected an object"),
    ("alpha.path", {"knots": [1, 0]}, "alpha.path.middles is missing; expected a list of numbers, 256 at most"),
    ("alpha.path", {"knots": "ab", "middles": [0]}, 'alpha.path.knots is "ab"; expected a list of numbers'),
    ("alpha.path", {"knots": [1, True], "middles": [0]}, "alpha.path.knots is [1, true]; expected a list of numbers"),
    ("alpha.path", {"knots": [0] * 257, "middles": [0]}, "alpha.path.knots is [0, 0, 0, 0, ...]; expected a list of"),
    ("alpha.path", {"knots": [1], "middles": []}, "alpha.path has 1 knots and 0 pieces; expected two knots or more"),
    ("alpha.path", {"knots": [1, 0], "middles": [-1]}, "alpha.path has pieces with [-1] middles; expected 0 to 2 each"),
    ("alpha.path", {"knots": [1, 0], "middles": [0.0]}, "alpha.path has pieces with [0.0] middles; expected 0 to 2"),
    ("alpha.path", {"knots": [1, 1], "middles": [0]}, "alpha.path has knots at [1, 1]; expected numbers that rise or"),
    ("alpha.path", '{"knots": [NaN, 1], "middles": [0]}', "alpha.path has knots at [NaN, 1]; expected numbers within"),
    ("alpha.path", {"knots": [1, 0], "middles": [1]}, "alpha.path goes through 3 endpoints; expected 2, all"),
    ("alpha.path", {"knots": [4, 0], "middles": [0]}, "alpha.range is [0.0, 1.0]; expected [0.0, 4.0], the ends of"),
    ("color", '"CMYK"', 'color is "CMYK"; expected one of "RGB", "L", ""'),
    ("color", ["RGB"], 'color is ["RGB"]; expected one of "RGB", "L", ""'),
    ("dtype", '"int4"', 'dtype is "int4"; expected one of "float32", "float16"'),
    ("architecture", 5, "architecture is 5; expected a text"),
    ("tool", None, "tool is null; expected a text"),
    ("verdict", None, "verdict is null; expected a text of at most 1000 characters"),
    ("verdict", ["blends"], 'verdict is ["blends"]; expected a text of at most 1000 characters'),
    ("verdict", f'"{"x" * 1001}"', f'verdict is "{"x" * 39}...; expected a text of at most 1000 characters'),
    ("opset", -1, "opset is -1; expected a whole number in 0..1000"),
    ("endpoints", [ENDPOINT] * 3000, "endpoints is a list of 3,000; expected a list of objects, 256 at most"),
    ("endpoints", ["a.pth"], 'endpoints is ["a.pth"]; expected a list of objects'),
    ("endpoints", [ENDPOINT, {"file": 1, "sha256": ""}], "endpoints[1].file is 1; expected a text"),
    ("endpoints", [{"file": "a.pth"}], "endpoints[0].sha256 is missing; expected a text"),
    ("format", True, "format is true; expected a whole number"),
    ("format", 1.0, "format is 1.0; expected a whole number"),
]
TEXTS: list[tuple[str, str]] = [
    ("[" * 100_000, "its lists and objects lie in each other too deep"),
    (said("more", "[" * 100_000 + "]" * 100_000), "its lists and objects lie in each other too deep"),
    (said("more", json.dumps("x" * 2**20)), "characters; expected at most 1,048,576"),
    (json.dumps(GOOD)[:-1] + ', "scale": 2}', 'it has the field "scale" twice; expected once'),
    ("", "it is no JSON: Expecting value"),
    ("NaN", "it is NaN; expected an object"),
]


def refusal(text: str) -> str:
    with pytest.raises(ModelError) as caught:
        Metadata.from_json(text)
    message = str(caught.value)
    assert message.startswith('the model\'s metadata ("dni") cannot be read: ')
    assert message.endswith("; export the model again")
    assert "\n" not in message and len(message) < 300
    return message


@pytest.mark.parametrize(("field", "value", "sentence"), WRONG, ids=lambda value: str(value)[:30])
def test_a_field_that_cannot_be(field: str, value: Any, sentence: str):
    assert f": {sentence}" in refusal(said(field, value))


@pytest.mark.parametrize(("text", "sentence"), TEXTS, ids=lambda text: text[:20])
def test_a_text_that_cannot_be(text: str, sentence: str):
    assert sentence in refusal(text)


@pytest.mark.parametrize("field", ["format", "scale", "size.multiple", "alpha.range", "range", "endpoints", "tool"])
def test_a_field_that_is_not_there(field: str):
    raw = json.loads(said(field, '"@gone@"'))
    *outer, name = field.split(".")
    del (raw[outer[0]] if outer else raw)[name]
    assert f"{field} is missing; expected " in refusal(json.dumps(raw))


def test_what_may_be_is_read():
    """The ends of what is allowed, a field of a later version, and a name of a file that is no UTF-8."""
    for field, value in (("scale", 64), ("scale", 1 / 64), ("scale", None), ("size.multiple", 1024), ("overlap", None)):
        metadata = Metadata.from_json(said(field, value))
        assert Metadata.from_json(metadata.to_json()) == metadata
    assert Metadata.from_json(said("later", [1, {"a": None}])) == METADATA
    (endpoint,) = Metadata.from_json(said("endpoints", [{"file": "x\udcff.pth", "sha256": ""}])).endpoints
    assert endpoint.file == "x\\udcff.pth"


# Wherever a file is read.

BAD = said("scale", 0)
SENTENCE = "scale is 0; expected a number in 0.015625..64; export the model again"


def hostile(proto: onnx.ModelProto, path: Path, *texts: str) -> Path:
    del proto.metadata_props[:]
    for text in texts:
        proto.metadata_props.add(key="dni", value=text)
    return save(proto, path)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One that is laid out, one that ONNX Runtime runs as it is, and one in its own format."""
    folder = tmp_path_factory.mktemp("files")
    fixed = hostile(baked(0.3), folder / "baked.onnx", BAD)
    return {
        "alpha": hostile(conv_stack(), folder / "alpha.onnx", BAD),
        "baked": fixed,
        "ort": save_ort(onnx.load(fixed), folder / "own.ort"),
    }


@pytest.mark.parametrize("name", ["alpha", "baked", "ort"])
def test_load_and_inspect_refuse_it(name: str, files: dict[str, Path]):
    with pytest.raises(ModelError) as caught:
        load(files[name])
    assert SENTENCE in str(caught.value)
    dni("inspect", files[name]).assert_error(SENTENCE)


@pytest.mark.parametrize("target", ["web", "triton"])
def test_ship_refuses_it_and_writes_nothing(target: str, files: dict[str, Path], tmp_path: Path):
    out = tmp_path / "out"
    dni("ship", target, files["alpha"], "-o", out).assert_error(SENTENCE)
    assert list(tmp_path.iterdir()) == []


def test_two_that_contradict_each_other(tmp_path: Path):
    path = hostile(conv_stack(), tmp_path / "two.onnx", METADATA.to_json(), said("scale", 2))
    with pytest.raises(ModelError, match='has 2 metadata entries "dni"; expected one: export the model again'):
        load(path)


STRANGE = [10**5000, -(10**400), float("nan"), 1e39, [[[0.5]]], "0.5", True, None, 0.5j]


@pytest.mark.parametrize("alpha", STRANGE, ids=range(len(STRANGE)))
def test_an_alpha_that_cannot_be(alpha: Any):
    with pytest.raises(AlphaError) as caught:
        check_alpha(alpha, (0.0, 1.0))
    assert "expected a finite number in 0..1" in str(caught.value)
    assert len(str(caught.value)) < 300


# Whatever is written there.

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from([0, 1, -1, 10**400, 1e308]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
FIELDS = ["format", "endpoints", "alpha", "alpha.range", "alpha.default", "alpha.pinned", "alpha.plane", "scale"]
FIELDS += ["size", "size.multiple", "size.minimum", "overlap", "color", "range", "dtype", "opset", "tool"]


@settings(max_examples=300)
@given(st.sampled_from(FIELDS), JSON)
def test_any_json_is_metadata_or_a_sentence(field: str, value: Any):
    try:
        metadata = Metadata.from_json(said(field, json.dumps(value)))
    except ModelError as error:
        assert "; " in str(error) and len(str(error)) < 400
        return
    low, high = metadata.value_range
    assert -1e6 <= low < high <= 1e6
    assert metadata.scale is None or 1 / 64 <= metadata.scale <= 64
    assert metadata.ratio is None or metadata.ratio > 0
    assert 1 <= metadata.size_multiple <= 1024 and 1 <= metadata.size_minimum <= 1024
    for alpha in filter(None, (metadata.alpha_default, metadata.alpha_pinned)):
        assert check_alpha(alpha, metadata.alpha_range, metadata.alpha_count) == alpha
    assert Metadata.from_json(metadata.to_json()) == metadata


@settings(max_examples=200)
@given(st.text(max_size=30) | JSON.map(json.dumps))
def test_any_text_is_a_sentence(text: str):
    refusal(text)


def test_a_good_file_still_runs(tmp_path: Path):
    """The check is no obstacle: the same model with its own metadata."""
    with load(save(conv_stack(), tmp_path / "good.onnx")) as model:
        assert model.metadata == METADATA
        assert model(noise(1, 3, 8, 8), 0.5).shape == (1, 3, 8, 8)
