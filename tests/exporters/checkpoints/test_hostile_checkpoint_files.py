"""Files that are not what they say: zip archives of two minds, too short, too long; pipes, devices, links, changes."""

import copy
import os
import pickle
import random
import socket
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from commands import dni, names
from torch_files import archive, legacy_parts, refusal, rezipped, tensor, weights, whole

from dni_exporters import read_endpoints
from dni_exporters.checkpoints import checkpoint_file
from dni_runtime import CheckpointError

W = {"w": torch.arange(600.0), "v": torch.arange(600.0) + 1000}
DAMAGED = "is damaged or not a PyTorch checkpoint ("


def saved(path: Path, value: Any = None) -> Path:
    torch.save(W if value is None else value, path)
    return path


def edited(path: Path, change: Callable[[str, bytes], bytes], twice: str = "") -> Path:
    """A checkpoint with every member changed by `change`; `twice` is written once more, as it was."""
    with zipfile.ZipFile(path) as old:
        members = {name: old.read(name) for name in old.namelist()}
    with zipfile.ZipFile(path, "w") as new:
        for name, data in members.items():
            new.writestr(name, change(name.partition("/")[2], data))
            if name.endswith(twice) and twice:
                new.writestr(f"{name[:-1]}X", data)
    if twice:  # the name of the copy becomes that of the original, in both places
        path.write_bytes(path.read_bytes().replace(f"{twice[:-1]}X".encode(), twice.encode()))
    return path


@pytest.mark.parametrize("size", [0, 1, 4, 2396, 2404, 10_000])
def test_a_storage_of_another_length(tmp_path: Path, size: int):
    """Read in place, a short one goes on into the next member: weights that are wrong without a word."""
    path = edited(saved(tmp_path / "a.pth"), lambda name, data: (data * 5)[:size] if name == "data/0" else data)
    assert f"{DAMAGED}a/data/0 of {size} bytes, 2400 expected)" in refusal(path)


@pytest.mark.parametrize("name", ["data/0", "version", "data.pkl"])
def test_a_member_that_is_missing(tmp_path: Path, name: str):
    path = saved(tmp_path / "a.pth")
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(tmp_path / "b.pth", "w") as new:
        for member in old.infolist():
            if member.filename != f"a/{name}":
                new.writestr(member, old.read(member))
    assert DAMAGED in refusal(tmp_path / "b.pth")


@pytest.mark.parametrize("name", ["data/0", "data.pkl", "byteorder"])
def test_two_members_of_one_name(tmp_path: Path, name: str):
    path = edited(saved(tmp_path / "a.pth"), lambda _, data: data, twice=f"/{name}")
    assert f"{DAMAGED}two members of one name)" in refusal(path)


def test_two_checkpoints_in_one_archive(tmp_path: Path):
    with zipfile.ZipFile(saved(tmp_path / "a.pth"), "a") as archive_:
        archive_.writestr("b/data.pkl", whole(b"}"))
    assert DAMAGED in refusal(tmp_path / "a.pth")


@pytest.mark.parametrize(
    ("name", "content"), [("byteorder", b"middle"), ("version", b"3.1"), ("version", b""), ("version", b"3" * 5000)]
)
def test_small_files_that_say_nothing_known(tmp_path: Path, name: str, content: bytes):
    path = edited(saved(tmp_path / "a.pth"), lambda member, data: content if member == name else data)
    assert DAMAGED in refusal(path)


def test_a_format_of_the_future(tmp_path: Path):
    path = edited(saved(tmp_path / "a.pth"), lambda name, data: b"11\n" if name == "version" else data)
    assert "a.pth is of PyTorch's file format 11, newer than 10; save it as .safetensors" in refusal(path)


@pytest.mark.parametrize("field", [20, 24, 42])
@pytest.mark.parametrize("value", [0, 100, 2**31, 2**32 - 2])
def test_a_directory_that_lies(tmp_path: Path, field: int, value: int):
    """Compressed size, size and place of a storage in the central directory. Right weights, or a sentence."""
    path = saved(tmp_path / "a.pth")
    data = bytearray(path.read_bytes())
    start = data.rindex(b"PK\x01\x02", 0, data.rindex(b"a/data/0"))
    data[start + field : start + field + 4] = struct.pack("<I", value)
    path.write_bytes(data)
    assert DAMAGED in refusal(path)


def test_a_local_name_that_is_another(tmp_path: Path):
    path = saved(tmp_path / "a.pth")
    path.write_bytes(path.read_bytes().replace(b"a/data/0", b"a/data/1", 1))
    assert DAMAGED in refusal(path)


def test_a_changed_byte_of_the_weights(tmp_path: Path):
    path = saved(tmp_path / "a.pth")
    path.write_bytes(path.read_bytes().replace(struct.pack("<f", 1234.0), struct.pack("<f", 4321.0)))
    assert f"{DAMAGED}Bad CRC-32 for file" in refusal(path)


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_compression_that_inflates_at_once(tmp_path: Path, compression: int):
    path = rezipped(saved(tmp_path / "a.pth"), tmp_path / "b.pth", compression)
    assert "is compressed in a way that PyTorch does not know" in refusal(path)


def test_an_archive_that_inflates_a_thousand_times(tmp_path: Path):
    """80 MB of zeros in 80 kB. Nothing of it is inflated: what the directory says is enough."""
    path = rezipped(saved(tmp_path / "a.pth", {"w": torch.zeros(20_000_000)}), tmp_path / "b.pth")
    assert path.stat().st_size < 100_000
    assert "and claims to be 80 MB of weights; expected at most 4 times what it holds" in refusal(path)


