"""Endpoints of one network whose files differ: in names, dtypes, tables, switches. The truth is what spandrel reads."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from commands import dni
from exporting import assert_close, blended, photo, run
from networks import Weights
from published import as_spandrel_reads, compact, dat, esrgan, near, real_cugan, renamed, swinir
from torch import nn

from dni_exporters import blend, blend_tensors, export, inspect_endpoints, write_blend
from dni_runtime import EndpointError

pytestmark = pytest.mark.usefixtures("no_verdict")


def save(folder: Path, a: Any, b: Any) -> list[Path]:
    paths = [folder / "a.pth", folder / "b.pth"]
    for path, content in zip(paths, (a, b), strict=True):
        torch.save(content, path)
    return paths


def output(network: nn.Module, image: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        return network(torch.from_numpy(image)).numpy()


def assert_ends_are_the_files(folder: Path, paths: list[Path], size: tuple[int, int] = (24, 20)) -> None:
    """The exported model equals, at its ends, what spandrel makes of each file, and between them the blend of both."""
    export(paths, folder / "m.onnx", alpha_input=True, verdict=False)
    a, b = map(as_spandrel_reads, paths)
    image = photo(1, 3, *size)
    assert_close(run(folder / "m.onnx", image, 1.0), output(a, image))
    assert_close(run(folder / "m.onnx", image, 0.0), output(b, image))
    assert_close(run(folder / "m.onnx", image, 0.3), output(between(a, b, 0.3), image))


def between(a: nn.Module, b: nn.Module, alpha: float) -> nn.Module:
    """`a` with the blend of what both networks hold."""
    ours, its = a.state_dict(), b.state_dict()
    its |= {name: tensor for name, tensor in ours.items() if its[name].shape != tensor.shape}
    a.load_state_dict(blended(ours, its, alpha))
    return a


def test_a_switch_beside_the_tensors_is_seen_by_the_export(tmp_path: Path):
    a = real_cugan()
    paths = save(tmp_path, {**a, "pro": 1}, {**near(a), "pro": 1})
    assert as_spandrel_reads(paths[0]).is_pro
    assert_ends_are_the_files(tmp_path, paths, (40, 36))


def test_a_switch_is_seen_among_values_that_make_no_network(tmp_path: Path):
    """spandrel itself reads no such file: it takes the epoch for a weight."""
    a = real_cugan()
    image = photo(1, 3, 40, 36)
    wanted = output(as_spandrel_reads(save(tmp_path, {**a, "pro": 1}, {})[0]), image)
    paths = save(tmp_path, {**a, "pro": 1, "epoch": 7}, {**near(a), "iter": 9, "pro": 1})
    export(paths, tmp_path / "m.onnx", alpha_input=True, verdict=False)
    assert_close(run(tmp_path / "m.onnx", image, 1.0), wanted)


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_a_switch_is_written_with_the_blend(tmp_path: Path, suffix: str):
    a = real_cugan()
    paths = save(tmp_path, {**a, "pro": 1}, {**near(a), "pro": 1})
    write_blend(paths, tmp_path / f"c{suffix}", 0.3)
    image = photo(1, 3, 40, 36)
    wanted = output(between(*map(as_spandrel_reads, paths), 0.3), image)
    assert_close(output(as_spandrel_reads(tmp_path / f"c{suffix}"), image), wanted)
    assert set(blend(paths, 0.3)) == {*a, "pro"}


def test_a_switch_that_one_endpoint_lacks_is_a_reason(tmp_path: Path):
    a = real_cugan()
    paths = save(tmp_path, {**a, "pro": 1}, near(a))
    message = (
        "a.pth, b.pth cannot be blended: a.pth and b.pth are two kinds of RealCUGAN x2 with weights of the same "
        "shapes: pro True and False"
    )
    with pytest.raises(EndpointError, match=message):
        export(paths, tmp_path / "m.onnx", alpha_input=True, verdict=False)
    with pytest.raises(EndpointError, match=message):
        write_blend(paths, tmp_path / "c.pth", 0.5)
    assert [message.endswith(line) for line in inspect_endpoints(*paths).reasons] == [True]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.pth", "b.pth"]


@pytest.mark.parametrize("first", ["old", "new"])
def test_old_and_new_names_of_one_architecture(tmp_path: Path, first: str):
    a = esrgan()
    b = near(a)
    paths = save(tmp_path, *((a, renamed(b)) if first == "old" else (renamed(a), b)))
    assert_ends_are_the_files(tmp_path, paths)
    notes = write_blend(paths, tmp_path / "c.pth", 0.3).notes
    renaming = ("written under the names of spandrel's ESRGAN: the endpoints' differ",)
    assert notes == (renaming if first == "new" else ())
    theta = as_spandrel_reads(tmp_path / "c.pth").state_dict()
    torch.testing.assert_close(dict(theta), blended(a, b, 0.3), rtol=1e-6, atol=1e-7)
    found = inspect_endpoints(*paths)
    assert (found.architecture, found.differences) == ("ESRGAN", ())


def test_names_of_one_age_are_written_as_they_were(tmp_path: Path):
    a = renamed(esrgan())
    b = near(a)
    paths = save(tmp_path, {"params_ema": a}, {"params_ema": b})
    write_blend(paths, tmp_path / "c.pth", 0.3)
    torch.testing.assert_close(torch.load(tmp_path / "c.pth")["params_ema"], blended(a, b, 0.3), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_beside_single_is_promoted_and_noted(tmp_path: Path, dtype: torch.dtype):
    a = compact()
    b = {name: tensor.to(dtype) for name, tensor in near(a).items()}
    paths = save(tmp_path, a, b)
    kind = str(dtype).removeprefix("torch.")
    note = f"a.pth is float32, b.pth is {kind}: blended in "
    assert_ends_are_the_files(tmp_path, paths)
    assert note + "float32" in export(paths, tmp_path / "m.onnx", alpha_input=True, force=True, verdict=False).notes
    assert note + "one that holds all of them" in write_blend(paths, tmp_path / "c.pth", 0.3).notes
    assert note + "float32" in inspect_endpoints(*paths).notes
    wanted = blended(a, {name: tensor.float() for name, tensor in b.items()}, 0.3)
    torch.testing.assert_close(torch.load(tmp_path / "c.pth"), wanted, rtol=1e-6, atol=1e-7)


def test_masks_of_another_size_follow_from_how_a_network_was_trained(tmp_path: Path):
    a, b = swinir(crop=16), near(swinir(crop=32))
    assert (
        a["layers.0.residual_group.blocks.1.attn_mask"].shape != b["layers.0.residual_group.blocks.1.attn_mask"].shape
    )
    paths = save(tmp_path, a, b)
    report = inspect_endpoints(*paths)
    assert report.differences == ()
    write_blend(paths, tmp_path / "c.pth", 0.3)
    image = photo(1, 3, 24, 40)
    wanted = output(between(*map(as_spandrel_reads, paths), 0.3), image)
    assert_close(output(as_spandrel_reads(tmp_path / "c.pth"), image), wanted)
    wanted = output(as_spandrel_reads(paths[1]), image)
    write_blend(paths, tmp_path / "d.pth", 0.0)
    assert_close(output(as_spandrel_reads(tmp_path / "d.pth"), image), wanted)


@pytest.mark.parametrize("lacking", [0, 1])
@pytest.mark.parametrize("build", [swinir, dat])
def test_tables_that_one_file_lacks_are_taken_from_the_other(tmp_path: Path, build: Any, lacking: int):
    tables = ("attn_mask", "attn_mask_0", "attn_mask_1", "rpe_biases", "relative_position_index")
    whole = [build()]
    whole.append(near(whole[0]))
    files = [dict(each) for each in whole]
    files[lacking] = {name: t for name, t in files[lacking].items() if name.rpartition(".")[2] not in tables}
    assert len(files[lacking]) < len(files[1 - lacking])
    paths = save(tmp_path, *files)
    write_blend(paths, tmp_path / "c.pth", 0.3)
    a, b = map(as_spandrel_reads, save(tmp_path, *whole))
    image = photo(1, 3, 32, 32)
    assert_close(output(as_spandrel_reads(tmp_path / "c.pth"), image), output(between(a, b, 0.3), image))


def test_a_blend_of_tables_that_are_read_as_whole_numbers_loads_at_every_alpha(tmp_path: Path):
    """spandrel cuts off the fraction of DAT's widest offset: computed with, it was 2.9999998 at 12 of these alphas."""
    a = dat((8, 16))
    b = near(a)
    table = "layers.0.blocks.0.attn.attns.0.rpe_biases"
    for step in range(101):
        theta = blend_tensors([a, b], [step / 100, 1 - step / 100])
        assert theta[table].equal(a[table])
        assert as_spandrel_loads(theta)
    paths = save(tmp_path, a, b)
    assert all(as_spandrel_loads(blend(paths, alpha)) for alpha in (0.1, 0.77))


