"""IPT's patches, which spandrel puts together around its model: the same picture, at any size, for many images."""

from pathlib import Path

import pytest
import torch
from benchmark_scripts import scripts
from exporting import assert_close, blended, photo, run
from networks import Weights
from spandrel import ImageModelDescriptor, ModelLoader
from torch import Tensor

from dni_exporters import export
from dni_exporters.networks.known.patches import in_patches


@pytest.fixture(scope="module")
def endpoints() -> tuple[Weights, Weights]:
    with scripts("coverage", ["rows"]) as benchmark:
        a, b = benchmark.rows.ROWS["IPT"].endpoints()
    return a, b


def described(state: Weights) -> ImageModelDescriptor:
    found = ModelLoader().load_from_state_dict(dict(state)).eval()
    assert isinstance(found, ImageModelDescriptor)
    return found


def theirs(state: Weights, images: Tensor) -> Tensor:
    found = described(state)
    with torch.inference_mode():
        return torch.cat([found._call_fn(found.model, image[None]) for image in images])


SIDE, STEP = 24, 6


@pytest.mark.parametrize("width", [SIDE, SIDE + 1, SIDE + STEP - 1, SIDE + STEP, SIDE + 3 * STEP + 2])
@pytest.mark.parametrize("height", [SIDE, SIDE + STEP - 2, 2 * SIDE + 3])
def test_patches_meet_where_the_published_code_has_them_meet(
    endpoints: tuple[Weights, Weights], height: int, width: int
):
    """One patch or several along each side, and all that may be left over behind the last regular one."""
    images = torch.from_numpy(photo(2, 3, height, width))
    with torch.inference_mode():
        got = in_patches(described(endpoints[0]).model, images)
    assert_close(got.numpy(), theirs(endpoints[0], images).numpy())


def test_a_file_takes_images_of_any_size(tmp_path: Path, endpoints: tuple[Weights, Weights]):
    """Traced with one patch along each side, which must not become the only number of them."""
    a, b = endpoints
    report = export([a, b], tmp_path / "m.onnx", alpha_input=True, verdict=False)
    assert "on all that an image or tile has at once (1600 of 256x256)" in " ".join(report.notes)
    assert (report.scale, report.size_multiple, report.size_minimum) == (2, 1, SIDE)
    for shape in ((1, 3, 24, 24), (3, 3, 41, 25), (1, 3, 31, 67)):
        image = photo(*shape)
        assert_close(run(tmp_path / "m.onnx", image, 0.3), theirs(blended(a, b, 0.3), torch.from_numpy(image)).numpy())
