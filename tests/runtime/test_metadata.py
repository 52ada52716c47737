import json
from dataclasses import replace

import pytest
from onnx_models import METADATA, conv_stack

from dni_runtime import AlphaError, Metadata, ModelError, read_metadata, write_metadata
from dni_runtime.alpha import Knob
from dni_runtime.shares import Path

CURVE = replace(METADATA, endpoints=METADATA.endpoints + METADATA.endpoints[:1], alpha_path=Path((1.0, 0.0), (1,)))

KNOBS = (Knob("late", ("body.1?.*", "tail.*")), Knob("bias", ("*.bias",)))


@pytest.mark.parametrize(
    "metadata",
    [
        Metadata(),
        METADATA,
        replace(METADATA, alpha_default=(0.3,), scale=0.5, overlap=None, size_multiple=8),
        replace(METADATA, alpha_pinned=(0.25, 0.5), endpoints=METADATA.endpoints + METADATA.endpoints[:1]),
        replace(METADATA, alpha_range=(-1.0, 2.0), value_range=(-1.0, 1.0), color="L", scale=None),
        replace(METADATA, view="averages"),
        replace(METADATA, size_multiple=128, size_minimum=128, size_square=True),
        replace(METADATA, size_grid=8),
        replace(METADATA, verdict="blends: a colour shift of 0.2 (dE2000) at most at 0.5"),
        CURVE,
        replace(CURVE, alpha_range=(0.0, 4.0), alpha_path=Path((4.0, 0.0), (1,)), alpha_pinned=(2.5,)),
        replace(METADATA, alpha_knobs=KNOBS, alpha_default=(0.3, 0.8, 0.1)),
        replace(CURVE, alpha_knobs=KNOBS, alpha_pinned=(0.3, 0.8, 0.1)),
    ],
)
def test_json_round_trip(metadata):
    assert Metadata.from_json(metadata.to_json()) == metadata


def test_defaults_describe_a_silent_model():
    assert Metadata().alpha_count == 1
    assert Metadata().scale is None
    assert replace(METADATA, endpoints=METADATA.endpoints * 2).alpha_count == 3


def test_along_a_path_alpha_is_one_number_that_ends_where_the_path_does():
    assert CURVE.alpha_count == 1
    assert CURVE.check_alpha(0.3) == (0.3,)
    with pytest.raises(
        AlphaError, match=r"alpha 1.5 is out of range; expected .* 0..1: the path through the endpoints ends there$"
    ):
        CURVE.check_alpha(1.5)
    with pytest.raises(AlphaError, match=r"2 value\(s\); expected a finite number"):
        CURVE.check_alpha([0.2, 0.3])


def test_knobs_are_further_numbers_and_inputs():
    metadata = replace(METADATA, alpha_knobs=KNOBS)
    assert (metadata.alpha_count, metadata.knob_names) == (3, ("alpha", "late", "bias"))
    assert metadata.alpha_inputs == ("alpha", "alpha_late", "alpha_bias")
    assert metadata.check_alpha({"bias": 0.1, "late": 1, "alpha": 0.9}) == (0.9, 1.0, 0.1)
    assert replace(metadata, alpha_default=(0.3, 0.8, 0.1)).check_alpha({"late": 0}) == (0.3, 0.0, 0.1)
    with pytest.raises(AlphaError, match="or 3 of them, for alpha, late, bias"):
        metadata.check_alpha({"late": 0})
    assert (METADATA.alpha_inputs, METADATA.knob_names) == (("alpha",), ())


def test_pinned_replaces_the_default():
    pinned = replace(METADATA, alpha_default=(0.3,)).pinned(0.7)
    assert (pinned.alpha_pinned, pinned.alpha_default) == ((0.7,), None)


def test_a_file_without_a_verdict_or_a_path_says_nothing_of_one():
    raw = json.loads(METADATA.to_json())
    assert "verdict" not in raw
    assert {"path", "knobs"}.isdisjoint(raw["alpha"])
    assert Metadata.from_json(json.dumps(raw)).verdict is None


def test_other_format_is_refused():
    raw = json.loads(METADATA.to_json()) | {"format": 2}
    with pytest.raises(ModelError, match="has format 2, this version of dni-deploy reads format 1; update"):
        Metadata.from_json(json.dumps(raw))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "{}",
        '{"format": 1}',
        METADATA.to_json().replace('"multiple": 1', '"multiple": "x"'),
    ],
)
def test_damaged_metadata_is_a_model_error(text):
    with pytest.raises(ModelError, match=r"metadata .*cannot be read.*export the model again"):
        Metadata.from_json(text)


def test_write_then_read():
    model = conv_stack(metadata=None)
    assert read_metadata(model) is None
    write_metadata(model, METADATA)
    write_metadata(model, replace(METADATA, tool="second"))
    assert read_metadata(model) == replace(METADATA, tool="second")
    assert len(model.metadata_props) == 1
