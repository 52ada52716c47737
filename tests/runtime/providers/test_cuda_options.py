"""Options of the CUDA provider: passed on where they suit the model, refused where they would give wrong results."""

import onnxruntime
import pytest

from dni_runtime import InputError
from dni_runtime.providers.cuda_options import file_options, why_no_graphs, without_fused_bias


@pytest.mark.parametrize(
    ("half", "takes_alpha", "given", "expected"),
    [
        (False, False, {"device_id": "1"}, {"device_id": "1"}),
        (True, False, {}, {"prefer_nhwc": "1"}),
        (True, False, {"prefer_nhwc": "0"}, {"prefer_nhwc": "0"}),
        (True, False, {"fuse_conv_bias": "1"}, {"prefer_nhwc": "1", "fuse_conv_bias": "1"}),
        (False, False, {"prefer_nhwc": "1", "fuse_conv_bias": "1"}, {"prefer_nhwc": "1", "fuse_conv_bias": "1"}),
        (True, True, {}, {}),
        (True, True, {"prefer_nhwc": "0"}, {"prefer_nhwc": "0"}),
        # The file's own graph runs channels first; the rewritten one takes the option.
        (True, True, {"fuse_conv_bias": "1", "use_tf32": "0"}, {"use_tf32": "0"}),
        (False, True, {"fuse_conv_bias": "0"}, {}),
    ],
)
def test_options_of_a_file(half: bool, takes_alpha: bool, given: dict[str, str], expected: dict[str, str]):
    before = dict(given)
    assert file_options(given, half=half, constant_weights=not takes_alpha, takes_alpha=takes_alpha) == expected
    assert given == before


def test_weights_that_the_image_makes_are_not_rearranged():
    assert file_options({}, half=True, constant_weights=False, takes_alpha=False) == {}
    with pytest.raises(InputError, match="prefer_nhwc"):
        file_options({"prefer_nhwc": "True"}, half=True, constant_weights=False, takes_alpha=False)
    off = {"prefer_nhwc": "False"}
    assert file_options(off, half=True, constant_weights=False, takes_alpha=False) == off


@pytest.mark.parametrize("half", [False, True])
def test_rearranging_weights_that_are_computed_is_refused(half: bool):
    with pytest.raises(
        InputError, match=r"have prefer_nhwc, which rearranges the weights of baked files alone; leave it"
    ):
        file_options({"prefer_nhwc": "1"}, half=half, constant_weights=False, takes_alpha=True)


@pytest.mark.parametrize(
    ("half", "takes_alpha", "given"),
    [
        (False, True, {}),
        (False, False, {}),
        (True, False, {"prefer_nhwc": "0"}),
        (True, False, {"prefer_nhwc": "False"}),
    ],
)
def test_fused_biases_need_channels_last(half: bool, takes_alpha: bool, given: dict[str, str]):
    with pytest.raises(InputError, match=r"have fuse_conv_bias, which is for channels-last convolutions"):
        given = given | {"fuse_conv_bias": "1"}
        file_options(given, half=half, constant_weights=not takes_alpha, takes_alpha=takes_alpha)


def test_channels_first_convolutions_get_no_fused_bias():
    assert without_fused_bias({"fuse_conv_bias": "1", "device_id": "1"}) == {"device_id": "1"}


@pytest.mark.parametrize(("version", "safe"), [("1.22.0", False), ("1.30.2", False), ("1.31.0", True), ("2.0.0", True)])
def test_graphs_need_a_version_that_keeps_them_right(monkeypatch: pytest.MonkeyPatch, version: str, safe: bool):
    monkeypatch.setattr(onnxruntime, "__version__", version)
    reason = why_no_graphs()
    assert (reason is None) == safe
    assert safe or reason == f"CUDA graphs need onnxruntime 1.31 or later, this is {version}"
