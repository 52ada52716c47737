"""The check at load can fail: whatever is wrong with what was prepared, the model says so and answers right."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from exporting import assert_close, nasty_model, photo, run, small_pair
from numpy.typing import NDArray
from onnx_models import METADATA, conv_stack, save, unet

from dni_exporters import export
from dni_runtime import ProviderError, load
from dni_runtime.opening import open_model, ways
from dni_runtime.prepared.flat_weights import Prepared
from dni_runtime.prepared.laid_out import LaidOut
from dni_runtime.prepared.prepare import prepare
from dni_runtime.providers.choosing import Choice
from dni_runtime.providers.sessions import OpenedSession, Place

X = photo(2, 3, 28, 12)
Corrupt = Callable[[Prepared], Prepared]


@pytest.fixture(autouse=True)
def _no_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DNI_CACHE_DIR", "")


def changed(prepared: Prepared) -> tuple[Prepared, NDArray[np.float32]]:
    """A copy, and its endpoints, a row for each, to be changed in place."""
    copy = replace(prepared, endpoints=prepared.endpoints.copy())
    (block,) = copy.blocks
    return copy, block


def swap_elements(prepared: Prepared) -> Prepared:
    """Two elements of the first weight, of A alone."""
    copy, block = changed(prepared)
    block[0, [0, 1]] = block[0, [1, 0]]
    return copy


def swap_endpoints(prepared: Prepared) -> Prepared:
    copy, block = changed(prepared)
    block[[0, 1]] = block[[1, 0]]
    return copy


def lose_an_element(prepared: Prepared) -> Prepared:
    copy, block = changed(prepared)
    block[:, np.abs(block).argmax(axis=1)[0]] = 0
    return copy


def not_a_number(prepared: Prepared) -> Prepared:
    copy, block = changed(prepared)
    block[0, 0] = np.nan
    return copy


def spread_factors_wrongly(prepared: Prepared) -> Prepared:
    return replace(prepared, scalings=tuple(replace(s, outer=s.inner, inner=s.outer) for s in prepared.scalings))


def move_a_slice(prepared: Prepared) -> Prepared:
    first, *others = prepared.slices
    return replace(prepared, slices=(replace(first, start=first.start + 1), *others))


def forget_a_slice(prepared: Prepared) -> Prepared:
    return replace(prepared, slices=prepared.slices[1:])


def divide(prepared: Prepared) -> Prepared:
    return replace(prepared, scalings=tuple(replace(s, divides=not s.divides) for s in prepared.scalings))


def break_head(prepared: Prepared) -> Prepared:
    return replace(prepared, head=prepared.head[:-10])


def break_body(prepared: Prepared) -> Prepared:
    return replace(prepared, body=b"no model")


def corrupted(monkeypatch: pytest.MonkeyPatch, corrupt: Corrupt) -> None:
    monkeypatch.setattr(ways, "prepare", lambda slim, folder: corrupt(prepare(slim, folder)))


def assert_falls_back(path: Path, reason: str, alphas: tuple[Any, ...] = (0.0, 0.31, 1.0)) -> None:
    with load(path, "cpu", alpha_policy="dynamic") as model:
        assert model.alpha_note.startswith(f"the graph blends the weights with every call ({reason}")
        for alpha in alphas:
            np.testing.assert_array_equal(model(X, alpha), run(path, X, alpha))
    with load(path, "cpu") as model:
        assert model.alpha_note.endswith("; pinned in the background while it holds")
        assert_close(model(X, alphas[1]), run(path, X, alphas[1]))
        assert model.settle()
        assert_close(model(X, alphas[1]), run(path, X, alphas[1]))


WRONG = "its results are off by "


@pytest.mark.parametrize(
    ("corrupt", "reason"),
    [
        (swap_elements, WRONG),
        (swap_endpoints, WRONG),
        (lose_an_element, WRONG),
        (not_a_number, f"{WRONG}nan"),
        (move_a_slice, WRONG),
        (forget_a_slice, ""),
        (break_head, ""),
        (break_body, ""),
    ],
)
def test_blends_that_are_wrong(corrupt: Corrupt, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = save(conv_stack(), tmp_path / "model.onnx")
    corrupted(monkeypatch, lambda prepared: prepared)
    with load(path, "cpu") as model:
        assert isinstance(model._runner, LaidOut)
    corrupted(monkeypatch, corrupt)
    assert_falls_back(path, reason)


@pytest.mark.parametrize(
    ("name", "corrupt"),
    [
        ("batch_norm", spread_factors_wrongly),
        ("batch_norm", divide),
        ("grouped_batch_norm", spread_factors_wrongly),
        ("weight_norm", spread_factors_wrongly),
        ("linear", swap_elements),
    ],
)
def test_factors_that_are_wrong(
    name: str, corrupt: Corrupt, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
):
    path = nasty_model(tmp_path_factory.getbasetemp(), name)
    corrupted(monkeypatch, corrupt)
    assert_falls_back(path, WRONG)


@pytest.mark.parametrize("order", [[1, 0, 2], [0, 2, 1], [2, 1, 0]])
def test_endpoints_in_another_order_are_noticed(order: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """At alphas that are the same for A and B nobody could tell these apart."""
    network, endpoints = small_pair(3)
    export(endpoints, tmp_path / "model.onnx", alpha_input=True, arch=network)

    def in_order(prepared: Prepared) -> Prepared:
        copy, block = changed(prepared)
        block[:] = block[order]
        return copy

    corrupted(monkeypatch, in_order)
    assert_falls_back(tmp_path / "model.onnx", WRONG, ((0.2, 0.5), (0.31, 0.07), (1.0, 0.0)))


@pytest.mark.parametrize("error", [RuntimeError("an accident\nand its details"), MemoryError(), KeyError("x")])
def test_any_accident_is_a_reason(error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def fail(prepared: Prepared) -> Prepared:
        raise error

    corrupted(monkeypatch, fail)
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    assert_falls_back(save(conv_stack(), tmp_path / "model.onnx"), f"{reason})")


def test_the_check_uses_an_image_that_the_model_takes(tmp_path: Path):
    wide = replace(METADATA, size_multiple=7, size_minimum=40)
    for number, proto in enumerate((conv_stack(shape=(2, 28, 12)), unet(), conv_stack(metadata=wide))):
        with load(save(proto, tmp_path / f"{number}.onnx"), "cpu", alpha_policy="dynamic") as model:
            assert isinstance(model._runner, LaidOut)


def test_a_model_that_does_not_run_is_no_reason_to_refuse_it(tmp_path: Path):
    """What the check cannot run a call may; and if not, the call says so."""
    proto = conv_stack(shape=("N", "H", "W"))
    proto.graph.node[-1].CopyFrom(onnx.helper.make_node("Reshape", ["second", "size"], ["output"]))
    proto.graph.initializer.append(onnx.numpy_helper.from_array(np.array([2, 3, 28, 12]), "size"))
    assert_falls_back(save(proto, tmp_path / "model.onnx"), "")


class FakeGpu:
    """CUDA as far as opening a file goes: sessions are the CPU's; those with the option `failing` on do not run."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, failing: str) -> None:
        self.opened: list[Mapping[str, str]] = []
        self.failing = failing
        known = {"auto": None}
        monkeypatch.setattr(open_model, "resolve", lambda provider: known.get(provider, Choice(provider, "asked for")))
        monkeypatch.setattr(open_model, "open_session", self.open)
        monkeypatch.setattr(open_model, "why_not_at_run_time", self.why_not)

    def open(self, source: str, place: Place) -> OpenedSession:
        self.opened.append(place.options)
        session = onnxruntime.InferenceSession(source, providers=["CPUExecutionProvider"])
        return OpenedSession(session, "cuda", "a GPU that is none")

    def why_not(self, *_: Any) -> str | None:
        return f"no kernel ({self.failing})" if self.opened[-1].get(self.failing) == "1" else None


def test_a_layout_that_the_gpu_has_no_kernels_for_is_left_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    network, endpoints = small_pair()
    export(endpoints, tmp_path / "model.onnx", alphas=[0.3], arch=network, dtype="float16")
    gpu = FakeGpu(monkeypatch, "prefer_nhwc")
    with load(tmp_path / "model.onnx", "cuda") as model:
        assert [options["prefer_nhwc"] for options in gpu.opened] == ["1", "0"]
        assert_close(model(X), run(tmp_path / "model.onnx", X), 2e-2)
    with pytest.raises(ProviderError, match=r"cuda is not available: no kernel \(prefer_nhwc\)"):
        load(tmp_path / "model.onnx", "cuda", provider_options={"prefer_nhwc": "1"})


def test_auto_takes_the_cpu_where_a_gpu_cannot_run_the_model(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    path = save(conv_stack(), tmp_path / "model.onnx")
    FakeGpu(monkeypatch, "enable_cudnn")
    with load(path, "auto", provider_options={"enable_cudnn": "1"}) as model:
        assert model.provider == "cpu"
        assert model.provider_note == "auto chose cpu: cuda is not available: no kernel (enable_cudnn)"
        assert_close(model(X, 0.3), run(path, X, 0.3))