def as_spandrel_loads(theta: Weights) -> bool:
    import spandrel

    return spandrel.ModelLoader(device="cpu").load_from_state_dict(theta).architecture.id == "DAT"


def test_tables_that_give_other_pictures_are_a_reason(tmp_path: Path):
    """The same weights in windows of 2 x 4 and of 4 x 2 pixels."""
    a = dat((2, 4))
    paths = save(tmp_path, a, dat((4, 2)) | {n: t for n, t in near(a).items() if n in dict(_learnt(a))})
    (reason,) = inspect_endpoints(*paths).reasons
    assert "two kinds of DAT x2 with weights of the same shapes: split_size [2, 4] and [4, 2]" in reason


def _learnt(tensors: Weights) -> Weights:
    tables = ("attn_mask_0", "attn_mask_1", "rpe_biases", "relative_position_index")
    return {name: tensor for name, tensor in tensors.items() if name.rpartition(".")[2] not in tables}


@pytest.mark.parametrize("counted", [(0,), (1,), (0, 1)])
def test_what_a_profiler_left_behind_is_nobodys_weight(tmp_path: Path, counted: tuple[int, ...]):
    a = compact()
    plain = [a, near(a)]
    files = [dict(each) for each in plain]
    for number in counted:
        files[number] |= {"total_ops": torch.tensor([7.0 + number], dtype=torch.float64)}
        files[number] |= {"body.0.total_params": torch.tensor([9.0], dtype=torch.float64)}
    paths = save(tmp_path, *files)
    export(paths, tmp_path / "m.onnx", alpha_input=True, verdict=False)
    write_blend(paths, tmp_path / "c.pth", 0.3)
    theta = torch.load(tmp_path / "c.pth")
    torch.testing.assert_close({n: theta[n] for n in a}, blended(*plain, 0.3), rtol=1e-6, atol=1e-7)
    image = photo(1, 3, 12, 20)
    a_network, b_network = map(as_spandrel_reads, save(tmp_path, *plain))
    assert_close(run(tmp_path / "m.onnx", image, 0.0), output(b_network, image))
    assert_close(run(tmp_path / "m.onnx", image, 0.3), output(between(a_network, b_network, 0.3), image))


