"""`dni demo`: the main job from end to end, on the bundled pair."""

import re
from pathlib import Path

import numpy as np
import pytest
from commands import Result, command, dni, names

from dni_deploy.demo import EXPORTED, PHOTOGRAPH, PHOTOGRAPH_NOISY
from dni_deploy.demo.show import ALPHAS, psnr_db
from dni_deploy.image_files.read_write import read_image
from dni_runtime import load

FILES = ["denoise.onnx", *(f"photograph_noisy_alpha{alpha:.2f}.png" for alpha in sorted(ALPHAS)), "sheet.png"]


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    folder = tmp_path_factory.mktemp("demo") / "new" / "folder"
    return folder, command("dni", "demo", "-o", folder).assert_ok()


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_it_makes_a_model_a_sweep_and_a_sheet(shown: tuple[Path, Result]):
    folder, _ = shown
    assert names(folder) == FILES
    size = read_image(PHOTOGRAPH).shape
    assert all(read_image(folder / name).shape == size for name in FILES[1:-1])
    height, width, _ = read_image(folder / "sheet.png").shape
    assert width > 1000 and height > 500  # 8 pictures in 4 columns
    with load(folder / "denoise.onnx", "cpu") as model:
        result = model.enhance(read_image(PHOTOGRAPH_NOISY), 0.4).astype(int)
    assert np.abs(result - read_image(folder / "photograph_noisy_alpha0.40.png")).max() <= 1


def test_what_was_exported_before_is_what_is_exported_now(shown: tuple[Path, Result]):
    """For where there is no PyTorch; to make it again: ORIGINS.md."""
    image = read_image(PHOTOGRAPH_NOISY)[:60, :80].transpose(2, 0, 1)[None].astype(np.float32) / 255
    with load(EXPORTED, "cpu") as before, load(shown[0] / "denoise.onnx", "cpu") as now:
        assert before.metadata == now.metadata
        for alpha in (0.0, 0.4, 1.0):
            np.testing.assert_allclose(before(image, alpha), now(image, alpha), atol=1e-6)


def test_it_says_what_it_made_and_what_to_try_next(shown: tuple[Path, Result]):
    folder, result = shown
    assert result.err == ""
    assert f"{folder / 'denoise.onnx'}  0.62 MB  alpha-input  equals PyTorch within" in result.out
    assert f"{folder / 'sheet.png'} shows the same photograph at 6 strengths" in result.out
    assert f"dni run {folder / 'denoise.onnx'} YOUR-PHOTO.jpg --alpha 0.5 -o result.png" in result.out


def test_the_commands_it_suggests_work(shown: tuple[Path, Result], tmp_path: Path):
    suggested = re.findall(r"^  dni (.+)$", shown[1].out, re.MULTILINE)
    assert [line.split()[0] for line in suggested] == ["run", "inspect"]
    changes = {"YOUR-PHOTO.jpg": str(PHOTOGRAPH_NOISY), "result.png": str(tmp_path / "result.png")}
    for line in suggested:
        dni(*(changes.get(word, word) for word in line.split())).assert_ok()
    assert names(tmp_path) == ["result.png"]


def test_the_best_blend_is_visibly_better_than_both_networks(shown: tuple[Path, Result]):
    folder, clean = shown[0], read_image(PHOTOGRAPH)
    quality = {alpha: psnr_db(read_image(folder / f"photograph_noisy_alpha{alpha:.2f}.png"), clean) for alpha in ALPHAS}
    middle = max(quality[alpha] for alpha in ALPHAS if 0 < alpha < 1)
    assert middle > max(quality[0], quality[1]) + 1.2
    assert middle > psnr_db(read_image(PHOTOGRAPH_NOISY), clean) + 8


def test_a_second_time_needs_force(shown: tuple[Path, Result]):
    folder, _ = shown
    before = content(folder)
    dni("demo", "-o", folder).assert_error("exists already and is kept; replace it with --force")
    assert content(folder) == before
    (folder / "sheet.png").unlink()
    dni("demo", "-o", folder, "--force").assert_ok()
    assert names(folder) == FILES


@pytest.mark.parametrize("name", ["sheet.png", "photograph_noisy_alpha0.40.png"])
def test_any_file_of_its_names_is_kept_and_nothing_is_written(tmp_path: Path, name: str):
    (tmp_path / name).write_text("precious")
    dni("demo", "-o", tmp_path).assert_error(f"{name} exists already and is kept")
    assert content(tmp_path) == {name: b"precious"}


def test_psnr_is_that_of_its_definition():
    black = np.zeros((4, 4, 3), np.uint8)
    assert psnr_db(black, black) == float("inf")
    assert psnr_db(black + np.uint8(255), black) == pytest.approx(0)
    assert psnr_db(black + np.uint8(1), black) == pytest.approx(48.1308, abs=1e-4)
