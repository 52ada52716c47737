"""A cache in which others can write, or have written: it is not used, that is said, and what is theirs stays."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from prepared_entries import assert_made_again, assert_right, entries, other_array

from dni_deploy.ship.web.onnxruntime_web import VERSION, copy_onnxruntime_web
from dni_runtime import DniError
from dni_runtime.files import unfinished
from dni_runtime.prepared import cache as prepared_cache
from dni_runtime.providers.chains import chain_of

NOT_ROOT = os.name == "nt" or os.geteuid() != 0
needs_root = pytest.mark.skipif(NOT_ROOT, reason="only root gives files to others")


# Links, pipes, and others' folders.


def to_link(entry: Path) -> None:
    shutil.move(entry, entry.parent / "elsewhere")
    entry.symlink_to(entry.parent / "elsewhere")


def file_to_link(entry: Path) -> None:
    shutil.move(entry / "endpoints", entry.parent / "endpoints")
    (entry / "endpoints").symlink_to(entry.parent / "endpoints")


def to_pipe(entry: Path) -> None:
    (entry / "plan.json").unlink()
    os.mkfifo(entry / "plan.json")


@pytest.mark.parametrize("damage", [to_link, file_to_link, to_pipe, lambda entry: entry.chmod(0o777)])
def test_an_entry_that_is_not_what_was_written(
    damage: Callable[[Path], object], cache: Path, paths: list[Path], prepared: list[Path]
):
    assert_made_again(cache, paths[0], prepared, damage)
    (entry,) = entries(cache)
    assert not entry.is_symlink()
    assert entry.stat().st_mode & 0o777 == 0o700
    if damage is to_link:  # what it led to is not ours to remove
        assert (cache / "elsewhere" / "plan.json").exists()


@needs_root
@pytest.mark.parametrize("part", [".", "endpoints"])
def test_an_entry_of_another_user(part: str, cache: Path, paths: list[Path], prepared: list[Path]):
    assert_made_again(cache, paths[0], prepared, lambda entry: os.chown(entry / part, 1234, 1234))


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda cache: cache.chmod(0o777), "can be written by others; "),
        (lambda cache: cache.chmod(0o770), "can be written by others; "),
        pytest.param(lambda cache: os.chown(cache, 1234, -1), "belongs to another user (1234); ", marks=needs_root),
    ],
)
def test_a_folder_of_others_is_not_used_and_that_is_said(
    spoil: Callable[[Path], None], reason: str, cache: Path, paths: list[Path], prepared: list[Path]
):
    """With an entry that fits, and is right in all but its values."""
    assert "nothing is kept" not in assert_right(paths[0])
    (entry,) = entries(cache)
    other_array("endpoints", lambda values: values * 1.5)(entry)
    before = {file: file.read_bytes() for file in entry.iterdir()}
    spoil(cache)
    note = assert_right(paths[0])
    assert f" (nothing is kept between processes: the cache folder {cache} {reason}" in note
    assert note.endswith("(chmod go-w), or name one in DNI_CACHE_DIR)")
    assert len(prepared) == 2
    assert {file: file.read_bytes() for file in entry.iterdir()} == before
    assert list(cache.iterdir()) == [entry]


def test_engines_of_others_are_not_used(cache: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """TensorRT runs what it finds: in the cache that is ours, never in the current folder."""
    options = chain_of("tensorrt", {}, False)[0][1]
    assert options["trt_engine_cache_enable"] == "1"
    assert options["trt_engine_cache_path"] == options["trt_timing_cache_path"] == str(cache / "tensorrt")
    cache.chmod(0o777)
    options = chain_of("tensorrt", {}, False)[0][1]
    assert options["trt_engine_cache_enable"] == options["trt_timing_cache_enable"] == "0"
    assert "trt_engine_cache_path" not in options


def test_scripts_of_others_are_not_put_into_a_page(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    kept = cache / f"onnxruntime-web-{VERSION}"
    kept.mkdir(parents=True)
    for name in ("ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm"):
        (kept / name).write_text("not ours")
    cache.chmod(0o777)
    monkeypatch.setenv("PATH", "")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DniError, match="npm"):
        copy_onnxruntime_web(tmp_path / "page", webgpu=False)
    assert not (tmp_path / "page").exists()


# What is removed.


def aged(entry: Path, age_s: float) -> Path:
    entry.mkdir(parents=True, mode=0o700)
    (entry / "endpoints").write_bytes(bytes(1000))
    used = entry.stat().st_mtime - age_s
    os.utime(entry / "endpoints", (used, used))
    os.utime(entry, (used, used))
    return entry


def test_only_our_own_folders_are_removed(cache: Path, paths: list[Path], monkeypatch: pytest.MonkeyPatch):
    photos = aged(cache.parent / "photos", 100)
    cache.mkdir(mode=0o700)
    (cache / "prepared-link").symlink_to(photos)
    (cache / "prepared-dangling").symlink_to(cache / "nothing")
    others = [aged(cache / "prepared-open", 100)]
    others[0].chmod(0o777)
    if not NOT_ROOT:
        others.append(aged(cache / "prepared-theirs", 100))
        os.chown(others[1], 1234, 1234)
    ours = aged(cache / "prepared-ours", 100)
    monkeypatch.setattr(prepared_cache, "_LIMIT_BYTES", 10)
    assert_right(paths[0])
    assert not ours.exists()
    assert all((folder / "endpoints").exists() for folder in (photos, *others))
    assert (cache / "prepared-link").is_symlink()


def test_what_killed_processes_left_is_removed(cache: Path, paths: list[Path]):
    left = [aged(cache / name, 4000) for name in (".prepared-of-old", f".dni-{'0' * 16}.tmp")]
    cache.chmod(0o700)
    at_work = aged(cache / ".prepared-now", 5)
    assert_right(paths[0])
    assert [path.exists() for path in (*left, at_work)] == [False, False, True]
    assert len(entries(cache)) == 1


KILLED = """
import os, sys
import dni_runtime
from dni_runtime.prepared import entry as prepared_entry
write = prepared_entry.np.save
def killed(*arguments, **options):
    write(*arguments, **options)
    os.kill(os.getpid(), 9)
prepared_entry.np.save = killed
dni_runtime.load(sys.argv[1], "cpu")
"""


def test_a_process_that_is_killed_as_it_writes(cache: Path, paths: list[Path], prepared: list[Path]):
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)}
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(paths[0])], env=environment, capture_output=True, text=True
    )
    assert done.returncode == -9, done.stderr
    (left,) = cache.iterdir()
    assert left.name.startswith(".dni-")
    for path in (*left.iterdir(), left):
        os.utime(path, (1, 1))
    unfinished._swept.clear()  # as in a process that starts later
    assert_right(paths[0])
    assert_right(paths[0])
    assert len(prepared) == 1
    assert list(cache.iterdir()) == entries(cache)
