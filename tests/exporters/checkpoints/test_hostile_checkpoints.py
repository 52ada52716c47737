"""Checkpoints that were made to run code, to hang, to fill the memory: one sentence each, and nothing happens."""

import os
import pickle
from pathlib import Path

import pytest
import torch
from commands import dni, names, python
from torch_files import archive, called, named, number, refusal, tensor, text, weights, whole

W = torch.ones(4, 4)


CALLS = {
    "os.system": ("posix", "system", text("touch {canary}")),
    "a file made": ("posix", "mkdir", text("{canary}")),
    "eval": ("builtins", "eval", text("open('{canary}', 'w')")),
    "exec in Python 2": ("__builtin__", "exec", text("open('{canary}', 'w')")),
    "a module loaded": ("importlib", "import_module", text("antigravity")),
    "a file unpickled": ("pickle", "loads", text("x")),
    "torch.load": ("torch.serialization", "load", text("{canary}")),
    "torch.load by another name": ("torch", "load", text("{canary}")),
    "torch.hub": ("torch.hub", "load_state_dict_from_url", text("http://localhost/")),
    "storage from bytes": ("torch.storage", "_load_from_bytes", text("x")),
    "a partial call": ("functools", "partial", named("posix", "system")),
    "NumPy": ("numpy.core.multiarray", "_reconstruct", named("numpy", "ndarray")),
    "getattr": ("builtins", "getattr", named("collections", "OrderedDict")),
    "a name with dots": ("torch", "os.system.FloatStorage", text("touch {canary}")),
    # These are on the list of `torch.load(weights_only=True)`, which calls them.
    "a line of any file": ("traceback", "FrameSummary", text("{pipe}"), number(1), text("x")),
    "a server": ("torch.distributed.device_mesh", "DeviceMesh", text("cpu")),
}


@pytest.mark.parametrize("what", CALLS)
@pytest.mark.parametrize("form", ["zip", "legacy", "plain", "second pickle", "in a tensor"])
def test_code_is_refused_and_not_run(tmp_path: Path, what: str, form: str):
    canary, pipe, path = tmp_path / "canary", tmp_path / "pipe", tmp_path / "evil.pth"
    os.mkfifo(pipe)
    module, name, *arguments = CALLS[what]
    given = [part for part in arguments]
    for mark, place in ((b"{canary}", canary), (b"{pipe}", pipe)):
        given = [text(str(place)) if mark in part else part for part in given]
    evil = called(module, name, *given)
    if form == "zip":
        archive(path, whole(weights(w=evil)))
    elif form == "in a tensor":
        archive(path, whole(called("torch._utils", "_rebuild_tensor_v2", evil)))
    else:
        marks = [pickle.dumps(value, protocol=2) for value in (torch.serialization.MAGIC_NUMBER, 1001, {})]
        before = {"plain": [], "legacy": marks, "second pickle": marks[:1]}[form]
        path.write_bytes(b"".join([*before, whole(evil)]))
    message = refusal(path)
    assert f"{path} wants to run code when it is loaded (" in message
    assert f"{name})" in message
    assert names(tmp_path) == ["evil.pth", "pipe"]


@pytest.mark.parametrize("operation", ["BUILD", "REDUCE", "INST", "OBJ", "STACK_GLOBAL", "EXT1", "NEWOBJ_EX", "PERSID"])
def test_other_ways_to_call(tmp_path: Path, operation: str):
    """Operations that call, with what is no name of PyTorch, or that PyTorch never writes."""
    canary = tmp_path / "canary"
    ways = {
        "BUILD": b"}(" + text("__setstate__") + text("x") + b"u" + weights(w=text("x")) + b"b",
        "REDUCE": text("x") + b"(" + text(str(canary)) + b"tR",
        "INST": b"(" + text(str(canary)) + b"iposix\nmkdir\n",
        "OBJ": b"(" + b"N" + text(str(canary)) + b"o",
        "STACK_GLOBAL": text("posix") + text("mkdir") + b"\x93" + text(str(canary)) + b"\x85R",
        "EXT1": b"\x82\x01",
        "NEWOBJ_EX": named("collections", "OrderedDict") + b")}\x92",
        "PERSID": b"Pos.system\n",
    }
    message = refusal(archive(tmp_path / "a.pth", whole(ways[operation])))
    assert "holds no weights" in message or "is damaged or not a PyTorch checkpoint" in message
    assert names(tmp_path) == ["a.pth"]


