"""The cache on disk saves time, and nothing else depends on it: whatever is wrong with it, answers are right."""

import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import platformdirs
import pytest
from alpha_policies import assert_same, reference
from onnx_models import conv_stack, save
from prepared_entries import FILES, WANTED, X, assert_right

from dni_runtime import load
from dni_runtime.prepared import cache as prepared_cache
from dni_runtime.prepared.laid_out import LaidOut

PATIENCE_S = 120.0


def entries(cache: Path) -> list[Path]:
    return sorted(cache.iterdir()) if cache.exists() else []


# --- hits and misses ---


def test_the_second_load_prepares_nothing(cache: Path, path: Path, prepared: list[Path]):
    for _ in range(3):
        assert_right(path)
    assert len(prepared) == 1
    assert len(entries(cache)) == 1


def test_the_same_content_elsewhere_is_found(cache: Path, path: Path, prepared: list[Path], tmp_path: Path):
    assert_right(path)
    (tmp_path / "copy").mkdir()
    assert_right(shutil.copy(path, tmp_path / "copy" / "another.onnx"))
    assert len(prepared) == 1


def change_content(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    proto = conv_stack(features=24)
    proto.doc_string = "the same model, said differently"
    save(proto, path)


def change_runtime(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepared_cache.onnxruntime, "__version__", "1.99.0")


def change_processor(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepared_cache, "_cpu", lambda: "flags : fpu avx1024")


def change_format(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepared_cache, "_FORMAT", 99)


@pytest.mark.parametrize("change", [change_content, change_runtime, change_processor, change_format])
def test_what_the_layout_depends_on_makes_another_entry(
    change: Callable[..., None], cache: Path, path: Path, prepared: list[Path], monkeypatch: pytest.MonkeyPatch
):
    assert_right(path)
    with monkeypatch.context() as patched:
        change(path, patched)
        assert_right(path)
        assert_right(path)
        assert len(prepared) == 2
        assert len(entries(cache)) == 2


def test_weights_in_another_file_count(cache: Path, prepared: list[Path], tmp_path: Path):
    path = save(conv_stack(features=24), tmp_path / "model.onnx", external=True)
    assert_right(path)
    data = tmp_path / "model.onnx.data"
    data.write_bytes((-np.frombuffer(data.read_bytes(), np.float32)).tobytes())
    with load(path, "cpu", alpha_policy="dynamic") as model:
        assert isinstance(model._runner, LaidOut)
        assert_same(model(X, 0.31), reference(onnx.load(path), 0.31, X))
    assert len(prepared) == 2


def test_instruction_sets_name_this_processor():
    prepared_cache._cpu.cache_clear()
    assert prepared_cache._cpu() == prepared_cache._cpu() != ""
    if sys.platform == "linux":
        assert prepared_cache._cpu() in Path("/proc/cpuinfo").read_text()


def test_the_folder_is_the_platforms_unless_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(platformdirs, "user_cache_path", lambda name: tmp_path / name)
    monkeypatch.delenv("DNI_CACHE_DIR")
    assert prepared_cache.cache_folder() == tmp_path / "dni-deploy"
    monkeypatch.setenv("DNI_CACHE_DIR", str(tmp_path / "somewhere"))
    assert prepared_cache.cache_folder() == tmp_path / "somewhere"
    assert [entry.stat().st_mode & 0o777 for entry in entries(tmp_path)] == [0o700, 0o700]


# --- folders that cannot be written ---


@pytest.mark.parametrize("chosen", ["", "{tmp}/file", "{tmp}/file/below", "/proc/no/such/place"])
def test_without_a_cache(
    chosen: str, path: Path, prepared: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "file").touch()
    monkeypatch.setenv("DNI_CACHE_DIR", chosen.format(tmp=tmp_path))
    monkeypatch.chdir(tmp_path)
    before = entries(tmp_path)
    assert_right(path)
    assert_right(path)
    assert len(prepared) == 2
    assert entries(tmp_path) == before


def full(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize(
    ("owner", "name"),
    [(np, "save"), (Path, "write_bytes"), (Path, "write_text"), (Path, "rename"), (Path, "mkdir")],
    ids=str,
)
def test_a_full_disk(
    owner: Any, name: str, cache: Path, path: Path, prepared: list[Path], monkeypatch: pytest.MonkeyPatch
):
    original = getattr(owner, name)

    def full_there(*arguments: Any, **options: Any) -> Any:
        """What is written elsewhere, such as a graph that ONNX Runtime optimized, has a place."""
        elsewhere = isinstance(arguments[0], Path) and not arguments[0].is_relative_to(cache)
        return original(*arguments, **options) if elsewhere else full()

    with monkeypatch.context() as patched:
        patched.setattr(owner, name, full_there)
        assert_right(path)
        assert entries(cache) == []  # nothing half-written is left
    assert_right(path)
    assert_right(path)
    assert len(prepared) == 2


def test_a_cache_that_may_only_be_read(cache: Path, path: Path, prepared: list[Path], monkeypatch: pytest.MonkeyPatch):
    """In an image of a container, for example; root's permissions would not show it."""
    assert_right(path)
    for owner, name in ((os, "utime"), (Path, "mkdir"), (Path, "write_bytes")):
        monkeypatch.setattr(owner, name, full)
    assert_right(path)
    assert len(prepared) == 1


def test_nobody_else_may_look_into_the_folder(cache: Path, path: Path):
    assert_right(path)
    assert cache.stat().st_mode & 0o077 == 0


# --- the limit ---


def aged(folder: Path, name: str, size: int, age_s: int) -> Path:
    """An entry of `size` bytes that was used `age_s` seconds ago."""
    entry = folder / name
    folder.mkdir(mode=0o700, exist_ok=True)
    entry.mkdir(mode=0o700)
    (entry / "endpoints").write_bytes(bytes(size))
    used = (folder / "..").stat().st_mtime - age_s
    os.utime(entry, (used, used))
    return entry


def test_what_was_unused_for_longest_is_removed(
    cache: Path, path: Path, prepared: list[Path], monkeypatch: pytest.MonkeyPatch
):
    assert_right(path)
    (own,) = entries(cache)
    size = sum(file.stat().st_size for file in own.iterdir())
    shutil.rmtree(own)
    old, older, oldest = (aged(cache, f"prepared-{age}", 1000, age) for age in (100, 200, 300))
    unfinished = aged(cache, ".prepared-of-a-killed-process", 1000, 400)
    monkeypatch.setattr(prepared_cache, "_LIMIT_BYTES", size + 2500)
    assert_right(path)
    assert entries(cache) == sorted([own, old, older])
    assert not oldest.exists() and not unfinished.exists()


def test_the_newest_is_kept_however_large(cache: Path, path: Path, monkeypatch: pytest.MonkeyPatch):
    old = aged(cache, "prepared-old", 1000, 100)
    monkeypatch.setattr(prepared_cache, "_LIMIT_BYTES", 10)
    assert_right(path)
    (own,) = entries(cache)
    assert own != old


def test_use_makes_an_entry_young_again(cache: Path, path: Path, prepared: list[Path]):
    assert_right(path)
    (own,) = entries(cache)
    os.utime(own, (1, 1))
    assert_right(path)
    assert own.stat().st_mtime > 1_000_000
    assert len(prepared) == 1


def test_other_peoples_files_are_left_alone(cache: Path, path: Path, monkeypatch: pytest.MonkeyPatch):
    others = [aged(cache, name, 1000, 100) for name in ("holiday photographs", "0" * 40, ".git")]
    (cache / "prepared-by-me.txt").write_text("a note")
    monkeypatch.setattr(prepared_cache, "_LIMIT_BYTES", 10)
    assert_right(path)
    assert all((other / "endpoints").exists() for other in others)
    assert (cache / "prepared-by-me.txt").exists()
    assert len(entries(cache)) == 5


# --- processes ---


WORK = """
import sys
import numpy as np
import dni_runtime
import dni_runtime.prepared.laid_out
print("ready", flush=True)
sys.stdin.readline()
model = dni_runtime.load(sys.argv[1], "cpu", alpha_policy="dynamic")
assert isinstance(model._runner, dni_runtime.prepared.laid_out.LaidOut), model.alpha_note
np.save(sys.argv[2], model(np.load(sys.argv[3]), 0.31))
"""


def test_processes_that_prepare_one_model_at_once(cache: Path, path: Path, tmp_path: Path):
    np.save(tmp_path / "x.npy", X)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)}
    processes = []
    for number in range(4):
        arguments = [sys.executable, "-c", WORK, path, tmp_path / f"y{number}.npy", tmp_path / "x.npy"]
        processes.append(
            subprocess.Popen(
                list(map(str, arguments)),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=environment,
                text=True,
            )
        )
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:  # all of them wait for this line
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    for number, process in enumerate(processes):
        _, errors = process.communicate(timeout=PATIENCE_S)
        assert (process.returncode, errors) == (0, "")
        assert_same(np.load(tmp_path / f"y{number}.npy"), WANTED[0][0.31])
    (entry,) = entries(cache)
    assert sorted(file.name for file in entry.iterdir()) == sorted(FILES)
