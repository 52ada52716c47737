"""Runs that are killed at any moment, as by a power cut, and Ctrl-C: no half film, and --resume makes the whole one."""

import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import ffmpeg
import pytest

from dni_deploy.films.making.parts_folder import folder_of, remove

pytestmark = pytest.mark.alone

KILLS = 20
PATIENCE_S = 120


@pytest.fixture(scope="module")
def film_of_parts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """400 frames in sixteen parts, with sound."""
    path = tmp_path_factory.mktemp("films") / "in.mkv"
    pictures = "testsrc2=size=96x64:rate=5:duration=80,format=yuv444p"
    sound = "sine=duration=80:sample_rate=8000"
    ffmpeg.ffmpeg("-f", "lavfi", "-i", pictures, "-f", "lavfi", "-i", sound, "-c:v", "ffv1", "-g", "5", path)
    return path


def start(model: Path, film: Path, output: Path, *options: str) -> "subprocess.Popen[str]":
    dni = Path(sys.executable).with_name("dni")
    command = [dni, "film", model, film, "--alpha", "0.5", "--threads", "1", "-o", output, *options]
    return subprocess.Popen([*map(str, command)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(process: "subprocess.Popen[str]") -> str:
    out, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, err
    return out


def test_killed_at_twenty_random_moments_a_film_is_the_one_of_an_undisturbed_run(
    darkens: Path, film_of_parts: Path, tmp_path: Path
):
    undisturbed, output = tmp_path / "undisturbed.mkv", tmp_path / "out.mkv"
    begun = time.monotonic()
    finish(start(darkens, film_of_parts, undisturbed))
    within_s = time.monotonic() - begun
    seed = random.randrange(10**6)
    moments = random.Random(seed)
    kills = 0
    while kills < KILLS:
        process = start(darkens, film_of_parts, output, "--resume")
        try:
            process.communicate(timeout=moments.uniform(0.3, 1.0) * within_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            kills += 1
        if output.exists():
            assert output.read_bytes() == undisturbed.read_bytes(), f"seed {seed}, after {kills} kills"
            output.unlink()
            within_s *= 0.9  # it goes on from what was there, and has less to do
    finish(start(darkens, film_of_parts, output, "--resume"))
    assert output.read_bytes() == undisturbed.read_bytes(), f"seed {seed}"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.mkv", "undisturbed.mkv"]


def test_what_a_run_leaves_that_is_killed_as_it_removes_its_parts_is_gone_after_the_next(
    darkens: Path, film_of_parts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    output = tmp_path / "out.mkv"
    folder = folder_of(output)
    folder.mkdir()
    (folder / "00000.mkv").write_bytes(b"half")
    with monkeypatch.context() as patched:
        patched.setattr(shutil, "rmtree", lambda *_args, **_options: None)  # killed between its name and this
        remove(folder)
    (left,) = tmp_path.iterdir()
    assert left.name.endswith(".tmp")
    finish(start(darkens, film_of_parts, output))
    assert [*tmp_path.iterdir()] == [output]


def test_ctrl_c_says_what_is_there(darkens: Path, film_of_parts: Path, tmp_path: Path):
    output = tmp_path / "out.mkv"
    process = start(darkens, film_of_parts, output, "--preset", "veryslow")
    deadline = time.monotonic() + PATIENCE_S
    while len([*folder_of(output).glob("0*.json")]) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, out) == (130, "")
    assert "of 16 parts are finished. What is finished stays: the same command with --resume goes on from here" in err
    assert not output.exists()
    assert "400 frames" in finish(start(darkens, film_of_parts, output, "--preset", "veryslow", "--resume"))