@pytest.mark.parametrize("build", [swinir, dat])
def test_networks_drawn_apart_are_no_kin_by_their_masks(tmp_path: Path, build: Any):
    torch.manual_seed(0)
    a = build()
    torch.manual_seed(1)
    found = inspect_endpoints(*save(tmp_path, a, build())).lineage
    assert found is not None
    assert abs(found.overall_cosine) < 0.02
    assert found.looks_unrelated
    assert not any(name.endswith(("attn_mask", "rpe_biases")) for name in found.cosine)
    assert inspect_endpoints(a, near(a)).lineage.overall_cosine > 0.9


def test_two_architectures_are_told_in_one_sentence(tmp_path: Path):
    paths = save(tmp_path, compact(4), esrgan(scale=2))
    sentence = "a.pth is RealESRGAN Compact x4, b.pth is ESRGAN x2"
    found = inspect_endpoints(*paths)
    assert found.reasons == (sentence,) and found.verdict is None and found.lineage is None
    assert {"body.0.weight: missing in b.pth", "model.0.weight: missing in a.pth"} <= set(found.differences)
    count = len(found.differences)
    with pytest.raises(EndpointError) as caught:
        export(paths, tmp_path / "m.onnx", alpha_input=True, verdict=False)
    first, *examples, more, _ = str(caught.value).splitlines()
    assert first == f"a.pth, b.pth cannot be blended: {sentence}, they differ in {count} place(s):"
    assert examples == [f"  {line}" for line in found.differences[:10]]
    assert more == f"  and {count - 10} more: dni inspect A B --json lists all"
    said = dni("inspect", *paths)
    assert said.code == 1 and f"can be blended  no: {sentence}; they differ in {count} place(s)\n" in said.out
    told = dni("inspect", *paths, "--json").json
    assert told["reasons"] == [sentence] and len(told["differences"]) == count


def test_two_kinds_of_one_architecture_are_told_by_their_settings(tmp_path: Path):
    found = inspect_endpoints(*save(tmp_path, esrgan(2), esrgan(3)))
    assert found.reasons == ("a.pth and b.pth are two kinds of ESRGAN x2: num_blocks 2 and 3",)
    assert "model.1.sub.2.RDB1.conv1.0.weight: missing in a.pth" in found.differences


def test_one_network_that_nobody_knows_is_told_from_one_that_is_known(tmp_path: Path):
    found = inspect_endpoints(*save(tmp_path, compact(4), {"w": torch.ones(3)}))
    assert found.reasons == ("a.pth is RealESRGAN Compact x4, b.pth is none that spandrel knows",)
    assert "w: missing in a.pth" in found.differences
