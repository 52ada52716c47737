"""A model with knobs on a real server, asked by clients, and by the one that is written beside it."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import process
from onnx_models import picture, save
from triton_server import Served, infer
from with_knobs import with_knob

import dni_runtime
from dni_deploy.image_files.read_write import read_image, write_image

ALPHAS = [(0.2, 0.9), (0.9, 0.2)]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(with_knob(), tmp_path_factory.mktemp("model") / "two.onnx")


def test_each_image_has_a_number_for_each_knob(client: Any, served: Served, local_model: dni_runtime.Model):
    images = np.concatenate([picture(1, 30, 20, 3, seed=seed) for seed in (1, 2)])
    answer = infer(client, served.model, {"image": images, "alpha": np.array(ALPHAS, np.float32)})
    expected = [local_model.enhance(image, alpha) for image, alpha in zip(images, ALPHAS, strict=True)]
    np.testing.assert_array_equal(answer.as_numpy("output_image"), expected)


def test_the_client_example_works(served: Served, local_model: dni_runtime.Model, tmp_path: Path):
    image = picture(33, 47, 3)
    write_image(tmp_path / "photo.png", image)
    program = Path(served.told["repository"], "client.py")
    files = [str(tmp_path / "photo.png"), "0.2,0.9", str(tmp_path / "result.png")]
    process([sys.executable, str(program), *files, served.told["http"]]).assert_ok()
    np.testing.assert_array_equal(read_image(tmp_path / "result.png"), local_model.enhance(image, (0.2, 0.9)))
