"""Good checkpoints: what is read is what `torch.load` reads, in every form that PyTorch and zip programs write."""

import collections
import hashlib
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from commands import dni
from torch import nn
from torch_files import archive, refusal, rezipped, tensor, weights, whole

from dni_exporters import read_endpoints

DTYPES = ("float32", "float16", "bfloat16", "float64", "int64", "int32", "int16", "int8", "uint8", "bool", "complex64")
TABLES = ("uint16", "uint32", "uint64", "complex64")


def trained() -> dict[str, Any]:
    """What a training script saves: a network, its optimizer, schedule and random state."""
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    optimizer = torch.optim.Adam(network.parameters())
    network(torch.rand(1, 3, 8, 8)).sum().backward()
    optimizer.step()
    return {
        "epoch": 3,
        "best": {"psnr": 31.5, "names": ["a"]},
        "state_dict": network.state_dict(),
        "optimizer": optimizer.state_dict(),
        "schedule": torch.optim.lr_scheduler.MultiStepLR(optimizer, [3, 4]).state_dict(),
        "rng": torch.get_rng_state(),
        "args": (collections.Counter([3, 3]), {1, 2}, b"ab\xff", 1j, torch.Size([1, 2]), torch.device("cpu"), 2**70),
        "types": [torch.float16, bytearray(b"xx"), None],
    }


def checkpoint(kind: str) -> dict[str, Any]:
    base = torch.arange(200.0).reshape(10, 20)
    remembered = torch.arange(3.0)
    remembered.note = "a"  # type: ignore[attr-defined]
    return {
        "trained": trained(),
        "types": {name: torch.tensor([0, 1, 1, 0, 1]).to(getattr(torch, name)) for name in DTYPES},
        "views": {"a": base, "t": base.t(), "part": base[::2, 3:7], "row": base[2], "wide": base[:1].expand(3, 20)},
        "shapes": {"none": torch.empty(0, 3), "scalar": torch.tensor(2.5), "many": torch.zeros(1, 1, 1, 1, 1, 1, 2)},
        "parameters": {"p": nn.Parameter(torch.rand(3)), "b": nn.Buffer(torch.rand(3)), "r": remembered},
        "channels last": {"w": torch.rand(4, 3, 2, 2).to(memory_format=torch.channels_last)},
    }[kind]


KINDS = ("trained", "types", "views", "shapes", "parameters", "channels last")


def assert_reads_as_torch(path: Path) -> None:
    wanted = torch.load(path, weights_only=True)
    wanted = wanted.get("state_dict", wanted)
    got = read_endpoints([path])[0][0].tensors
    assert list(got) == list(wanted)
    for name, expected in wanted.items():
        assert (got[name].dtype, got[name].shape) == (expected.dtype, expected.shape)
        assert got[name].stride() == expected.stride()
        assert torch.equal(got[name], expected.detach())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
def test_what_pytorch_wrote(tmp_path: Path, kind: str, zipped: bool):
    torch.save(checkpoint(kind), tmp_path / "a.pth", _use_new_zipfile_serialization=zipped)
    assert_reads_as_torch(tmp_path / "a.pth")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("compression", [zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED], ids=["deflated", "stored"])
def test_what_a_zip_program_made_of_it(tmp_path: Path, kind: str, compression: int):
    torch.save(checkpoint(kind), tmp_path / "a.pth")
    assert_reads_as_torch(rezipped(tmp_path / "a.pth", tmp_path / "b.pth", compression))


def test_large_compressed_weights(tmp_path: Path):
    """Compressed, the last ones end where the file has ended long ago, were they read as they are."""
    torch.save({f"w{i}": torch.full((512, 512), float(i)) for i in range(8)}, tmp_path / "a.pth")
    assert_reads_as_torch(rezipped(tmp_path / "a.pth", tmp_path / "b.pth"))
    assert (tmp_path / "b.pth").stat().st_size < (tmp_path / "a.pth").stat().st_size / 100


def test_a_folder_for_every_member_and_a_comment_change_nothing(tmp_path: Path):
    torch.save(checkpoint("types"), tmp_path / "a.pth")
    with zipfile.ZipFile(tmp_path / "a.pth") as old, zipfile.ZipFile(tmp_path / "b.pth", "w") as new:
        new.mkdir("a")
        new.comment = b"packed by hand"
        for member in old.infolist():
            new.writestr(member.filename, old.read(member))
    assert torch.equal(read_endpoints([tmp_path / "b.pth"])[0][0].tensors["float32"], torch.tensor([0.0, 1, 1, 0, 1]))


