"""Where the weights are: in the file, beside it, or in the endpoints' own files."""

import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import safetensors.torch
import torch
from exporting import assert_close, blended, expected, photo, run, small_pair
from networks import Weights, pair

import dni_runtime
from dni_exporters import export
from dni_exporters.making import write
from dni_runtime import ExportError

IMAGE = photo(2, 3, 20, 28)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def saved(folder: Path, endpoints: list[Weights], **options: object) -> list[Path]:
    paths = [folder / f"{letter}.safetensors" for letter in "abc"[: len(endpoints)]]
    for path, weights in zip(paths, endpoints, strict=True):
        safetensors.torch.save_file({name: tensor.contiguous() for name, tensor in weights.items()}, path)
    return paths


def external_locations(path: Path) -> set[str]:
    model = onnx.load(path, load_external_data=False)
    entries = [entry for tensor in model.graph.initializer for entry in tensor.external_data]
    return {entry.value for entry in entries if entry.key == "location"}


@pytest.mark.parametrize("baked", [False, True])
def test_external_weights_lie_beside_the_model(tmp_path: Path, baked: bool):
    network, a, b = pair("unet")
    path = tmp_path / "model.onnx"
    options = {"alphas": [0.3]} if baked else {"alpha_input": True}
    report = export([a, b], path, arch=network, weights="external", **options)
    assert names(tmp_path) == ["model.onnx", "model.onnx.data"]
    assert external_locations(path) == {"model.onnx.data"}
    assert report.files[0].bytes == sum(file.stat().st_size for file in tmp_path.iterdir())
    onnx.checker.check_model(path, full_check=True)
    assert_close(run(path, IMAGE, None if baked else 0.3), expected(network, blended(a, b, 0.3), IMAGE))
    with dni_runtime.load(path, "cpu") as model:
        assert_close(model(IMAGE, None if baked else 0.3), expected(network, blended(a, b, 0.3), IMAGE))


def test_a_model_and_its_weights_can_be_moved_together(tmp_path: Path):
    network, (a, b) = small_pair()
    export([a, b], tmp_path / "here" / "model.onnx", alpha_input=True, arch=network, weights="external")
    (tmp_path / "here").rename(tmp_path / "there")
    wanted = expected(network, blended(a, b, 0.3), IMAGE)
    assert_close(run(tmp_path / "there" / "model.onnx", IMAGE, 0.3), wanted)


@pytest.mark.parametrize("baked", [False, True])
def test_weights_too_large_for_one_file_go_beside_it_with_a_note(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, baked: bool
):
    network, (a, b) = small_pair()
    monkeypatch.setattr(write, "EMBED_LIMIT_BYTES", 1000)
    options = {"alphas": [0.3]} if baked else {"alpha_input": True}
    report = export([a, b], tmp_path / "model.onnx", arch=network, **options)
    assert names(tmp_path) == ["model.onnx", "model.onnx.data"]
    assert report.notes == ("weights over 2 GB do not fit into an ONNX file; they are in a .data file beside it",)
    wanted = expected(network, blended(a, b, 0.3), IMAGE)
    assert_close(run(tmp_path / "model.onnx", IMAGE, None if baked else 0.3), wanted)


def test_a_baked_model_of_two_endpoints_near_the_limit_stays_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    network, endpoints = small_pair()  # 1772 bytes each
    monkeypatch.setattr(write, "EMBED_LIMIT_BYTES", 2500)
    export(endpoints, tmp_path / "model.onnx", alphas=[0.3], arch=network)
    assert names(tmp_path) == ["model.onnx"]


def test_embedding_again_takes_the_old_weights_away(tmp_path: Path):
    network, (a, b) = small_pair()
    path = tmp_path / "model.onnx"
    export([a, b], path, alpha_input=True, arch=network, weights="external")
    export([a, b], path, alpha_input=True, arch=network, force=True)
    assert names(tmp_path) == ["model.onnx"]
    assert_close(run(path, IMAGE, 0.3), expected(network, blended(a, b, 0.3), IMAGE))


# Weights that are transposed, reshaped, tied, scalar, computed, unused, folded into or equal to others.
LINKED = ["batch_norm", "equal_tensors", "group_norm", "integer_buffer", "linear", "prelu", "scalar"]


@pytest.mark.parametrize("name", [*LINKED, "spectral_norm", "tied", "unused_parameter"])
def test_linked_models_read_the_endpoints_files(tmp_path: Path, name: str):
    network, a, b = pair(name)
    paths = saved(tmp_path, [{k: t.clone() for k, t in weights.items()} for weights in (a, b)])
    before = [path.read_bytes() for path in paths]
    model = tmp_path / "model.onnx"
    export(paths, model, alpha_input=True, arch=network, weights="link")
    assert names(tmp_path) == ["a.safetensors", "b.safetensors", "model.onnx"]
    assert [path.read_bytes() for path in paths] == before
    assert external_locations(model) <= {"a.safetensors", "b.safetensors"}
    # No weight of the network is in the file.
    stored = onnx.load(model, load_external_data=False)
    inside = {t.name.partition("@")[0] for t in stored.graph.initializer if not t.external_data}
    assert not inside & a.keys()
    for alpha in (0.0, 0.3, 1.0):
        wanted = expected(network, blended(a, b, alpha), IMAGE)
        assert_close(run(model, IMAGE, alpha), wanted)
        with dni_runtime.load(model, "cpu") as loaded:
            assert_close(loaded(IMAGE, alpha), wanted)


