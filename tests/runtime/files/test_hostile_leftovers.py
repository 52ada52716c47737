"""Commands are killed with half of a result written; the next one removes what is left, once it is old, and no more."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from commands import dni
from onnx_models import conv_stack, save
from photographs import noisy_crop, save_image

from dni_deploy.demo import STRONG, WEAK
from dni_runtime.files import unfinished
from dni_runtime.files.unfinished import unfinished_folder

ORT = ("ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm")
# Larger than what is written before anybody could look.
LARGE_BYTES = 300 * 2**20


def killed(folder: Path, *arguments: object, holding: str = "", **environment: str) -> Path:
    """What `dni` leaves in `folder` when it is killed as soon as something unfinished is there.

    With `holding`, as soon as a file or folder of that name is in it: the two appear one after the other.
    """
    command = [sys.executable, "-c", "from dni_deploy.cli import main; main(prog_name='dni')", *map(str, arguments)]
    path = os.pathsep.join(path for path in sys.path if path)
    environment = {**os.environ, "PYTHONPATH": path, **environment}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment)
    deadline = time.monotonic() + 120
    try:
        while not (found := [path for path in folder.glob(".dni-*") if (path / holding).exists()]):
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline, "nothing unfinished was ever there"
            time.sleep(0.001)
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert process.returncode == -signal.SIGKILL
    (left,) = found
    assert left.exists()
    return left


def assert_only_this_is_removed(left: Path, next_run: Callable[[], object]) -> None:
    """`next_run` leaves `left` while it is young; once it is old it is removed, but nothing that looks like it."""
    own = [
        left.with_name(name) for name in (".dni-0123456789abcdef", ".dni-models.tmp", left.name[1:], f"{left.name}x")
    ]
    for path in own:
        path.write_text("mine")
    link = left.with_name(".dni-0000000000000000.tmp")
    link.symlink_to(own[0])
    next_run()
    assert left.exists()
    with unfinished_folder(left.parent) as living:
        for path in (*own, link, living, *left.rglob("*"), left):
            os.utime(path, (1e9, 1e9), follow_symlinks=False)
        next_run()
        assert not left.exists()
        assert living.exists() and link.is_symlink()
    assert [path.read_text() for path in own] == ["mine"] * len(own)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return save(conv_stack(), tmp_path / "stack.onnx")


@pytest.fixture
def ort(tmp_path: Path) -> Path:
    """Not the real package, which is not read: one that takes a while to copy."""
    folder = tmp_path / "ort"
    folder.mkdir()
    for name in ORT:
        (folder / name).touch()
    os.truncate(folder / ORT[-1], LARGE_BYTES)
    return folder


def again(*arguments: object) -> None:
    """A command as a process of its own would run it: it looks for leftovers once."""
    unfinished._swept.clear()
    dni(*arguments).assert_ok()


def test_an_export(tmp_path: Path):
    out = tmp_path / "out"
    out.mkdir()
    left = killed(out, "export", WEAK, STRONG, "--alpha-input", "-o", out / "model.onnx")
    arguments = ("blend", WEAK, STRONG, "--alpha", 0.5, "-o", out / "c.safetensors", "--force")
    assert_only_this_is_removed(left, lambda: again(*arguments))
    assert not (out / "model.onnx").exists()


def test_a_run(model: Path, tmp_path: Path):
    noise = np.random.default_rng(0).integers(0, 256, (1500, 1500, 3), np.uint8)
    large, small = save_image(tmp_path / "large.png", noise), save_image(tmp_path / "small.png", noisy_crop(8, 8))
    out = tmp_path / "out"
    out.mkdir()
    left = killed(out, "run", model, large, "--alpha", 0.5, "-o", out / "large.png")
    assert_only_this_is_removed(
        left, lambda: again("run", model, small, "--alpha", 0.5, "-o", out / "small.png", "--force")
    )
    assert not (out / "large.png").exists()


def test_a_site(model: Path, ort: Path, tmp_path: Path):
    sites = tmp_path / "sites"
    sites.mkdir()
    arguments = ("ship", "web", model, "--ort", ort, "--no-webgpu", "--force", "-o")
    left = killed(sites, *arguments, sites / "a", holding="site")
    os.truncate(ort / ORT[-1], 0)
    assert_only_this_is_removed(left, lambda: again(*arguments, sites / "b"))
    assert not (sites / "a").exists()


def test_a_site_that_is_only_served(model: Path, ort: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    arguments = ("ship", "web", model, "--ort", ort, "--no-webgpu", "--serve", "--port", 0)
    left = killed(temporary, *arguments, TMPDIR=str(temporary))
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    monkeypatch.setenv("DNI_CACHE_DIR", "")  # so that the model is prepared, which takes a folder there, too
    photo = save_image(tmp_path / "photo.png", noisy_crop(8, 8))
    assert_only_this_is_removed(
        left, lambda: again("run", model, photo, "--alpha", 0.5, "-o", tmp_path / "result.png", "--force")
    )


def test_a_repository(model: Path, tmp_path: Path):
    repository = tmp_path / "repository"
    repository.mkdir()
    arguments = ("ship", "triton", model, "-o", repository, "--force")
    left = killed(repository, *arguments, "--warmup", "4000x4000", "--max-input-pixels", 20_000_000, holding="stack")
    assert_only_this_is_removed(left, lambda: again(*arguments, "--no-warmup", "--name", "other"))
    assert not (repository / "stack").exists()


def test_nobody_waits_for_a_folder_of_many_files(tmp_path: Path):
    for number in range(20_000):
        (tmp_path / f"{number:06}.png").touch()
    start = time.process_time()
    with unfinished_folder(tmp_path):
        pass
    assert time.process_time() - start < 1
