"""State dicts that are none: dictionaries without end, tensors that cannot be blended, names that are no names."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch_files import archive, refusal, tensor, text, whole

from dni_exporters import read_endpoints
from dni_runtime import CheckpointError

W = torch.ones(4, 4)


def test_more_tensors_than_any_network_has():
    assert "endpoint 1 holds 100001 tensors; expected" in refusal({f"w{i}": W for i in range(100_001)})


def itself() -> dict[str, Any]:
    state: dict[str, Any] = {"w": W}
    state["model"] = state
    return state


def nested(depth: int, *keys: str) -> dict[str, Any]:
    state: dict[str, Any] = {"w": W}
    for _ in range(depth):
        state = dict.fromkeys(keys, state)
    return state


@pytest.mark.parametrize("saved", [True, False])
@pytest.mark.parametrize("kind", ["itself", "deep", "wide"])
def test_dictionaries_without_end(tmp_path: Path, saved: bool, kind: str):
    depth = 300 if saved else 3000  # PyTorch itself saves no deeper ones
    source: Any = {
        "itself": itself,
        "deep": lambda: nested(depth, "state_dict"),
        "wide": lambda: nested(30, "model", "params", "params_ema", "state_dict"),
    }[kind]()
    if saved:
        torch.save(source, tmp_path / "a.pth")
        source = tmp_path / "a.pth"
    message = refusal(source)
    assert "nests dictionaries more than 4 deep (" in message
    assert "or one in itself; save the network's state_dict() only" in message


def test_four_dictionaries_deep_is_read():
    keys = ("params_ema", "params", "state_dict", "model_state_dict", "model", "generator", "g_ema")
    checkpoint = read_endpoints([nested(4, *keys)])[0][0]
    assert checkpoint.nesting == ("params_ema",) * 4
    assert torch.equal(checkpoint.tensors["w"], W)


def fake() -> torch.Tensor:
    with FakeTensorMode():
        return torch.empty(3)


ODD: dict[str, tuple[Callable[[], torch.Tensor], str]] = {
    "float8": (lambda: W.to(torch.float8_e4m3fn), "of the type float8_e4m3fn"),
    "float4": (lambda: torch.zeros(2, dtype=torch.uint8).view(torch.float4_e2m1fn_x2), "of the type float4_e2m1fn_x2"),
    "complex": (lambda: W.to(torch.complex128), "of the type complex128"),
    "conjugate": (lambda: W.to(torch.complex128).conj(), "pending signs|of the type complex128"),
    "coordinates": (W.to_sparse, "a sparse tensor"),
    "rows": (W.to_sparse_csr, "a sparse tensor"),
    "meta": (lambda: W.to("meta"), r"a tensor without values \(on the device meta\)"),
    "nested": (lambda: torch.nested.nested_tensor([W, W]), "a nested tensor"),
    "jagged": (lambda: torch.nested.nested_tensor([W, W], layout=torch.jagged), "a NestedTensor"),
    "quantized": (lambda: torch.quantize_per_tensor(W, 0.1, 0, torch.qint8), "a quantized tensor"),
    "fake": (fake, "a FakeTensor"),
    "not made yet": (lambda: nn.LazyLinear(3).weight, "without values|a UninitializedParameter"),
}


@pytest.mark.filterwarnings("ignore")  # PyTorch's, of prototypes and deprecations
@pytest.mark.parametrize("form", ["state dict", "zip", "legacy"])
@pytest.mark.parametrize("kind", ODD)
def test_tensors_that_cannot_be_blended(tmp_path: Path, kind: str, form: str):
    make, description = ODD[kind]
    source: Any = {"a.weight": make(), "b": W}
    if form != "state dict":
        if kind == "fake":
            return  # PyTorch saves none
        torch.save(source, tmp_path / "a.pth", _use_new_zipfile_serialization=form == "zip")
        source = tmp_path / "a.pth"
    with pytest.raises(CheckpointError, match=rf": a.weight is .*({description}).*, which cannot be blended; expected"):
        read_endpoints([source])


def test_such_tensors_beside_the_weights_do_not_matter(tmp_path: Path):
    torch.save(
        {"params": {"w": W}, "scales": W.to(torch.float8_e4m3fn), "opt": {"m": W.to_sparse()}}, tmp_path / "a.pth"
    )
    assert torch.equal(read_endpoints([tmp_path / "a.pth"])[0][0].tensors["w"], W)


def test_signs_and_gradients_in_python_are_resolved():
    negative = W.to(torch.complex64).conj().imag
    given = {"a": negative, "b": W.clone().requires_grad_(), "c": nn.Parameter(W), "d": W.to(torch.complex64).conj()}
    tensors = read_endpoints([given])[0][0].tensors
    assert torch.equal(tensors["a"], torch.zeros(4, 4))
    assert not any(t.requires_grad or t.is_neg() or t.is_conj() for t in tensors.values())


@pytest.mark.parametrize("name", ["", "x" * 1001, "a\nb", "\ud800", "\x1b[2J", "a\u202eb"])
def test_names_that_are_no_names(tmp_path: Path, name: str):
    expected = "holds a tensor called " + repr(name[:40])
    assert expected in refusal({name: W})
    pickled = whole(b"}(" + text(name) + tensor(0, (1,), (1,), 1) + b"u")
    assert expected in refusal(archive(tmp_path / "a.pth", pickled, {"0": bytes(4)}))


def test_names_that_are_no_text_are_no_weights():
    assert "holds no weights" in refusal({1: W, (1, 2): W, None: W})