def test_without_checksums(tmp_path: Path):
    before = torch.serialization.get_crc32_options()
    torch.serialization.set_crc32_options(False)
    try:
        torch.save(checkpoint("trained"), tmp_path / "a.pth")
    finally:
        torch.serialization.set_crc32_options(before)
    assert_reads_as_torch(tmp_path / "a.pth")


@pytest.mark.parametrize("order", ["little", "big"])
def test_bytes_of_either_order(tmp_path: Path, order: str):
    values = np.arange(6, dtype=np.float32)
    data = values.astype(values.dtype.newbyteorder("<" if order == "little" else ">")).tobytes()
    pickled = whole(weights(w=tensor(0, (2, 3), (3, 1), 6)))
    path = archive(tmp_path / "a.pth", pickled, {"0": data}, byteorder=order)
    assert_reads_as_torch(path)
    assert read_endpoints([path])[0][0].tensors["w"].tolist() == [[0, 1, 2], [3, 4, 5]]


def test_both_halves_of_a_complex_number_keep_their_places(tmp_path: Path):
    pickled = whole(weights(w=tensor(0, (2,), (1,), 2, kind="ComplexFloat")))
    data = np.array([1 + 2j, 3 - 4j], np.complex64).view("<f4").astype(">f4").tobytes()
    path = archive(tmp_path / "a.pth", pickled, {"0": data}, byteorder="big")
    assert_reads_as_torch(path)
    assert read_endpoints([path])[0][0].tensors["w"].tolist() == [1 + 2j, 3 - 4j]


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_tables_that_are_no_floating_point_numbers_stay_as_they_are(tmp_path: Path, suffix: str):
    for name, value in (("a.pth", 1.0), ("b.pth", 3.0)):
        torch.save(
            {"w": torch.full((3,), value), **{t: torch.ones(2).to(getattr(torch, t)) for t in TABLES}}, tmp_path / name
        )
    dni("blend", tmp_path / "a.pth", tmp_path / "b.pth", "--alpha", 0.25, "-o", tmp_path / f"c{suffix}").assert_ok()
    made = read_endpoints([tmp_path / f"c{suffix}"])[0][0].tensors
    assert made["w"].tolist() == [2.5] * 3
    assert [(made[t].dtype, made[t].tolist()) for t in TABLES] == [(getattr(torch, t), [1, 1]) for t in TABLES]


def test_tied_weights_share_their_memory(tmp_path: Path):
    tied = torch.rand(4, 4)
    torch.save({"a": tied, "b": tied}, tmp_path / "a.pth")
    got = read_endpoints([tmp_path / "a.pth"])[0][0].tensors
    assert got["a"].data_ptr() == got["b"].data_ptr()


def test_a_compressed_pair_blends_as_the_pair_does(tmp_path: Path):
    pair = [tmp_path / "a.pth", tmp_path / "b.pth"]
    for number, path in enumerate(pair):
        torch.save({"params": {f"conv{i}.weight": torch.randn(64, 64, 3, 3) + number for i in range(4)}}, path)
    packed = [rezipped(path, path.with_suffix(".ckpt")) for path in pair]
    for sources, output in ((pair, "c.safetensors"), (packed, "d.safetensors")):
        dni("blend", *sources, "--alpha", 0.25, "-o", tmp_path / output).assert_ok()
    plain, compressed = (safetensors.torch.load_file(tmp_path / name) for name in ("c.safetensors", "d.safetensors"))
    assert all(torch.equal(plain[name], compressed[name]) for name in plain)
    a, b = (torch.load(path)["params"]["conv3.weight"] for path in pair)
    assert torch.allclose(compressed["conv3.weight"], 0.25 * a + 0.75 * b, atol=1e-6)


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("count", [3, 20_000, 2_000_000])
def test_the_digest_is_that_of_the_whole_file(tmp_path: Path, count: int, zipped: bool):
    path = tmp_path / "a.pth"
    torch.save({"a": torch.rand(count), "b": torch.rand(7)}, path, _use_new_zipfile_serialization=zipped)
    (read,), _ = read_endpoints([path])
    assert read.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.filterwarnings("ignore:Detected pickle protocol")  # PyTorch's, of 3
def test_pickle_protocols(tmp_path: Path, protocol: int, zipped: bool):
    path = tmp_path / "a.pth"
    torch.save(checkpoint("views"), path, pickle_protocol=protocol, _use_new_zipfile_serialization=zipped)
    if protocol <= 3:
        assert_reads_as_torch(path)
    else:
        message = f"{path} was saved with pickle_protocol={protocol}; expected up to 3: load it in PyTorch and save it"
        assert refusal(path) == f"{message} again without that argument"