def test_a_linked_model_is_small_and_reads_below_its_folder(tmp_path: Path):
    from spandrel.architectures.Compact import Compact

    torch.manual_seed(0)
    network = Compact(num_feat=48, num_conv=4, upscale=2)
    a = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    b = {name: tensor + 0.01 * torch.randn(tensor.shape) for name, tensor in a.items()}
    (tmp_path / "endpoints").mkdir()
    paths = saved(tmp_path / "endpoints", [a, {f"module.{name}": t for name, t in b.items()}])
    report = export(paths, tmp_path / "model.onnx", alpha_input=True, weights="link")
    assert report.files[0].bytes < 15_000 < sum(path.stat().st_size for path in paths) / 20
    assert external_locations(tmp_path / "model.onnx") == {
        "endpoints/a.safetensors",
        "endpoints/b.safetensors",
    }
    wanted = expected(network, blended(a, b, 0.3), IMAGE)
    assert_close(run(tmp_path / "model.onnx", IMAGE, 0.3), wanted)


def refusal(sources: list, output: Path, **options: object) -> str:
    before = names(output.parent)
    with pytest.raises(ExportError) as caught:
        export(sources, output, weights="link", arch=small_pair()[0], **options)  # type: ignore[arg-type]
    assert names(output.parent) == before
    return str(caught.value)


def test_linking_needs_safetensors(tmp_path: Path):
    _, endpoints = small_pair()
    torch.save(endpoints[0], tmp_path / "a.pth")
    message = refusal([tmp_path / "a.pth", endpoints[1]], tmp_path / "model.onnx", alpha_input=True)
    assert "--weights link needs .safetensors endpoints, a.pth is none" in message
    assert message.endswith("or use --weights external")
    assert "endpoint 1 is none" in refusal(endpoints, tmp_path / "model.onnx", alpha_input=True)


def test_linking_needs_the_endpoints_in_the_models_folder(tmp_path: Path):
    paths = saved(tmp_path, small_pair()[1])
    (tmp_path / "elsewhere").mkdir()
    message = refusal(paths, tmp_path / "elsewhere" / "model.onnx", alpha_input=True)
    assert f"{paths[0]} does not lie in the model's folder" in message
    assert "write the model beside its endpoints" in message


def test_linking_follows_no_symbolic_link_out(tmp_path: Path):
    (tmp_path / "models").mkdir()
    links = [tmp_path / "models" / path.name for path in saved(tmp_path, small_pair()[1])]
    for link in links:
        link.symlink_to(tmp_path / link.name)
    message = refusal(links, tmp_path / "models" / "model.onnx", alpha_input=True)
    assert "does not lie in the model's folder" in message


def test_linking_needs_the_stored_dtype(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    # It is refused before any work.
    monkeypatch.setattr(sys.modules["dni_exporters.export"], "require_extra", pytest.fail)
    _, endpoints = small_pair()
    paths = saved(tmp_path, [{name: tensor.half() for name, tensor in w.items()} for w in endpoints])
    message = refusal(paths, tmp_path / "model.onnx", alpha_input=True)
    assert message == (
        "--weights link: a.safetensors holds its weights as F16, the model needs float32; use --weights external or "
        "--dtype float16"
    )


def test_linking_needs_the_dtype_of_every_weight(tmp_path: Path):
    _, endpoints = small_pair()
    mixed = [{name: t.half() if name == "0.weight" else t for name, t in w.items()} for w in endpoints]
    message = refusal(saved(tmp_path, mixed), tmp_path / "model.onnx", alpha_input=True)
    assert "a.safetensors holds F16 under '0.weight', the model needs FLOAT; use --weights external" in message


def test_linked_float16_weights_make_a_float16_model(tmp_path: Path):
    network, endpoints = small_pair()
    halves = [{name: tensor.half() for name, tensor in weights.items()} for weights in endpoints]
    path = tmp_path / "model.onnx"
    export(saved(tmp_path, halves), path, alpha_input=True, arch=network, dtype="float16", weights="link")
    a, b = ({name: tensor.float() for name, tensor in weights.items()} for weights in halves)
    assert np.isfinite(run(path, IMAGE, 0.3)).all()
    assert_close(run(path, IMAGE, 0.3), expected(network, blended(a, b, 0.3), IMAGE), 2e-2)


def test_a_baked_model_cannot_be_linked(tmp_path: Path):
    paths = saved(tmp_path, small_pair()[1])
    message = refusal(paths, tmp_path / "model.onnx", alphas=[0.5])
    assert "--weights link is for --alpha-input: a baked model holds weights that no endpoint has" in message