def test_one_place_for_many_storages(tmp_path: Path):
    """Members that overlap: each storage is there, and all of them are the same bytes."""
    pickled = whole(weights(**{f"w{n}": tensor(0, (2**18,), (1,), 2**18, key=str(n)) for n in range(80)}))
    path = archive(tmp_path / "a.pth", pickled, {"0": bytes(2**20)})
    with zipfile.ZipFile(path, "a") as new:
        first = new.getinfo("archive/data/0")
        for number in range(1, 80):
            member = copy.copy(first)
            member.filename = member.orig_filename = f"archive/data/{number}"
            new.filelist.append(member)
        new._didModify = True  # type: ignore[attr-defined]
    assert "a.pth holds 1.0" in (message := refusal(path))
    assert "MB and claims to be 83.89 MB of weights" in message


def test_a_directory_larger_than_any(tmp_path: Path):
    with zipfile.ZipFile(saved(tmp_path / "a.pth"), "a") as new:
        for number in range(150):
            member = zipfile.ZipInfo(f"a/{number}")
            member.comment = bytes(60_000)
            new.writestr(member, b"")
    assert "a.pth needs more than 8 MiB to say what it holds" in refusal(tmp_path / "a.pth")


def test_legacy_storages_that_are_not_there(tmp_path: Path):
    """`torch.load` gives memory that nobody wrote for these."""
    pickles, _ = legacy_parts(W)
    (tmp_path / "a.pth").write_bytes(pickles + pickle.dumps([], protocol=2))
    assert f"{DAMAGED}no data of storage " in refusal(tmp_path / "a.pth")


@pytest.mark.parametrize("count", [-1, 0, 599, 601, 2**62])
def test_legacy_storages_of_another_length(tmp_path: Path, count: int):
    pickles, rest = legacy_parts(W)
    assert struct.pack("<q", 600) in rest
    (tmp_path / "a.pth").write_bytes(pickles + rest.replace(struct.pack("<q", 600), struct.pack("<q", count), 1))
    assert f"of {count} numbers, 600 expected)" in refusal(tmp_path / "a.pth")


@pytest.mark.parametrize(
    ("offset", "shape", "stride"),
    [(595, (6,), (1,)), (0, (601,), (1,)), (0, (2, 2), (599, 2)), (2**62, (1,), (1,))],
)
def test_tensors_beyond_their_storage(tmp_path: Path, offset: int, shape: tuple[int, ...], stride: tuple[int, ...]):
    path = archive(tmp_path / "a.pth", whole(weights(w=tensor(offset, shape, stride, 600))), {"0": bytes(2400)})
    assert DAMAGED in refusal(path)


def test_more_dimensions_than_anything_has(tmp_path: Path):
    pickled = whole(weights(w=tensor(0, (1,) * 33, (1,) * 33, 1)))
    path = archive(tmp_path / "a.pth", pickled, {"0": bytes(4)})
    assert "a.pth: w is of 33 dimensions, which cannot be blended" in refusal(path)


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("pipe", "is a named pipe"),
        ("link to a pipe", "is a named pipe"),
        ("link to a device", "is a device"),
        ("socket", "is a socket"),
        ("folder", "is a folder"),
        ("link to itself", "is a link that leads back to itself"),
        ("link to nothing", "is a link to what does not exist"),
        ("nothing", "does not exist"),
    ],
)
def test_what_is_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str, kind: str, message: str):
    monkeypatch.chdir(tmp_path)
    path, good = Path(f"a{suffix}"), saved(Path("good.pth"))
    os.mkfifo("pipe")
    links = {"to a pipe": "pipe", "to a device": "/dev/zero", "to itself": path, "to nothing": "gone"}
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(str(path))
    elif kind != "nothing":
        path.symlink_to(links[kind.removeprefix("link ")])
    before = names(tmp_path)
    for order in ((path, good), (good, path)):
        dni("inspect", *order).assert_error(f"{path} {message}; expected a checkpoint, one of .pth, .pt")
        dni("blend", *order, "--alpha", 0.5, "-o", "c.pth").assert_error(f"{path} {message}; expected")
        dni("export", *order, "--alpha-input", "-o", "c.onnx").assert_error(f"{path} {message}; expected")
    assert names(tmp_path) == before


@pytest.mark.parametrize("change", ["longer", "shorter", "written again"])
def test_a_file_that_changes_while_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str):
    path = saved(tmp_path / "a.pth")
    check = checkpoint_file.check_tensors

    def check_and_change(*arguments: Any) -> None:
        check(*arguments)
        data = path.read_bytes()
        path.write_bytes({"longer": data + b"more", "shorter": data[:1000], "written again": data}[change])
        os.utime(path, ns=(1, 1))

    monkeypatch.setattr(checkpoint_file, "check_tensors", check_and_change)
    assert "a.pth changed while it was read; wait until it is complete" in refusal(path)


@pytest.mark.parametrize("form", ["zip", "legacy", "safetensors"])
def test_any_changed_byte_is_right_or_refused(tmp_path: Path, form: str):
    """300 files with one to three bytes changed: another network's weights at most, never an error of ours."""
    path = tmp_path / f"a.{'safetensors' if form == 'safetensors' else 'pth'}"
    if form == "safetensors":
        safetensors.torch.save_file(W, path)
    else:
        torch.save(W, path, _use_new_zipfile_serialization=form == "zip")
    original, chance = path.read_bytes(), random.Random(form)
    for _ in range(300):
        data = bytearray(original)
        for _ in range(chance.randint(1, 3)):
            place = chance.choice([chance.randrange(len(data)), chance.randrange(min(1200, len(data)))])
            data[place] = chance.randrange(256)
        path.write_bytes(data)
        try:
            tensors = read_endpoints([path])[0][0].tensors
        except CheckpointError as error:
            assert str(path) in str(error)
        else:
            assert all(t.untyped_storage().nbytes() < 10_000 for t in tensors.values())