BOMBS = {
    "bytearray": "holds a bytearray, not a state dict",
    "tensor": "holds a FloatTensor, not a state dict",
    "storage": "holds a UntypedStorage, not a state dict",
    "copied text": "holds a list",
    "copied set": "holds a list",
    "copied pairs": "holds a list",
    "nested key": "holds no weights",
    "deep key": "holds no weights",
    "same hash": "holds no weights",
    "far memo": "holds a NoneType",
    "long text": "is damaged or not a PyTorch checkpoint",
    "long number": "is damaged or not a PyTorch checkpoint (the operation 0x8b, which PyTorch does not write)",
    "frame": "is damaged or not a PyTorch checkpoint",
    "expanded": "and claims to be 68.72 GB of weights; expected at most 4 times what it holds: save copies",
    "many views": "and claims to be 1.342 GB of weights",
    "no bytes": "and claims to be 39.58 TB of weights",
    "long storage": "and claims to be 17.18 GB of weights",
}


def bombs() -> dict[str, bytes]:
    """Small pickles that ask for much. Some of them do with `torch.load(weights_only=True)`, too."""
    many = b"h\x01h\x02R" * 100_000
    return {
        "bytearray": called("builtins", "bytearray", number(2_000_000_000)),
        "tensor": called("torch", "FloatTensor", number(2_000_000_000)),
        "storage": called("torch.storage", "UntypedStorage", number(2_000_000_000)),
        "copied text": named("_codecs", "encode") + b"q\x01(" + text("a" * 100_000) + b"tq\x02](" + many + b"e",
        "copied set": named("builtins", "set") + b"q\x01](" + b"K\x01" * 50_000 + b"e\x85q\x02](" + many + b"e",
        "copied pairs": (
            named("collections", "OrderedDict") + b"q\x01](" + (text("a") + b"K\x01\x86") * 20_000 + b"e\x85q\x02]("
            + many + b"e"
        ),
        "nested key": b"}K\x01\x85q\x00" + b"h\x00\x86q\x00" * 60 + b"K\x01s",
        "deep key": b"}" + b")" + b"\x85" * 500_000 + b"K\x01s",
        "same hash": b"}(" + b"".join(number(n * (2**61 - 1)) + b"N" for n in range(50_000)) + b"u",
        "far memo": b"Nr\xff\xff\xff\xff",
        "long text": b"X\xff\xff\xff\xffabc",
        "long number": b"\x8b\xff\xff\xff\x7fabc",
        "frame": b"\x95\xff\xff\xff\xff\xff\xff\xff\x7f",
        "expanded": weights(w=tensor(0, (2**17, 2**17), (0, 0), 1)),
        "many views": weights(**{f"w{i}": tensor(0, (2**12, 2**12), (0, 0), 1) for i in range(20)}),
        "no bytes": weights(w=tensor(0, (2**40, 0, 3, 3), (9, 9, 3, 1), 1)),
        "long storage": weights(w=tensor(0, (2**32,), (1,), 2**32)),
    }  # fmt: skip


def test_small_files_that_ask_for_much(tmp_path: Path):
    """All in a process of its own, which has half a gigabyte of memory for them, and half a minute."""
    paths = [archive(tmp_path / f"{n}.pth", whole(bomb), {"0": bytes(4)}) for n, bomb in enumerate(bombs().values())]
    program = """
import resource, sys
from dni_exporters import read_endpoints
from dni_runtime import CheckpointError
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 2**29, used + 2**29))
resource.setrlimit(resource.RLIMIT_CPU, (int(sum(resource.getrusage(resource.RUSAGE_SELF)[:2])) + 30,) * 2)
for path in sys.argv[1:]:
    try:
        read_endpoints([path])
        print("read")
    except CheckpointError as error:
        print(error)
"""
    result = python(program, *paths).assert_ok()
    said = result.out.splitlines()
    assert list(bombs()) == list(BOMBS)
    for message, (kind, expected) in zip(said, BOMBS.items(), strict=True):
        assert expected in message, kind


def test_more_structure_than_any_network_has(tmp_path: Path):
    log = text("a" * 2**23)
    path = archive(tmp_path / "a.pth", whole(log))
    assert "a.pth needs more than 8 MiB to say what it holds, tensors' values aside" in refusal(path)
    before = b"".join(pickle.dumps(v, protocol=2) for v in (torch.serialization.MAGIC_NUMBER, 1001, {}))
    (tmp_path / "b.pth").write_bytes(before + whole(log))
    assert "b.pth needs more than 8 MiB to say what it holds" in refusal(tmp_path / "b.pth")


@pytest.mark.parametrize("command", ["inspect", "blend", "export"])
def test_commands_say_one_sentence_and_write_nothing(tmp_path: Path, command: str):
    good, evil = tmp_path / "good.pth", tmp_path / "evil.pth"
    torch.save({"w": W}, good)
    torch.save({"w": torch.ones(1).expand(2**17, 2**17)}, evil)
    before = names(tmp_path)
    output = {"inspect": [], "blend": ["--alpha", "0.5", "-o", tmp_path / "c.pth"],
              "export": ["--alpha-input", "-o", tmp_path / "c.onnx"]}[command]  # fmt: skip
    for pair in ((good, evil), (evil, good)):
        dni(command, *pair, *output).assert_error("and claims to be 68.72 GB of weights")
    assert names(tmp_path) == before
